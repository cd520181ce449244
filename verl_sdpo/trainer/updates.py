# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Steps without an update in a verl trainer: counted, and too many in a row end the run."""

from __future__ import annotations

from typing import Any

from transfer_queue import KVBatchMeta

from verl_sdpo.trainer.run_end import RunEnd
from verl_sdpo.watch.updates import NoUpdateError, UpdateWatch


class Updates(RunEnd):
    """To stand before SDPO's part among a trainer's bases, which makes no update without a target; for every loss."""

    def init(self) -> None:
        self.update_watch = UpdateWatch(self.config.trainer.max_steps_without_update)
        super().init()

    def _update_actor(self, batch: KVBatchMeta, metrics: dict[str, Any]) -> KVBatchMeta:
        batch = super()._update_actor(batch, metrics)
        self.update_watch.add(metrics)
        metrics["training/steps_without_update"] = float(self.update_watch.in_a_row)
        return batch

    def _look_for_end(self) -> None:
        super()._look_for_end()
        if (fault := self.update_watch.fault()) is not None:
            self.end_run(NoUpdateError("\n".join(filter(None, (fault, self.told_of_verdicts())))))
