# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""`algorithm.adv_estimator=sdpo`: SDPO as one of verl's advantage estimators, for any of verl's policy losses.

verl calls an estimator with rewards and masks only. What the teacher says is laid before it by the trainer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage, register_adv_est

from verl_sdpo.algorithm.advantages import hybrid_advantages, self_distillation_advantages
from verl_sdpo.config import SelfDistillationConfig
from verl_sdpo.config.checks import SDPO


@dataclass(frozen=True)
class Evidence:
    """What both models said about the sampled tokens; all `(bsz, response_len)`, padded as verl pads."""

    student_log_probs: torch.Tensor
    teacher_log_probs: torch.Tensor
    # Nonzero where the teacher was asked.
    target_mask: torch.Tensor
    # (bsz,), the row of the last output of each row's session; None: every row is a session of its own.
    final_outputs: torch.Tensor | None = None


class SelfDistillationEstimator:
    """`lambda * A_GRPO + (1 - lambda) * A_SDPO` (paper Eq. 3), lambda the option `group_advantage_weight`."""

    def __init__(self) -> None:
        self._options: SelfDistillationConfig | None = None
        self._evidence: Evidence | None = None

    @contextlib.contextmanager
    def given(self, options: SelfDistillationConfig, evidence: Evidence) -> Iterator[None]:
        """Within this context the estimator can be called, once or more, for one batch."""
        self._options, self._evidence = options, evidence
        try:
            yield
        finally:
            self._options = self._evidence = None

    def __call__(
        self,
        token_level_rewards: torch.Tensor,
        response_mask: torch.Tensor,
        config: Mapping[str, Any] | None = None,
        index: Any = None,
        **_: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Advantages and returns, the same thing here, `(bsz, response_len)`; the signature is verl's."""
        if self._evidence is None:
            raise RuntimeError(
                "algorithm.adv_estimator='sdpo' was called without the teacher's log-probabilities: run it through "
                "python -m verl_sdpo.main_sdpo"
            )
        options, evidence = self._options, self._evidence
        # Rejection sampling may have taken tokens out.
        mask = (evidence.target_mask != 0) & (response_mask != 0)
        distillation = self_distillation_advantages(
            evidence.student_log_probs,
            evidence.teacher_log_probs,
            mask,
            clip=options.advantage_clip,
        )
        if options.credit == "sequence":
            distillation = _sequence_means(distillation, mask)
        group = distillation
        if options.group_advantage_weight > 0.0:
            norm_by_std = (config or {}).get("norm_adv_by_std_in_grpo", True)
            group = _group_advantages(token_level_rewards, response_mask, index, evidence.final_outputs, norm_by_std)
        advantages = hybrid_advantages(group, distillation, options.group_advantage_weight)
        return advantages, advantages


def _group_advantages(
    rewards: torch.Tensor, mask: torch.Tensor, uids: Any, final_outputs: torch.Tensor | None, norm_by_std: bool
) -> torch.Tensor:
    """GRPO's, as verl gives them to sessions with several outputs: that of the last one, at each token of all of them.

    verl does so for its own estimators of that name only (`compute_advantage_for_multi_trajectories`, verl 0.9.1).
    """
    if final_outputs is None:
        final_outputs = torch.arange(len(mask))
    finals, sessions = torch.unique(final_outputs, return_inverse=True)
    made, _ = compute_grpo_outcome_advantage(
        token_level_rewards=rewards[finals],
        response_mask=mask[finals],
        index=np.asarray(uids, dtype=object)[finals.numpy()],
        norm_adv_by_std_in_grpo=norm_by_std,
    )
    # The advantage of a response stands at each of its tokens.
    of_sessions = made.gather(1, mask[finals].argmax(dim=1, keepdim=True)).squeeze(1)
    return of_sessions[sessions][:, None] * mask


def _sequence_means(advantages: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """One number a response, the mean over its tokens that count, at each of them."""
    means = (advantages * mask).sum(-1) / mask.sum(-1).clamp(min=1)  # (bsz,)
    return means[:, None] * mask


def advantage_metrics(evidence: Evidence) -> dict[str, float]:
    """What the teacher's log-probabilities say about the sampled tokens that have a target, before any clipping.

    - `self_distillation/advantage`: mean of `log q - log p`; minus it is a one-sample estimate of the reverse KL
    - `self_distillation/advantage_abs_max`: the largest absolute value; 0 without a target
    """
    mask = evidence.target_mask != 0
    advantages = self_distillation_advantages(evidence.student_log_probs, evidence.teacher_log_probs, mask)[mask]
    is_empty = advantages.numel() == 0
    return {
        "self_distillation/advantage": 0.0 if is_empty else advantages.mean().item(),
        "self_distillation/advantage_abs_max": 0.0 if is_empty else advantages.abs().max().item(),
    }


ESTIMATOR = SelfDistillationEstimator()
register_adv_est(SDPO)(ESTIMATOR)
