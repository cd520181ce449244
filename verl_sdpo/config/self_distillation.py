# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a user sets about SDPO: `actor_rollout_ref.actor.self_distillation` of the run's configuration.

Option names are those of the published code. Every default lives here (and, for the teacher's prompt, in
`RepromptConfig`); the Hydra config and `docs/configuration.md` are made from these classes.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from verl_sdpo.algorithm.reprompt import RepromptConfig
from verl_sdpo.config.option_names import check_known

KEY = "actor_rollout_ref.actor.self_distillation"
CREDIT_ASSIGNMENTS = ("logit", "token_top1", "token", "sequence")
SUPPORTS = ("student", "teacher", "union")
HEADS = ("chunked", "plain")
KERNELS = ("torch", "compiled", "triton")
TEACHERS = ("ema", "frozen", "live", "trust_region", "external")
GENERATORS = ("student", "teacher")


@dataclass(frozen=True)
class SelfDistillationConfig:
    """The loss, the teacher and the teacher's prompt. Raises ValueError (key, value, remedy) on a senseless value."""

    # True: distil whole next-token distributions. False: only the sampled token counts (reverse KL, alpha 1.0).
    full_logit_distillation: bool = True
    # The same with more to choose from: "logit", whole distributions; "token_top1", the student's most probable token
    # and the rest (top-k with k = 1); "token", the sampled token; "sequence", one number a response, the mean over its
    # sampled tokens (reverse KL, as "token"). null: logit or token, as full_logit_distillation says.
    credit_assignment: str | None = None
    # Token ids per position that the divergence looks at, the most probable ones; null: the whole vocabulary.
    distillation_topk: int | None = 100
    # Whose most probable ids: "student" (the paper's), "teacher", or "union" of both.
    distillation_support: str = "student"
    # With top-k: the probability of all other ids is one more outcome. False: renormalise over the top-k.
    distillation_add_tail: bool = True
    # 0: forward KL(teacher, student); 1: reverse KL(student, teacher); between: generalised Jensen-Shannon.
    alpha: float = 0.5
    # Where the loss is made: "chunked", in the model's output head, with logits of a few tokens at a time; "plain",
    # from logits of all tokens. A loss with terms of verl's besides distillation is always made as in "plain".
    distillation_head: str = "chunked"
    # Tokens whose logits exist at a time in the chunked head; null: 2048 on a GPU, 128 on a CPU (256 where the hidden
    # size is 512 or more), and more where the vocabulary is small.
    distillation_chunk_size: int | None = None
    # What the chunked head runs over those logits: "torch", single operations; "compiled", fused by torch.compile,
    # which takes its time in the first step; "triton", kernels of our own. null: compiled on a GPU, unless
    # actor_rollout_ref.actor.use_torch_compile is false; else torch.
    distillation_kernels: str | None = None
    # Bound on |log teacher - log student|, the advantage; 5.0 in the paper's test-time runs. Needs alpha 1.0 in the
    # loss; null: no bound.
    advantage_clip: float | None = None
    # Upper bound of the importance ratio between the student now and at the start of the step; null: no ratio.
    is_clip: float | None = 2.0
    # Whether verl's forward pass for old log-probabilities is made also where the update has the same numbers: with one
    # mini-batch and one epoch a step, and nothing but distillation in the loss.
    recompute_old_log_probs: bool = False
    # w in w * distillation + (1 - w) * policy_loss: 1 distils only, 0 is plain policy-gradient training.
    distillation_weight: float = 1.0
    # Which of verl's losses is the other part of that sum, with the advantages of algorithm.adv_estimator.
    hybrid_policy_loss: str = "vanilla"
    # With algorithm.adv_estimator=sdpo: the share of GRPO's advantages, the paper's lambda (Eq. 3).
    group_advantage_weight: float = 0.0
    # Weights by sample: "success_routing" (successes to the policy loss, failures to distillation), "pass_rate"
    # (sqrt(p (1 - p)) of the group's pass rate); null: all one.
    sample_weighting: str | None = None
    # Weights by token: "teacher_confidence" (1 where the teacher is sure, 0 where it knows nothing); null: all one.
    token_weighting: str | None = None
    # Tokens at the start of each response that the distillation loss leaves out.
    skip_first_tokens: int = 0
    # What the teacher's weights are: "ema", a running average of the student's; "frozen", the student's at the start;
    # "live", the student's now; "trust_region", the geometric mean of frozen and live; "external", another checkpoint.
    teacher_regularization: str = "ema"
    # ema: share of the student that enters the average at an update: 0 (a frozen teacher) to 1.
    teacher_update_rate: float = 0.05
    # ema: training steps, of those in which the student moved, from one update to the next.
    teacher_update_every: int = 1
    # ema: training steps over which the share rises from 0 to teacher_update_rate.
    teacher_warmup_steps: int = 0
    # trust_region: the student's share in the mean, between 0 and 1.
    trust_region_mix: float = 0.01
    # external: folder or hub id of the checkpoint; its tokenizer must be the student's.
    external_teacher_path: str | None = None
    # Whose prompt the rollouts are sampled from: "student", the question; "teacher", the question with the dataset's
    # demonstration, which the student is then trained on without (docs/sdft.md). The weights are the student's.
    generation_by: str = "student"
    # How the teacher's prompt is written; its keys stand beside the others in the configuration.
    reprompt: RepromptConfig = field(default_factory=RepromptConfig)

    def __post_init__(self) -> None:
        self._check_loss()
        self._check_teacher()
        self._check_generation()

    def _check_loss(self) -> None:
        for key in ("full_logit_distillation", "distillation_add_tail", "recompute_old_log_probs"):
            _require(isinstance(getattr(self, key), bool), key, getattr(self, key), "set true or false")
        self._require_choice("credit_assignment", (*CREDIT_ASSIGNMENTS, None))
        _require(
            self.full_logit_distillation or self.credit_assignment not in ("logit", "token_top1"),
            "credit_assignment",
            self.credit_assignment,
            "full_logit_distillation=false asks for less than distributions: set it to true, or this to null",
        )
        self._require_choice("distillation_support", SUPPORTS)
        self._require_choice("distillation_head", HEADS)
        self._require_choice("distillation_kernels", (*KERNELS, None))
        _require(
            self.distillation_chunk_size is None or _is_whole(self.distillation_chunk_size, at_least=1),
            "distillation_chunk_size",
            self.distillation_chunk_size,
            "set a whole number of at least 1, or null for one that suits the device",
        )
        self._check_weightings()
        _require(
            self.distillation_topk is None or _is_whole(self.distillation_topk, at_least=1),
            "distillation_topk",
            self.distillation_topk,
            "set a whole number of at least 1, or null for the whole vocabulary",
        )
        _require(
            self.topk != 1 or self.distillation_add_tail or self.distillation_mode != "topk_logits",
            "distillation_add_tail",
            self.distillation_add_tail,
            "with one id (distillation_topk=1, or credit_assignment=token_top1) it would leave one outcome, and "
            "nothing to learn: set it to true",
        )
        self._require_share("alpha", "from 0 (forward KL) over 0.5 (Jensen-Shannon) to 1 (reverse KL)")
        _require(
            self.credit not in ("token", "sequence") or self.alpha == 1.0,
            "alpha",
            self.alpha,
            f"{self._credit_as_given} can only estimate the reverse KL: set alpha=1.0",
        )
        _require(
            self.is_clip is None or (_is_number(self.is_clip) and self.is_clip > 0),
            "is_clip",
            self.is_clip,
            "set a number above 0, or null to leave the importance ratio out",
        )
        _require(
            self.advantage_clip is None or (_is_number(self.advantage_clip) and self.advantage_clip > 0),
            "advantage_clip",
            self.advantage_clip,
            "set a number above 0, or null for no bound",
        )
        self._require_share("distillation_weight", "from 0 (policy loss only) to 1 (distillation only)")
        self._require_share("group_advantage_weight", "from 0 (SDPO's advantages only) to 1 (GRPO's only)")
        _require(
            isinstance(self.hybrid_policy_loss, str) and self.hybrid_policy_loss != "sdpo",
            "hybrid_policy_loss",
            self.hybrid_policy_loss,
            "name one of verl's policy losses, such as vanilla",
        )
        _require(
            self.sample_weighting != "success_routing" or self.distillation_weight < 1.0,
            "sample_weighting",
            self.sample_weighting,
            "successes would go to a policy loss of weight 0: set distillation_weight below 1",
        )
        _require(
            _is_whole(self.skip_first_tokens, at_least=0),
            "skip_first_tokens",
            self.skip_first_tokens,
            "set a whole number of at least 0",
        )

    def _check_weightings(self) -> None:
        if self.sample_weighting is None and self.token_weighting is None:
            return
        # Imported where it is needed: it brings torch, and the options are read before anything heavy is.
        from verl_sdpo.algorithm.sample_weights import SAMPLE_WEIGHTINGS, TOKEN_WEIGHTINGS

        self._require_choice("sample_weighting", tuple(SAMPLE_WEIGHTINGS))
        self._require_choice("token_weighting", tuple(TOKEN_WEIGHTINGS))

    def _check_teacher(self) -> None:
        self._require_choice("teacher_regularization", TEACHERS)
        self._require_share("teacher_update_rate", "from 0 (frozen teacher) to 1 (the student itself)")
        for key, least in (("teacher_update_every", 1), ("teacher_warmup_steps", 0)):
            value = getattr(self, key)
            _require(_is_whole(value, at_least=least), key, value, f"set a whole number of at least {least}")
        _require(
            _is_number(self.trust_region_mix) and 0.0 < self.trust_region_mix < 1.0,
            "trust_region_mix",
            self.trust_region_mix,
            "set a number between 0 and 1; the ends are teacher_regularization=frozen and =live",
        )
        path = self.external_teacher_path
        _require(
            path is None or (isinstance(path, str) and path != ""),
            "external_teacher_path",
            path,
            "set the folder or hub id of a checkpoint, or null",
        )
        _require(
            (self.teacher_regularization == "external") == (path is not None),
            "external_teacher_path",
            path,
            "set it if, and only if, teacher_regularization=external",
        )

    def _check_generation(self) -> None:
        self._require_choice("generation_by", GENERATORS)
        if self.generation_by == "student":
            return
        _require(
            self.reprompt.demonstration_source == "dataset",
            "generation_by",
            self.generation_by,
            "before generation there is no success to show: set demonstration_source=dataset",
        )
        # What is estimated from the sampled tokens holds for samples of the student's own prompt.
        _require(
            self.credit not in ("token", "sequence"),
            "generation_by",
            self.generation_by,
            f"{self._credit_as_given} estimates the divergence from samples of the student: "
            "set credit_assignment=logit",
        )
        _require(
            self.distillation_weight == 1.0,
            "generation_by",
            self.generation_by,
            "the policy loss needs samples of the student: set distillation_weight=1.0",
        )

    def _require_choice(self, key: str, choices: tuple[str | None, ...]) -> None:
        value = getattr(self, key)
        names = ", ".join("null" if choice is None else choice for choice in choices)
        _require(isinstance(value, str | None) and value in choices, key, value, f"choose one of {names}")

    def _require_share(self, key: str, meaning: str) -> None:
        value = getattr(self, key)
        _require(_is_number(value) and 0.0 <= value <= 1.0, key, value, f"set a number {meaning}")

    @property
    def credit(self) -> str:
        """What is compared with the teacher, one of `CREDIT_ASSIGNMENTS`."""
        return self.credit_assignment or ("logit" if self.full_logit_distillation else "token")

    @property
    def _credit_as_given(self) -> str:
        if self.credit_assignment is None:
            return f"full_logit_distillation={str(self.full_logit_distillation).lower()}"
        return f"credit_assignment={self.credit_assignment}"

    @property
    def distillation_mode(self) -> str:
        """The name that `verl_sdpo.algorithm.distill_tokens` gives to this choice."""
        if self.credit == "token":
            return "sampled_token"
        if self.credit == "sequence":
            return "sampled_sequence"
        return "full_logits" if self.topk is None else "topk_logits"

    @property
    def topk(self) -> int | None:
        """The support's size that goes with `distillation_mode`."""
        return 1 if self.credit == "token_top1" else self.distillation_topk

    @classmethod
    def from_flat(cls, options: dict[str, Any]) -> SelfDistillationConfig:
        """From the flat mapping of the run's configuration. An unknown key raises ValueError with the nearest one."""
        check_known(options, flat_defaults(), "SDPO")
        own = {f.name for f in dataclasses.fields(cls)} - {"reprompt"}
        reprompt = RepromptConfig(**{key: value for key, value in options.items() if key not in own})
        return cls(**{key: value for key, value in options.items() if key in own}, reprompt=reprompt)


def flat_defaults() -> dict[str, Any]:
    """Every option with its default, as it stands under `actor_rollout_ref.actor.self_distillation`."""
    options = dataclasses.asdict(SelfDistillationConfig())
    return options | options.pop("reprompt")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any, at_least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= at_least


def _require(condition: bool, key: str, value: Any, remedy: str) -> None:
    if not condition:
        raise ValueError(f"{key}={value!r} makes no sense: {remedy}")
