# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The teacher's pass: its final hidden states at every response token that counts, once per training step.

The teacher is constant within a step, so what it says is computed once, however many mini-batches and epochs follow.
Only samples with a target take part, in micro-batches made by the lengths of the teacher's own sequences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from tensordict import TensorDict
from verl.utils import tensordict_utils as tu

from verl_sdpo.teacher.ema import EmaTeacher, reshard
from verl_sdpo.worker.output_head import HeadWeights, gather_head, hidden_states_as_logits

# The `target_index` of a sample without a target.
NO_TARGET = -1


@dataclass(frozen=True)
class TeacherSequence:
    """One sample as the teacher reads it."""

    # (teacher_prompt_len + response_len,), integer: the teacher's prompt, then the student's response.
    input_ids: torch.Tensor
    # (response_len,), 1 on the response tokens that the loss counts. The teacher reads the others all the same.
    response_mask: torch.Tensor


@dataclass(frozen=True)
class TeacherTargets:
    """What the teacher says about a step's samples."""

    # Per target: (num_counted_tokens, hidden), the states from which each counted token is predicted.
    hidden: list[torch.Tensor]
    head: HeadWeights

    def logits(self, target_indices: Sequence[int], temperature: float) -> torch.Tensor:
        """`(num_tokens, vocab)`: logits for the counted tokens of these targets, in order, over the temperature."""
        hidden = torch.cat([self.hidden[index] for index in target_indices])
        logits = self.head.logits(hidden)
        if temperature == 1.0:
            return logits
        # As verl's engine divides the student's: by the temperature rounded to the logits' precision. In bf16 0.6 is
        # 0.6016, and a teacher divided by 0.6 would differ from a student equal to it.
        divisor = torch.tensor(temperature, dtype=torch.float32, device=logits.device).clamp(min=1e-8)
        return logits / divisor.to(logits.dtype)


def predicting_rows(sequence_end: int, response_mask: torch.Tensor) -> torch.Tensor:
    """Rows of packed logits that predict the counted tokens of the response that ends before `sequence_end`.

    Args:
        sequence_end: index just past the sequence's last token in the packed batch.
        response_mask: `(response_len,)`, nonzero on the tokens that count.
    """
    counted = response_mask.nonzero().squeeze(-1)
    return sequence_end - response_mask.numel() - 1 + counted


def plan_micro_batches(
    lengths: Sequence[int], *, max_rows: int | None, max_tokens: int | None, is_padded: bool
) -> list[list[int]]:
    """Indices of `lengths` in micro-batches, longest first, so that rows of like length share one.

    A micro-batch has at most `max_rows` rows and `max_tokens` tokens (padding included where `is_padded`); None means
    no bound. A row longer than `max_tokens` gets a micro-batch of its own.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if batches:
            rows = batches[-1] + [index]
            num_tokens = len(rows) * lengths[rows[0]] if is_padded else sum(lengths[i] for i in rows)
            if (max_rows is None or len(rows) <= max_rows) and (max_tokens is None or num_tokens <= max_tokens):
                batches[-1] = rows
                continue
        batches.append([index])
    return batches


@dataclass
class _HiddenStates:
    """verl's engine takes this for a loss with a logits processor; it keeps rows of what comes and returns nothing."""

    hidden: dict[int, torch.Tensor] = field(default_factory=dict)

    def __call__(self, *, data: TensorDict, student_logits: torch.Tensor | None = None, **_: Any):
        if student_logits is None:
            return torch.zeros(()), {}
        states = student_logits.squeeze(0)  # (num_packed_tokens, hidden): the output head is passed through
        ends = data["input_ids"].offsets()[1:].tolist()
        for end, target, mask in zip(ends, data["target_index"].tolist(), data["response_mask"].unbind(), strict=True):
            if target != NO_TARGET:
                # A copy, or the whole micro-batch's states stay in memory behind a view.
                self.hidden[target] = states[predicting_rows(end, mask)].clone()
        return {}


@torch.no_grad()
def run_teacher(
    engine: Any,
    teacher: EmaTeacher,
    sequences: Sequence[TeacherSequence],
    *,
    max_rows: int | None,
    max_tokens: int | None,
    use_remove_padding: bool,
) -> TeacherTargets:
    """Hidden states of the teacher for this rank's `sequences`.

    Every rank must call this, also with no sequence: the passes gather weights from all ranks, so ranks with fewer
    micro-batches run fillers.
    """
    lengths = [sequence.input_ids.numel() for sequence in sequences]
    plan = plan_micro_batches(lengths, max_rows=max_rows, max_tokens=max_tokens, is_padded=not use_remove_padding)
    num_passes = _max_over_ranks(len(plan), engine)
    collector = _HiddenStates()
    with engine.eval_mode(), teacher.in_place_of_student(), hidden_states_as_logits(engine.module):
        for rows in plan + [[]] * (num_passes - len(plan)):
            micro_batch = _micro_batch(sequences, rows, use_remove_padding)
            engine.forward_step(micro_batch, loss_function=collector, forward_only=True)
        reshard(engine.module)
        # In the precision of the states: the loss multiplies the two in every micro-batch.
        states = list(collector.hidden.values())
        head = gather_head(engine.module, states[0].dtype if states else torch.float32)
    return TeacherTargets([collector.hidden[index] for index in range(len(sequences))], head)


def _micro_batch(sequences: Sequence[TeacherSequence], rows: list[int], use_remove_padding: bool) -> TensorDict:
    """verl's micro-batch of these rows; of one filler of two tokens where there is none."""
    filler = TeacherSequence(torch.zeros(2, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
    chosen = [sequences[row] for row in rows] or [filler]
    fields = {
        "input_ids": _nested([sequence.input_ids for sequence in chosen]),
        "position_ids": _nested([torch.arange(sequence.input_ids.numel()) for sequence in chosen]),
        "response_mask": _nested([sequence.response_mask for sequence in chosen]),
        "target_index": torch.tensor(rows or [NO_TARGET]),
    }
    switches = {
        "use_remove_padding": use_remove_padding,
        "distillation_use_topk": True,  # verl's name for: hand the logits to the loss function
        "distillation_only": True,  # and compute no log-probs of your own
        "temperature": 1.0,  # what passes here are hidden states
    }
    return tu.get_tensordict(fields, switches)


def _nested(tensors: list[torch.Tensor]) -> torch.Tensor:
    return torch.nested.as_nested_tensor([tensor.cpu() for tensor in tensors], layout=torch.jagged)


def _max_over_ranks(value: int, engine: Any) -> int:
    tensor = torch.tensor([value], device=next(engine.module.parameters()).device)
    torch.distributed.all_reduce(tensor, op=torch.distributed.ReduceOp.MAX, group=engine.get_data_parallel_group())
    return int(tensor.item())
