# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The frozen teacher: the student as it was at the start (paper, Table 4, `q_θref`)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from verl_sdpo.teacher.interface import Teacher, Voice
from verl_sdpo.teacher.shards import WeightShards


class FrozenTeacher(Teacher):
    """The weights that the module has now, in their own precision. With a fresh LoRA adapter that is the base."""

    kind = "frozen"

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._weights = WeightShards(module)

    def voices(self) -> list[Voice]:
        return [Voice(1.0, self._weights.in_place_of_student)]

    def squared_distance(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self._weights.squared_distance()

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"shards": self._weights.state_dict()}

    def _load(self, state: dict[str, Any]) -> None:
        self._weights.load_state_dict(state["shards"])
