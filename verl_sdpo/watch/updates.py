# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Steps that updated nothing: why, and how many in a row a run puts up with."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

OPTION = "max_steps_without_update"
NOT_FINITE, NO_TARGET = "a loss, gradient or teacher that is not finite", "nothing to learn from"
NOT_JUDGED = "no sample with a verdict"
_REMEDIES = {
    NOT_JUDGED: "the rewards judged no response: see their reasons in the log, and run python -m verl_sdpo.sandbox "
    "doctor on each machine that scores",
    NOT_FINITE: "lower actor_rollout_ref.actor.optim.lr or actor_rollout_ref.actor.optim.clip_grad, look at "
    "rollout_corr/... and at the scores of the last steps, and go on from a checkpoint of before",
    NO_TARGET: "no sample had a target: let the reward return feedback, take questions that are solved sometimes, or "
    "raise actor_rollout_ref.rollout.n",
}


class NoUpdateError(RuntimeError):
    """Too many steps in a row have updated nothing."""


def why_not_updated(metrics: Mapping[str, float]) -> str | None:
    """Why a step's metrics say that the student was not moved: one of the reasons above; None where it was.

    verl's own worker does not count; there a mean of gradient norms that is not finite is all there is.
    """
    if metrics.get("self_distillation/num_optimizer_steps", 0) > 0:
        return None
    if metrics.get("reward/no_verdict_batch", 0) > 0:
        return NOT_JUDGED
    odd = ("self_distillation/nonfinite_updates", "self_distillation/nonfinite_teacher_tokens")
    if any(metrics.get(name, 0) > 0 for name in odd):
        return NOT_FINITE
    if "self_distillation/num_optimizer_steps" in metrics or "actor/grad_norm" not in metrics:
        return NO_TARGET
    return None if math.isfinite(metrics["actor/grad_norm"]) else NOT_FINITE


class UpdateWatch:
    """Counts the steps without an update that there were in a row.

    Args:
        limit: how many end the run; None: any number is put up with.

    Raises:
        ValueError: key, value and what to write.
    """

    def __init__(self, limit: int | None) -> None:
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise ValueError(
                f"{OPTION}={limit!r} is no number of steps: set a whole number of at least 1, or null for any"
            )
        self.limit = limit
        self.in_a_row = 0
        self._reasons: Counter[str] = Counter()

    def add(self, metrics: Mapping[str, float]) -> None:
        """Count a step."""
        reason = why_not_updated(metrics)
        if reason is None:
            self.in_a_row = 0
            self._reasons.clear()
        else:
            self.in_a_row += 1
            self._reasons[reason] += 1

    def fault(self) -> str | None:
        """What is wrong, the option and what to do; None while the limit is not reached."""
        if self.limit is None or self.in_a_row < self.limit:
            return None
        reasons = self._reasons.most_common()
        counted = ", ".join(f"{number} for {reason}" for reason, number in reasons)
        remedies = "; ".join(_REMEDIES[reason] for reason, _ in reasons)
        return (
            f"{self.in_a_row} steps in a row have updated nothing ({counted}): trainer.{OPTION}={self.limit}. "
            f"{remedies[0].upper()}{remedies[1:]}. null in place of the number puts up with all"
        )
