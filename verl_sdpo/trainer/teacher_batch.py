# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""From a step's rollouts to what the teacher reads: plain data in, token ids out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verl_sdpo.algorithm.reprompt import RepromptConfig, plan_reprompts, reprompt_metrics
from verl_sdpo.algorithm.shorten import shorten_reprompt

# Chat messages and the row's `extra_info` to the token ids of a prompt, generation prompt included.
RenderPrompt = Callable[[list[dict[str, Any]], Mapping[str, Any] | None], list[int]]


@dataclass(frozen=True)
class TeacherBatch:
    """What the teacher reads, for each rollout in order."""

    # Teacher prompt and response; None where there is no target.
    input_ids: list[list[int] | None]
    metrics: dict[str, float]

    @property
    def has_target(self) -> list[bool]:
        return [ids is not None for ids in self.input_ids]


def build_teacher_batch(
    rollouts: Sequence[Mapping[str, Any]],
    response_ids: Sequence[Sequence[int]],
    config: RepromptConfig,
    render_prompt: RenderPrompt,
    special_tokens: Sequence[str] = (),
) -> TeacherBatch:
    """Reprompt, shorten where a prompt is too long, and append each rollout's own response.

    Args:
        rollouts: `num_rollouts` mappings as `verl_sdpo.algorithm.build_teacher_messages` takes them, with the row's
            `extra_info` where the prompt depends on it.
        response_ids: the student's response tokens, all of them: tool results too.
        config: how the teacher's prompt is written.
        render_prompt: the student's own way from messages to tokens.
        special_tokens: the tokenizer's; in what the teacher is shown they are text like any other.

    Raises:
        ValueError: what `build_teacher_messages` and `shorten_reprompt` raise.
    """
    plans = plan_reprompts(rollouts, config)
    input_ids: list[list[int] | None] = []
    num_shortened = num_too_long = 0
    for plan, rollout, response in zip(plans, rollouts, response_ids, strict=True):
        extra_info = rollout.get("extra_info")
        # Nothing to learn where the student wrote nothing.
        if not plan.has_target or len(response) == 0:
            input_ids.append(None)
            continue
        fitted = shorten_reprompt(
            plan.spelled_out(special_tokens),
            config.max_reprompt_len,
            lambda messages, extra_info=extra_info: len(render_prompt(messages, extra_info)),
            truncation=config.reprompt_truncation,
        )
        num_shortened += fitted.was_shortened and fitted.fits
        num_too_long += not fitted.fits
        prompt = render_prompt(fitted.reprompt.render(), extra_info) if fitted.fits else None
        input_ids.append(None if prompt is None else [*prompt, *response])
    num_real = max(sum(not rollout.get("is_padding", False) for rollout in rollouts), 1)
    metrics = reprompt_metrics(rollouts, plans, config) | {
        "self_distillation/shortened_prompt_fraction": num_shortened / num_real,
        "self_distillation/too_long_prompt_fraction": num_too_long / num_real,
        "self_distillation/target_sample_fraction": sum(ids is not None for ids in input_ids) / num_real,
    }
    return TeacherBatch(input_ids, metrics)


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
