# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""From a step's rollouts to what the teacher reads: plain data in, token ids out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verl_sdpo.algorithm.reprompt import Reprompt, RepromptConfig, plan_reprompts, reprompt_metrics
from verl_sdpo.algorithm.sample_weights import SampleWeights, weigh_samples
from verl_sdpo.algorithm.shorten import Shortened, shorten_reprompt

# Chat messages and the row's `extra_info` to the token ids of a prompt, generation prompt included.
RenderPrompt = Callable[[list[dict[str, Any]], Mapping[str, Any] | None], list[int]]


@dataclass(frozen=True)
class TeacherBatch:
    """What the teacher reads, for each rollout in order."""

    # Teacher prompt and response; None where there is no target.
    input_ids: list[list[int] | None]
    # How much each rollout counts; None where all count alike.
    weights: SampleWeights | None
    metrics: dict[str, float]
    # What it is shown besides the question, as it reads it; of a rollout without a target nothing is meant by it.
    shown: Sequence[Reprompt | None] = ()

    @property
    def has_target(self) -> list[bool]:
        return [ids is not None for ids in self.input_ids]

    @property
    def lengths(self) -> list[int]:
        """Tokens of each sequence; 0 where there is no target."""
        return [len(ids or []) for ids in self.input_ids]


def build_teacher_batch(
    rollouts: Sequence[Mapping[str, Any]],
    response_ids: Sequence[Sequence[int]],
    config: RepromptConfig,
    render_prompt: RenderPrompt,
    special_tokens: Sequence[str] = (),
    sample_weighting: str | None = None,
) -> TeacherBatch:
    """Reprompt, shorten where a prompt is too long, and append each rollout's own response.

    Args:
        rollouts: `num_rollouts` mappings as `verl_sdpo.algorithm.build_teacher_messages` takes them, with the row's
            `extra_info` where the prompt depends on it.
        response_ids: the student's response tokens, all of them: tool results too.
        config: how the teacher's prompt is written.
        render_prompt: the student's own way from messages to tokens.
        special_tokens: the tokenizer's; in what the teacher is shown they are text like any other.
        sample_weighting: see `weigh_samples`. A rollout whose distillation has no weight has no target.

    Raises:
        ValueError: what `build_teacher_messages` and `shorten_reprompt` raise.
    """
    plans = plan_reprompts(rollouts, config)
    input_ids: list[list[int] | None] = []
    shown: list[Reprompt | None] = []
    num_shortened = num_too_long = 0
    for plan, rollout, response in zip(plans, rollouts, response_ids, strict=True):
        extra_info = rollout.get("extra_info")
        # Nothing to learn where the student wrote nothing.
        if not plan.has_target or len(response) == 0:
            input_ids.append(None)
            shown.append(None)
            continue
        fitted = fit_reprompt(plan, extra_info, config.max_reprompt_len, config, render_prompt, special_tokens)
        num_shortened += fitted.was_shortened and fitted.fits
        num_too_long += not fitted.fits
        prompt = render_prompt(fitted.reprompt.render(), extra_info) if fitted.fits else None
        input_ids.append(None if prompt is None else [*prompt, *response])
        shown.append(fitted.reprompt)
    weights = None
    if sample_weighting is not None:
        weights = _weights(sample_weighting, rollouts, input_ids, config)
        input_ids = [ids if weight > 0.0 else None for ids, weight in zip(input_ids, weights.distillation, strict=True)]
    num_real = max(sum(not rollout.get("is_padding", False) for rollout in rollouts), 1)
    metrics = reprompt_metrics(rollouts, plans, config) | {
        "self_distillation/shortened_prompt_fraction": num_shortened / num_real,
        "self_distillation/too_long_prompt_fraction": num_too_long / num_real,
        "self_distillation/target_sample_fraction": sum(ids is not None for ids in input_ids) / num_real,
    }
    return TeacherBatch(input_ids, weights, metrics, shown)


def _weights(
    kind: str, rollouts: Sequence[Mapping[str, Any]], input_ids: Sequence[list[int] | None], config: RepromptConfig
) -> SampleWeights:
    """Of all rollouts; padding is weighed as a group of its own, with no weight."""
    is_real = [not rollout.get("is_padding", False) for rollout in rollouts]
    weights = weigh_samples(
        kind,
        [rollout["score"] for rollout in rollouts],
        [(real, rollout["uid"]) for real, rollout in zip(is_real, rollouts, strict=True)],
        [ids is not None for ids in input_ids],
        config.success_reward_threshold,
    )
    return SampleWeights(
        distillation=[weight * real for weight, real in zip(weights.distillation, is_real, strict=True)],
        policy_gradient=[weight * real for weight, real in zip(weights.policy_gradient, is_real, strict=True)],
    )


def fit_reprompt(
    plan: Reprompt,
    extra_info: Mapping[str, Any] | None,
    max_len: int,
    config: RepromptConfig,
    render_prompt: RenderPrompt,
    special_tokens: Sequence[str],
) -> Shortened:
    """The plan with special tokens spelled out, shortened to `max_len` tokens."""
    return shorten_reprompt(
        plan.spelled_out(special_tokens),
        max_len,
        lambda messages: len(render_prompt(messages, extra_info)),
        truncation=config.reprompt_truncation,
    )


def check_student_prompt(
    messages: list[dict[str, Any]],
    extra_info: Mapping[str, Any] | None,
    prompt_ids: Sequence[int],
    render: RenderPrompt,
) -> None:
    """Hold the teacher's rendering to the student's: the same messages must give the student's tokens.

    Raises:
        ValueError: they differ, so that the teacher would judge the response after another kind of prompt. A prompt
            that the rollout had cut to `data.max_prompt_length` is not compared.
    """
    rendered = render(messages, extra_info)
    if len(rendered) <= len(prompt_ids) and list(rendered) != list(prompt_ids):
        raise ValueError(
            "the teacher's chat template gives other tokens than the rollout's for the same messages: an agent loop "
            "that builds its own prompt, or arguments outside data.apply_chat_template_kwargs. Pass them there. "
            f"Rollout: {list(prompt_ids)[:20]}..., teacher: {rendered[:20]}..."
        )
