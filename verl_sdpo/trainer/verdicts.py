# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Samples without a verdict in a verl trainer: left out of the step, counted, and too many of them end the run."""

from __future__ import annotations

import logging
from typing import Any

from omegaconf import DictConfig
from transfer_queue import KVBatchMeta
from verl.utils.debug import marked_timer

from verl_sdpo.trainer.batch_fields import leave_out, read_judged
from verl_sdpo.watch.verdicts import NoVerdictError, VerdictLimits, VerdictWatch, judged, verdict_metrics

logger = logging.getLogger(__name__)


class Verdicts:
    """To stand before `Watching` among a trainer's bases; for every loss.

    The end comes before the next step: by then the step's checkpoint, metrics and rollouts are written. Where the step
    has no other samples it comes at once: verl cannot make a step without a token that counts.
    """

    def init(self) -> None:
        self.verdict_watch = VerdictWatch(verdict_limits(self.config))
        self._verdict_fault: str | None = None
        super().init()

    def step(self, metrics: dict[str, Any], timing_raw: dict[str, float]) -> KVBatchMeta:
        self._end_if_at_fault()
        batch = super().step(metrics, timing_raw)
        self._look_for_fault()
        if self._verdict_fault is not None and self.config.trainer.save_freq > 0 and not self._saves_this_step():
            with marked_timer("save_checkpoint", timing_raw, color="green"):
                self._save_checkpoint()
        return batch

    def _balance_batch(self, batch: KVBatchMeta, metrics: dict[str, Any], *args: Any, **kwargs: Any) -> KVBatchMeta:
        # Afterwards: padding is made of the batch's first sample, and must not be made of one that is left out.
        batch = super()._balance_batch(batch, metrics, *args, **kwargs)
        samples = read_judged(batch)
        real = [sample for sample in samples if sample is not None]
        metrics.update(verdict_metrics(real))
        self.verdict_watch.add(real)
        if real and all(sample.kinds for sample in real):
            self._look_for_fault()
            if self._verdict_fault is not None and self.config.trainer.save_freq > 0:
                self._save_checkpoint()
            self._end_if_at_fault()
        return leave_out(batch, [row for row, sample in enumerate(samples) if sample is not None and sample.kinds])

    def _val_metrics_update(
        self, data_sources: Any, sample_uids: Any, reward_extra_infos_dict: Any, *args: Any, **kwargs: Any
    ) -> dict[str, float]:
        infos = [
            {name: values[index] for name, values in reward_extra_infos_dict.items()}
            for index in range(len(sample_uids))
        ]
        self.verdict_watch.add([judged(uid, info) for uid, info in zip(sample_uids, infos, strict=True)])
        self._look_for_fault()
        return super()._val_metrics_update(data_sources, sample_uids, reward_extra_infos_dict, *args, **kwargs)

    def _end_if_at_fault(self) -> None:
        if self._verdict_fault is not None:
            self._shutdown_dump_executor()
            raise NoVerdictError(self._verdict_fault)

    def _look_for_fault(self) -> None:
        if self._verdict_fault is None and (fault := self.verdict_watch.fault()) is not None:
            self._verdict_fault = fault
            logger.error("step %d: %s", self.global_steps, fault)

    def _saves_this_step(self) -> bool:
        """Whether verl will save after this step (`PPOTrainer.fit`, verl 0.9.1)."""
        is_last = self.global_steps >= self.total_training_steps
        return is_last or self.global_steps % self.config.trainer.save_freq == 0


def verdict_limits(config: DictConfig) -> VerdictLimits:
    """What the configuration allows."""
    return VerdictLimits(config.trainer.max_sandbox_error_fraction, config.trainer.max_bad_test_fraction)
