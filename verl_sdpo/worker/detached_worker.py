# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""SDPO's worker for rollouts on devices of their own."""

from verl.experimental.separation.engine_workers import DetachActorWorker

from verl_sdpo.worker.sdpo_worker import SdpoActorRolloutRefWorker


class SdpoDetachActorWorker(SdpoActorRolloutRefWorker, DetachActorWorker):
    """SDPO's actor that can also put its weights aside and take them back.

    `PPOTrainerSeparateAsync._compute_old_log_prob` (verl 0.9.1) asks that of its worker in every step: all mini-batches
    between two weight syncs get their log-probs from the same weights.
    """
