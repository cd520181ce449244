# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a user sets about SDPO: `actor_rollout_ref.actor.self_distillation` of the run's configuration.

Option names are those of the published code. Every default lives here (and, for the teacher's prompt, in
`RepromptConfig`); the Hydra config and `docs/configuration.md` are made from these classes.
"""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass, field
from typing import Any

from verl_sdpo.algorithm.reprompt import RepromptConfig

KEY = "actor_rollout_ref.actor.self_distillation"
TEACHERS = ("ema",)


@dataclass(frozen=True)
class SelfDistillationConfig:
    """The loss, the teacher and the teacher's prompt. Raises ValueError (key, value, remedy) on a senseless value."""

    # True: distil whole next-token distributions. False: only the sampled token counts (reverse KL, alpha 1.0).
    full_logit_distillation: bool = True
    # Token ids per position that the divergence looks at, the student's most probable; null: the whole vocabulary.
    distillation_topk: int | None = 100
    # With top-k: the probability of all other ids is one more outcome. False: renormalise over the top-k.
    distillation_add_tail: bool = True
    # 0: forward KL(teacher, student); 1: reverse KL(student, teacher); between: generalised Jensen-Shannon.
    alpha: float = 0.5
    # Upper bound of the importance ratio between the student now and at the start of the step; null: no ratio.
    is_clip: float | None = 2.0
    # What the teacher's weights are: "ema", a running average of the student's.
    teacher_regularization: str = "ema"
    # Share of the student that enters the average after each step in which it moved: 0 (a frozen teacher) to 1.
    teacher_update_rate: float = 0.05
    # How the teacher's prompt is written; its keys stand beside the others in the configuration.
    reprompt: RepromptConfig = field(default_factory=RepromptConfig)

    def __post_init__(self) -> None:
        for key in ("full_logit_distillation", "distillation_add_tail"):
            _require(isinstance(getattr(self, key), bool), key, getattr(self, key), "set true or false")
        topk = self.distillation_topk
        _require(
            topk is None or (isinstance(topk, int) and not isinstance(topk, bool) and topk >= 1),
            "distillation_topk",
            topk,
            "set a whole number of at least 1, or null for the whole vocabulary",
        )
        _require(
            _is_number(self.alpha) and 0.0 <= self.alpha <= 1.0,
            "alpha",
            self.alpha,
            "set a number from 0 (forward KL) over 0.5 (Jensen-Shannon) to 1 (reverse KL)",
        )
        _require(
            self.full_logit_distillation or self.alpha == 1.0,
            "alpha",
            self.alpha,
            "with full_logit_distillation=false only the reverse KL can be estimated: set alpha=1.0",
        )
        _require(
            self.is_clip is None or (_is_number(self.is_clip) and self.is_clip > 0),
            "is_clip",
            self.is_clip,
            "set a number above 0, or null to leave the importance ratio out",
        )
        _require(
            self.teacher_regularization in TEACHERS,
            "teacher_regularization",
            self.teacher_regularization,
            f"choose one of {', '.join(TEACHERS)}",
        )
        _require(
            _is_number(self.teacher_update_rate) and 0.0 <= self.teacher_update_rate <= 1.0,
            "teacher_update_rate",
            self.teacher_update_rate,
            "set a number from 0 (frozen teacher) to 1 (the student itself)",
        )

    @property
    def distillation_mode(self) -> str:
        """The name that `verl_sdpo.algorithm.self_distillation_loss` gives to this choice."""
        if not self.full_logit_distillation:
            return "sampled_token"
        return "full_logits" if self.distillation_topk is None else "topk_logits"

    @classmethod
    def from_flat(cls, options: dict[str, Any]) -> SelfDistillationConfig:
        """From the flat mapping of the run's configuration. An unknown key raises ValueError with the nearest one."""
        known = flat_defaults()
        for key in sorted(set(options) - set(known)):
            near = difflib.get_close_matches(key, known, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"known keys are {', '.join(known)}"
            raise ValueError(f"{key}={options[key]!r} is no option of SDPO: {remedy}")
        own = {f.name for f in dataclasses.fields(cls)} - {"reprompt"}
        reprompt = RepromptConfig(**{key: value for key, value in options.items() if key not in own})
        return cls(**{key: value for key, value in options.items() if key in own}, reprompt=reprompt)


def flat_defaults() -> dict[str, Any]:
    """Every option with its default, as it stands under `actor_rollout_ref.actor.self_distillation`."""
    options = dataclasses.asdict(SelfDistillationConfig())
    return options | options.pop("reprompt")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _require(condition: bool, key: str, value: Any, remedy: str) -> None:
    if not condition:
        raise ValueError(f"{key}={value!r} makes no sense: {remedy}")
