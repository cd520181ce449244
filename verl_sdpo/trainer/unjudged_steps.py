# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A step in which no sample has a verdict: made to its end without a pass or an update, so that all state stays.

verl 0.9.1 cannot make such a step: its importance weights and its metrics refuse a batch without a token that counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transfer_queue import KVBatchMeta

from verl_sdpo.trainer.batch_fields import has_samples

# verl's methods that take the step's batch and return it, after `_balance_batch` (`PPOTrainer._step_once`, verl 0.9.1).
_OF_SAMPLES = ("_compute_ref_log_prob", "_compute_values", "_compute_advantage", "_update_critic", "_update_actor")


class UnjudgedSteps:
    """To stand before SDPO's part and after `Updates`, which counts the step, among a trainer's bases; for every loss.

    `Verdicts` leaves the samples out before.
    """

    def _compute_old_log_prob(self, batch: KVBatchMeta, metrics: dict[str, Any]) -> KVBatchMeta:
        if has_samples(batch):
            return super()._compute_old_log_prob(batch, metrics)
        if self.config.trainer.v1.trainer_mode == "separate_async" and self.local_trigger_step == 0:
            # There verl puts the weights aside here, for all mini-batches until the next weight sync.
            self.actor_rollout_wg.save_model_to_cpu(0)
        return batch


def _of_samples(method: str) -> Callable[..., KVBatchMeta]:
    def call(self: Any, batch: KVBatchMeta, *args: Any, **kwargs: Any) -> KVBatchMeta:
        return getattr(super(UnjudgedSteps, self), method)(batch, *args, **kwargs) if has_samples(batch) else batch

    call.__name__ = method
    return call


for _method in _OF_SAMPLES:
    setattr(UnjudgedSteps, _method, _of_samples(_method))
