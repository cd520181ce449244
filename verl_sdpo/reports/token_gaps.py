# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Student and teacher on every token of a response: what they gave it, how far they are apart, what they preferred.

Computed with the functions of the loss itself, from the weights and the token ids of the step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from verl_sdpo.algorithm.linear_logits import Projection, TeacherVoice, Workspace, logits_of, teacher_logits_of
from verl_sdpo.algorithm.token_loss import distill_tokens
from verl_sdpo.config.self_distillation import SelfDistillationConfig

# Tokens whose logits exist at a time: two models' in float32 are 300 MB with a vocabulary of 150,000.
_CHUNK_ROWS = 256


@dataclass(frozen=True)
class TopIds:
    """The most probable ids of one model."""

    ids: torch.Tensor  # (num_tokens, k), int64
    log_probs: torch.Tensor  # (num_tokens, k), at least float32


@dataclass(frozen=True)
class TokenGaps:
    """Of one response; log-probabilities and divergences in nats, on the CPU."""

    student_log_probs: torch.Tensor  # (response_len,), of the sampled tokens
    teacher_log_probs: torch.Tensor  # (response_len,)
    divergence: torch.Tensor  # (response_len,), of the run's objective, before weights
    student_top: TopIds
    teacher_top: TopIds

    @property
    def gap(self) -> torch.Tensor:
        """`(response_len,)`: log q - log p; above 0 the teacher wants more of the token."""
        return self.teacher_log_probs - self.student_log_probs


class Speaker:
    """A causal language model of transformers and how the run computed with it.

    Args:
        model: with its head's output as logits.
        dtype: what verl's engine computes in; its parameters are taken to have it.
    """

    def __init__(self, model: Any, dtype: torch.dtype) -> None:
        self.model = model
        self.dtype = dtype

    @torch.no_grad()
    def projection(self, prompt: Sequence[int], response: Sequence[int]) -> Projection:
        """Hidden states that predict the response, `(response_len, hidden)`, and the output head."""
        device = self.model.device
        input_ids = torch.tensor([[*prompt, *response]], device=device)
        is_full = self.dtype in (torch.float32, torch.float64)
        precision = contextlib.nullcontext() if is_full else torch.autocast(device.type, dtype=self.dtype)
        with precision:
            states = self.model.base_model(input_ids=input_ids, use_cache=False).last_hidden_state[0]
        head = self.model.get_output_embeddings()
        hidden = states[len(prompt) - 1 : -1]
        return Projection(hidden, head.weight.to(hidden.dtype), getattr(head, "bias", None))


@torch.no_grad()
def token_gaps(
    student: Projection,
    teacher: Sequence[TeacherVoice],
    response: Sequence[int],
    options: SelfDistillationConfig,
    temperature: float,
    topk: int,
) -> TokenGaps:
    """Compare both on the tokens of one response.

    Args:
        student: hidden states `(response_len, hidden)` and head.
        teacher: the same of each of the teacher's voices.
        response: `response_len` token ids, 1 or more.
        options: the run's; its objective is what `divergence` is.
        temperature: the rollout's, by which logits are divided in training.
        topk: length of the lists; no more than there are ids.
    """
    sampled = torch.tensor(response, device=student.hidden.device)
    workspace, parts = Workspace(), []
    for start in range(0, len(response), _CHUNK_ROWS):
        rows = slice(start, start + _CHUNK_ROWS)
        chunk = student._replace(hidden=student.hidden[rows])
        student_logits = logits_of(chunk, temperature, workspace, "student")
        teacher_logits = teacher_logits_of(teacher, temperature, rows, workspace)
        tokens = distill_tokens(
            student_logits,
            teacher_logits,
            sampled[rows],
            distillation_mode=options.distillation_mode,
            topk=options.topk,
            add_tail=options.distillation_add_tail,
            alpha=options.alpha,
            support=options.distillation_support,
            sequence_ids=torch.zeros_like(sampled[rows]),  # for the loss, which is not read here
        )
        values = [tokens.log_probs, tokens.teacher_log_probs, tokens.divergence]
        values += [part for logits in (student_logits, teacher_logits) for part in _top(logits, topk)]
        parts.append([value.cpu() for value in values])
    log_probs, teacher_log_probs, divergence, *tops = (torch.cat(column) for column in zip(*parts, strict=True))
    return TokenGaps(log_probs, teacher_log_probs, divergence, TopIds(*tops[:2]), TopIds(*tops[2:]))


def _top(logits: torch.Tensor, topk: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and log-probabilities, both `(num_tokens, topk)`, the most probable first."""
    values, ids = logits.float().topk(min(topk, logits.shape[-1]), dim=-1)
    return ids, values - logits.float().logsumexp(-1, keepdim=True)
