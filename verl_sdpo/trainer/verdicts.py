# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Samples without a verdict in a verl trainer: left out of the step, counted, and too many of them end the run."""

from __future__ import annotations

import logging
from typing import Any

from omegaconf import DictConfig
from transfer_queue import KVBatchMeta

from verl_sdpo.trainer.batch_fields import leave_out, read_judged
from verl_sdpo.trainer.run_end import RunEnd
from verl_sdpo.watch.verdicts import (
    NoVerdictError,
    VerdictLimits,
    VerdictWatch,
    is_without_verdict,
    judged,
    verdict_metrics,
)

logger = logging.getLogger(__name__)


class Verdicts(RunEnd):
    """To stand before `Watching` among a trainer's bases; for every loss.

    Where a step has no other samples and there are too many, the end comes at once; otherwise `UnjudgedSteps` makes
    nothing of it.
    """

    # Of reward workers, before this step.
    _num_restarts = 0

    def init(self) -> None:
        self.verdict_watch = VerdictWatch(verdict_limits(self.config))
        super().init()
        # They have started while models were loaded.
        if hasattr(self.reward_loop_manager, "check_started"):
            self.reward_loop_manager.check_started()

    def step(self, metrics: dict[str, Any], timing_raw: dict[str, float]) -> KVBatchMeta:
        batch = super().step(metrics, timing_raw)
        if hasattr(self.reward_loop_manager, "num_restarts"):
            before, self._num_restarts = self._num_restarts, self.reward_loop_manager.num_restarts()
            metrics["reward/worker_restarts"] = float(self._num_restarts - before)
        return batch

    def _balance_batch(self, batch: KVBatchMeta, metrics: dict[str, Any], *args: Any, **kwargs: Any) -> KVBatchMeta:
        # Afterwards: padding is made of the batch's first sample, and must not be made of one that is left out.
        batch = super()._balance_batch(batch, metrics, *args, **kwargs)
        samples = read_judged(batch)
        real = [sample for sample in samples if sample is not None]
        metrics.update(verdict_metrics(real))
        self.verdict_watch.add(real)
        if is_without_verdict(real):
            self._look_for_end()
            self.end_at_once()
            logger.warning(
                "step %d: no sample has a verdict, so nothing is updated. %s",
                self.global_steps,
                self.verdict_watch.first_reasons(),
            )
        return leave_out(batch, [row for row, sample in enumerate(samples) if sample is not None and sample.kinds])

    def _val_metrics_update(
        self, data_sources: Any, sample_uids: Any, reward_extra_infos_dict: Any, *args: Any, **kwargs: Any
    ) -> dict[str, float]:
        infos = [
            {name: values[index] for name, values in reward_extra_infos_dict.items()}
            for index in range(len(sample_uids))
        ]
        self.verdict_watch.add([judged(uid, info) for uid, info in zip(sample_uids, infos, strict=True)])
        self._look_for_end()
        return super()._val_metrics_update(data_sources, sample_uids, reward_extra_infos_dict, *args, **kwargs)

    def told_of_verdicts(self) -> str:
        """Why rewards have given no verdict, as the first ones said."""
        return self.verdict_watch.first_reasons()

    def _look_for_end(self) -> None:
        super()._look_for_end()
        if (fault := self.verdict_watch.fault()) is not None:
            self.end_run(NoVerdictError(fault))


def verdict_limits(config: DictConfig) -> VerdictLimits:
    """What the configuration allows."""
    return VerdictLimits(config.trainer.max_sandbox_error_fraction, config.trainer.max_bad_test_fraction)
