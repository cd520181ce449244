# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Rollouts sampled from the teacher's prompt, for a student that is trained on its own (`generation_by=teacher`).

A sample makes two changes of prompt. Before generation the question becomes the teacher's prompt, with the dataset's
demonstration. Before anything is computed from the sample, its prompt becomes the question again, and the response
stays as it is. Plain data in and out; `verl_sdpo.trainer.batch_fields` knows where it lies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verl_sdpo.algorithm.reprompt import Message, plan_before_generation
from verl_sdpo.algorithm.reprompt_config import RepromptConfig
from verl_sdpo.trainer.teacher_batch import RenderPrompt, check_student_prompt, fit_reprompt


@dataclass(frozen=True)
class GenerationPrompts:
    """What the rollout is asked, for each row in order."""

    messages: list[list[Message]]
    # Demonstrations that were cut to fit, and those of which not even a part did.
    num_shortened: int
    num_too_long: int


@dataclass(frozen=True)
class GeneratedSample:
    """One sample as the rollout left it."""

    # What the rollout was asked, and its tokens.
    messages: list[Message]
    prompt_ids: list[int]
    # The row's question: what the student is asked.
    student_messages: list[Message]
    response_ids: list[int]
    extra_info: Mapping[str, Any] | None

    @property
    def is_by_teacher(self) -> bool:
        return self.messages != self.student_messages


def generation_prompts(
    rows: Sequence[Mapping[str, Any]],
    config: RepromptConfig,
    render_prompt: RenderPrompt,
    max_prompt_len: int,
    special_tokens: Sequence[str] = (),
) -> GenerationPrompts:
    """The teacher's prompt of each row; the question itself where there is no demonstration, or no room for one.

    Args:
        rows: `num_rows` mappings with `prompt` (chat messages), `privileged_context` and `extra_info`.
        config: how the teacher's prompt is written, with `demonstration_source="dataset"`.
        render_prompt: the student's own way from messages to tokens.
        max_prompt_len: tokens that the rollout takes; it would cut a longer prompt, question and all. The demonstration
            is shortened to it, and to `config.max_reprompt_len`.
        special_tokens: the tokenizer's; in a demonstration they are text like any other.

    Raises:
        ValueError: a row without a question, or a prompt that is too long where `reprompt_truncation` is "error".
    """
    limit = min(max_prompt_len, config.max_reprompt_len)
    messages, num_shortened, num_too_long = [], 0, 0
    for row in rows:
        plan = plan_before_generation(row, config)
        if not plan.has_target:
            messages.append(plan.render())
            continue
        try:
            fitted = fit_reprompt(plan, row["extra_info"], limit, config, render_prompt, special_tokens)
        except ValueError as error:
            bound = f"actor_rollout_ref.rollout.prompt_length={max_prompt_len}"
            raise ValueError(f"{bound} also bounds this prompt: {error}") from error
        num_shortened += fitted.was_shortened and fitted.fits
        num_too_long += not fitted.fits
        messages.append(fitted.reprompt.render())
    return GenerationPrompts(messages, num_shortened, num_too_long)


def student_prompt_ids(
    samples: Sequence[GeneratedSample], render_prompt: RenderPrompt, max_prompt_len: int
) -> list[list[int]]:
    """The tokens of each sample's question, as the agent loop would have made them.

    Raises:
        ValueError: the agent loop renders in another way than we do, seen in the first sample's own prompt. Once the
            prompts are ours, nothing else would show it.
    """
    for sample in samples[:1]:
        check_student_prompt(sample.messages, sample.extra_info, sample.prompt_ids, render_prompt)
    # Cut where verl's agent loop cuts a question that is too long (AgentLoopBase._cap_text_prompt_length).
    return [render_prompt(sample.student_messages, sample.extra_info)[-max_prompt_len:] for sample in samples]


def generation_metrics(samples: Sequence[GeneratedSample]) -> dict[str, float]:
    """`self_distillation/generated_by_teacher_fraction`: samples whose rollout was asked more than the question."""
    by_teacher = sum(sample.is_by_teacher for sample in samples)
    return {"self_distillation/generated_by_teacher_fraction": by_teacher / max(len(samples), 1)}
