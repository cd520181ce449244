# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Code of one's own at four places of a step: `trainer.callbacks=[my_package.my_module.MyCallback]`.

Callbacks run in the trainer's process, one after the other, and the step waits for them. One that raises stops the run
with its own traceback.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Generation:
    """Rollouts with their scores, without padding; keys as `verl_sdpo/trainer/batch_fields.py` gives them."""

    step: int
    rollouts: list[dict[str, Any]]


@dataclass(frozen=True)
class Shown:
    """What a teacher is shown besides the question, as it reads it: shortened, special tokens spelled out."""

    demonstration: str | None
    feedback: str | None
    privileged_context: str | None


@dataclass(frozen=True)
class TokenIds:
    """One sample's tokens, as student and teacher get them."""

    student_prompt: list[int]
    # None without a target.
    teacher_prompt: list[int] | None
    response: list[int]
    # For each token of the response, 1 where the model wrote it, 0 where a tool did.
    is_own: list[int]


@dataclass(frozen=True)
class TeacherContext:
    """What one sample's teacher reads before the response."""

    uid: str
    # The whole prompt as text, chat template included; None without a target.
    prompt: str | None
    has_target: bool
    # What the environment said, whether it is shown or not.
    feedback: str | None
    score: float
    # None without a target.
    shown: Shown | None
    tokens: TokenIds


@dataclass(frozen=True)
class TeacherContexts:
    """Of all samples of an update, without padding."""

    step: int
    samples: list[TeacherContext]


@dataclass(frozen=True)
class BeforeUpdate:
    """Metrics that there are by now: those of rollouts and advantages, and of what the teacher was shown."""

    step: int
    metrics: dict[str, Any]


@dataclass(frozen=True)
class AfterUpdate:
    """All metrics of a step, as the loggers get them."""

    step: int
    metrics: dict[str, Any]


class Callback:
    """To derive from; a method that is not overridden does nothing. `config` is the run's configuration."""

    def __init__(self, config: Any) -> None:
        self.config = config

    def after_generation(self, generation: Generation) -> None:
        """Samples are generated and scored."""

    def after_teacher_contexts(self, contexts: TeacherContexts) -> None:
        """It is decided what the teacher reads. Not called with losses of verl's."""

    def before_update(self, update: BeforeUpdate) -> None:
        """The student is about to be updated. Not called in a step without any target."""

    def after_update(self, update: AfterUpdate) -> None:
        """The step is over, a validation that was due included. Once a step, with an update or without."""


def find_callbacks(names: Sequence[str]) -> list[type[Callback]]:
    """The classes of these names.

    Raises:
        ValueError: no list of names, or a name that leads to no Callback: with what is wrong about it. An exception of
            the module's own passes through.
    """
    if not isinstance(names, Sequence) or isinstance(names, str):
        raise ValueError("write a list: [my_package.my_module.MyCallback]")
    return [_find(name) for name in names]


def _find(name: Any) -> type[Callback]:
    module_name, _, class_name = str(name).rpartition(".")
    if not module_name:
        raise ValueError(f"{name!r} is no full name of a class: write my_package.my_module.MyCallback")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ValueError(
            f"{name!r} cannot be imported ({error}): is the module installed, or in the folder of the run?"
        ) from error
    found = getattr(module, class_name, None)
    if found is None:
        classes = [key for key, value in vars(module).items() if _is_callback(value)]
        raise ValueError(f"{module_name} has no {class_name}: its callbacks are {', '.join(classes) or 'none'}")
    if not _is_callback(found):
        raise ValueError(f"{name!r} is no Callback: derive it from {Callback.__module__}.Callback")
    return found


def _is_callback(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Callback)
