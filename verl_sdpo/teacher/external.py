# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The external teacher: another checkpoint with the student's tokenizer."""

from __future__ import annotations

import contextlib
from typing import Any

from verl_sdpo.teacher.interface import Teacher, Voice


class ExternalTeacher(Teacher):
    """A model of its own, of any size, that never changes.

    Args:
        engine: verl's engine that holds it, initialised.
        path: where it was loaded from.
    """

    kind = "external"

    def __init__(self, engine: Any, path: str) -> None:
        super().__init__()
        self._engine = engine
        self._path = path

    def voices(self) -> list[Voice]:
        return [Voice(1.0, contextlib.nullcontext, self._engine)]

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"path": self._path}
