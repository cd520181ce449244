# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The configuration of SDPO: its options, its Hydra files and the checks before a run."""

from verl_sdpo.config.self_distillation import SelfDistillationConfig, flat_defaults

__all__ = ["SelfDistillationConfig", "flat_defaults"]
