# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""verl's FSDP actor configuration with SDPO's options, for verl's dataclass conversion (`_target_`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import OmegaConf
from verl.workers.config import FSDPActorConfig

from verl_sdpo.config import SelfDistillationConfig


@dataclass
class SdpoActorConfig(FSDPActorConfig):
    """`FSDPActorConfig` plus `self_distillation`, given as the flat mapping of the run's configuration."""

    self_distillation: Any = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        options = self.self_distillation
        if not isinstance(options, SelfDistillationConfig):
            plain = OmegaConf.to_container(options, resolve=True) if OmegaConf.is_config(options) else dict(options)
            object.__setattr__(self, "self_distillation", SelfDistillationConfig.from_flat(plain))
