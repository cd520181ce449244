# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The live teacher: the student itself, as it is at this moment (paper, Table 4, `q_θ`)."""

from __future__ import annotations

import contextlib

from verl_sdpo.teacher.interface import Teacher, Voice


class LiveTeacher(Teacher):
    """No weights of its own. The paper finds that it diverges; it is here to be compared with."""

    kind = "live"
    follows_student = True

    def voices(self) -> list[Voice]:
        return [Voice(1.0, contextlib.nullcontext)]
