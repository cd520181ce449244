# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What every teacher is to the worker: one or more voices, something to do after an update, and a state to save.

A voice is a way to put weights where a forward pass finds them. A teacher of several voices is their normalised
geometric mean: its log-probabilities are the weighted sum of theirs, up to a constant (paper Eq. 10).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Voice:
    """One model that a teacher consists of."""

    # In the sum of log-probabilities; the weights of a teacher's voices sum to one.
    weight: float
    # Within the context it makes, the engine's module computes with the voice's weights.
    speaking: Callable[[], AbstractContextManager[None]]
    # verl's engine that runs it; None for the student's own.
    engine: Any = None


class Teacher:
    """The base of all teachers. `kind` is the value of `teacher_regularization` that asks for it."""

    kind: str
    # Whether it changes with every optimizer step, so that what it says must not be kept for the next mini-batch.
    follows_student = False

    def __init__(self) -> None:
        self.num_updates = 0

    def voices(self) -> list[Voice]:
        """Who speaks, in order; the same number at every call."""
        raise NotImplementedError

    def update(self) -> None:
        """Called after each training step in which the student moved."""
        self.num_updates += 1

    def squared_distance(self) -> tuple[torch.Tensor, torch.Tensor] | None:
        """As `WeightShards.squared_distance`, of the teacher's own weights; None where it has none of this model."""
        return None

    def state_dict(self) -> dict[str, Any]:
        """What this rank saves, tensors and plain data."""
        return {"kind": self.kind, "num_updates": self.num_updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` saved; nothing is changed where it does not fit.

        Raises:
            ValueError: it is of another kind of teacher, or of another model.
        """
        if state.get("kind") != self.kind:
            raise ValueError(
                f"teacher_regularization={self.kind!r}, but the checkpoint's teacher is of kind {state.get('kind')!r}: "
                "set the checkpoint's kind, or start anew with trainer.resume_mode=disable and "
                "actor_rollout_ref.model.path set to the checkpoint's exported model"
            )
        self._load(state)
        self.num_updates = state["num_updates"]

    def _load(self, state: dict[str, Any]) -> None:
        """Take over what a subclass adds to the state."""
