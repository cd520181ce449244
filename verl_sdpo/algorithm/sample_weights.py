# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""How much each sample, and each of its tokens, counts; not in the SDPO paper, and off by default.

A new way of weighting is a function and its line in `SAMPLE_WEIGHTINGS` or `TOKEN_WEIGHTINGS`.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class SampleWeights:
    """Factors of the samples' losses, one number a sample, none negative."""

    distillation: list[float]
    """Of the self-distillation loss."""
    policy_gradient: list[float]
    """Of the group-relative loss, where there is one."""


def weigh_samples(
    kind: str | None,
    scores: Sequence[float],
    uids: Sequence[Hashable],
    has_target: Sequence[bool],
    success_threshold: float,
) -> SampleWeights:
    """Weights of the samples of a batch.

    Kinds:

    * None: all ones.
    * "success_routing" (SRPO, arXiv 2604.02288): successes count in the group-relative loss only, failures in
      distillation only. A failure without a target then counts nowhere.
    * "pass_rate" (SC-SDPO, arXiv 2605.27765): distillation is weighted by sqrt(p (1 - p)), p the pass rate of the
      sample's group, over the mean of this root over the samples with a target, so that their mean weight is one. Where
      all of them have a root of zero, so is every weight. The group-relative loss keeps its ones.

    Args:
        kind: one of the above.
        scores: one a sample; a success has at least `success_threshold`.
        uids: one a sample, equal for samples of the same group.
        has_target: one a sample, whether the teacher has something to teach about it.
        success_threshold: as of the reprompt, `success_reward_threshold`.

    Raises:
        ValueError: unknown kind, or lengths differ.
    """
    if kind not in SAMPLE_WEIGHTINGS:
        raise ValueError(f"sample weighting {kind!r} is unknown: use one of {list(SAMPLE_WEIGHTINGS)}")
    if not len(scores) == len(uids) == len(has_target):
        raise ValueError(
            f"{len(scores)} scores, {len(uids)} uids and {len(has_target)} has_target differ in length: "
            "give one of each a sample"
        )
    is_success = [score >= success_threshold for score in scores]
    return SAMPLE_WEIGHTINGS[kind](is_success, uids, has_target)


def token_entropy_weights(
    kind: str | None, student_entropy: torch.Tensor, teacher_entropy: torch.Tensor, vocab_size: int
) -> torch.Tensor:
    """Weights of the distillation loss of tokens, from the entropy of the two next-token distributions.

    Kinds:

    * None: all ones.
    * "teacher_confidence": 1 - H(q) / log(vocab_size): one where the teacher is certain, zero where it is uniform. That
      entropy should weigh the target is SRPO's idea (arXiv 2604.02288); this form of it is ours. Weights are not
      normalised, so the loss shrinks where the teacher is unsure.

    Args:
        kind: one of the above.
        student_entropy: `(num_tokens,)`, floating, in nats, over the whole vocabulary.
        teacher_entropy: likewise.
        vocab_size: number of ids that the entropies are over, at least 2.

    Returns:
        `(num_tokens,)`, detached, in [0, 1], in the dtype of `teacher_entropy`.

    Raises:
        ValueError: unknown kind, `vocab_size` below 2, or shapes differ.
    """
    if kind not in TOKEN_WEIGHTINGS:
        raise ValueError(f"token weighting {kind!r} is unknown: use one of {list(TOKEN_WEIGHTINGS)}")
    if vocab_size < 2:
        raise ValueError(f"vocab_size={vocab_size!r} must be at least 2: the number of ids in a row of logits")
    if student_entropy.shape != teacher_entropy.shape:
        raise ValueError(
            f"student_entropy {tuple(student_entropy.shape)} and teacher_entropy {tuple(teacher_entropy.shape)} "
            "differ in shape: give one of each a token"
        )
    return TOKEN_WEIGHTINGS[kind](student_entropy.detach(), teacher_entropy.detach(), vocab_size)


def _equal_weights(is_success: Sequence[bool], _uids: Sequence[Hashable], _has_target: Sequence[bool]) -> SampleWeights:
    ones = [1.0] * len(is_success)
    return SampleWeights(distillation=ones, policy_gradient=list(ones))


def _success_routing(
    is_success: Sequence[bool], _uids: Sequence[Hashable], _has_target: Sequence[bool]
) -> SampleWeights:
    return SampleWeights(
        distillation=[float(not success) for success in is_success],
        policy_gradient=[float(success) for success in is_success],
    )


def _pass_rate(is_success: Sequence[bool], uids: Sequence[Hashable], has_target: Sequence[bool]) -> SampleWeights:
    groups = defaultdict(list)
    for uid, success in zip(uids, is_success):
        groups[uid].append(success)
    pass_rates = {uid: sum(successes) / len(successes) for uid, successes in groups.items()}
    roots = [math.sqrt(pass_rates[uid] * (1.0 - pass_rates[uid])) for uid in uids]
    of_targets = [root for root, target in zip(roots, has_target) if target]
    mean = sum(of_targets) / max(len(of_targets), 1)
    distillation = [root / mean if mean > 0.0 else 0.0 for root in roots]
    return SampleWeights(distillation=distillation, policy_gradient=[1.0] * len(roots))


def _teacher_confidence(_student_entropy: torch.Tensor, teacher_entropy: torch.Tensor, vocab_size: int) -> torch.Tensor:
    # Rounding can put the entropy of a nearly uniform teacher above log(vocab_size).
    return (1.0 - teacher_entropy / math.log(vocab_size)).clamp(0.0, 1.0)


SAMPLE_WEIGHTINGS: dict[str | None, Callable[[Sequence[bool], Sequence[Hashable], Sequence[bool]], SampleWeights]] = {
    None: _equal_weights,
    "success_routing": _success_routing,
    "pass_rate": _pass_rate,
}

TOKEN_WEIGHTINGS: dict[str | None, Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor]] = {
    None: lambda _student_entropy, teacher_entropy, _vocab_size: torch.ones_like(teacher_entropy),
    "teacher_confidence": _teacher_confidence,
}
