# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A verl trainer that ends early, with an error or without: after a step that is made, saved and logged to its end.

`PPOTrainer.fit` (verl 0.9.1) asks `global_steps <= total_training_steps` before each step, and saves after it if it is
the last one or due. So an end without an error lowers `total_training_steps` to the step that was made; one with an
error is raised in place of the next step; and both save here, out of turn, where verl does not.
"""

from __future__ import annotations

import logging
from typing import Any

from transfer_queue import KVBatchMeta
from verl.utils.debug import marked_timer

logger = logging.getLogger(__name__)


class RunEnd:
    """The base of what may end a run; to stand before `Watching` among a trainer's bases."""

    # Why the run ends: an error, or the words for an end that is none; None while it does not.
    _end: Exception | str | None = None

    def end_run(self, reason: Exception | str) -> None:
        """End the run after this step; the first reason counts.

        Args:
            reason: an error to raise then, or words for the log.
        """
        if self._end is None:
            self._end = reason
            level = logging.ERROR if isinstance(reason, Exception) else logging.WARNING
            logger.log(level, "step %d: %s", self.global_steps, reason)

    def end_at_once(self) -> None:
        """Within a step that cannot be finished: where the run is to end with an error, save and raise it."""
        if isinstance(self._end, Exception):
            if self.config.trainer.save_freq > 0:
                self._save_checkpoint()
            self._raise_end()

    def step(self, metrics: dict[str, Any], timing_raw: dict[str, float]) -> KVBatchMeta:
        self._raise_end()
        batch = super().step(metrics, timing_raw)
        self._look_for_end()
        if self._end is not None:
            if self.config.trainer.save_freq > 0 and not self._saves_this_step():
                with marked_timer("save_checkpoint", timing_raw, color="green"):
                    self._save_checkpoint()
            if isinstance(self._end, str):
                self.total_training_steps = self.global_steps
        return batch

    def told_of_verdicts(self) -> str:
        """Why rewards have given no verdict; empty where all gave one, or nobody looks."""
        return ""

    def _look_for_end(self) -> None:
        """Called after each step; overrides call `end_run` where there is a reason, and this."""

    def _raise_end(self) -> None:
        """Raise the error that ends the run, if there is one, once the rollouts are written."""
        if isinstance(self._end, Exception):
            self._shutdown_dump_executor()
            raise self._end

    def _saves_this_step(self) -> bool:
        """Whether verl will save after this step."""
        is_last = self.global_steps >= self.total_training_steps
        return is_last or self.global_steps % self.config.trainer.save_freq == 0
