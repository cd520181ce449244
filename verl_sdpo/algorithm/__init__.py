# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The algorithm of self-distillation policy optimization (arXiv 2601.20802) as pure functions of tensors and text."""

from .reprompt import build_teacher_messages
from .self_distillation import self_distillation_loss

__all__ = ["build_teacher_messages", "self_distillation_loss"]
