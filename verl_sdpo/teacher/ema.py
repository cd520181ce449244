# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The EMA teacher: a running average of the student's weights (paper, Appendix A.2)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from verl_sdpo.teacher.interface import Teacher, Voice
from verl_sdpo.teacher.shards import WeightShards


class EmaTeacher(Teacher):
    """An fp32 exponential moving average of a module's weights, sharded as the module is.

    fp32 because in bf16 a small step of the average is rounded away: it would stand still.

    With LoRA it is the average of the adapter's factors over one shared base. The product of averaged factors is not
    the average of products; the difference is of second order in how far the factors moved (docs/lora.md).

    Args:
        module: the student.
        rate: share of the student that enters the average at each update, 0 to 1.
        every: training steps from one update to the next.
        warmup_steps: the first training steps, over which the share rises linearly from 0 to `rate`.
    """

    kind = "ema"

    def __init__(self, module: nn.Module, rate: float, every: int = 1, warmup_steps: int = 0) -> None:
        super().__init__()
        self.rate = rate
        self.every = every
        self.warmup_steps = warmup_steps
        self._weights = WeightShards(module, torch.float32)

    def voices(self) -> list[Voice]:
        return [Voice(1.0, self.in_place_of_student)]

    def in_place_of_student(self):
        """See `WeightShards.in_place_of_student`."""
        return self._weights.in_place_of_student()

    def update(self) -> None:
        super().update()
        share = self.rate * min(1.0, self.num_updates / max(self.warmup_steps, 1))
        if share > 0.0 and self.num_updates % self.every == 0:
            self._weights.move_towards_student(share)

    def squared_distance(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self._weights.squared_distance()

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"rate": self.rate, "shards": self._weights.state_dict()}

    def _load(self, state: dict[str, Any]) -> None:
        self._weights.load_state_dict(state["shards"])
