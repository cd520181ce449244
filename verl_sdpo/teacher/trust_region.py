# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The trust-region teacher: between the start and the student, in log-probabilities (paper, Appendix A.2, Eq. 10)."""

from __future__ import annotations

import contextlib

from torch import nn

from verl_sdpo.teacher.frozen import FrozenTeacher
from verl_sdpo.teacher.interface import Voice


class TrustRegionTeacher(FrozenTeacher):
    """`q ∝ exp((1 - mix) log q_ref + mix log q_student)`, both reading the teacher's prompt.

    Args:
        module: the student, whose weights now are the reference's.
        mix: the student's share, 0 to 1; 0.01 in the paper's Table 4.
    """

    kind = "trust_region"
    follows_student = True

    def __init__(self, module: nn.Module, mix: float) -> None:
        super().__init__(module)
        self.mix = mix

    def voices(self) -> list[Voice]:
        [reference] = super().voices()
        return [Voice(1.0 - self.mix, reference.speaking), Voice(self.mix, contextlib.nullcontext)]
