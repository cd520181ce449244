# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""How programs are isolated: which backend, and which layers it must have."""

import os
from dataclasses import dataclass

BACKENDS = ("local", "bubblewrap", "sandbox_fusion")
# Layers that a configuration can require; the others are always required or cannot be missing.
REQUIRABLE = ("filesystem", "namespaces", "landlock", "user")


@dataclass(frozen=True)
class SandboxSettings:
    """Settings of a sandbox."""

    # local: processes on this machine. bubblewrap: the same inside of bubblewrap. sandbox_fusion: a server.
    backend: str = "local"
    # Layers without which no program is run. filesystem: Landlock or a file tree of its own, either will do.
    required: tuple[str, ...] = ("filesystem",)
    # Programs that run at once in this process; null: one for each processor that it may use.
    num_slots: int | None = None
    # Installed packages that programs may import, besides the standard library.
    packages: tuple[str, ...] = ("numpy",)
    # Address of the server, for sandbox_fusion.
    url: str | None = None

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise ValueError(f"sandbox backend {self.backend!r} is not one of {', '.join(BACKENDS)}")
        if unknown := [name for name in self.required if name not in REQUIRABLE]:
            raise ValueError(f"sandbox required {unknown} are no layers; choose from {', '.join(REQUIRABLE)}")
        if self.num_slots is not None and (isinstance(self.num_slots, bool) or self.num_slots < 1):
            raise ValueError(f"sandbox num_slots {self.num_slots!r} must be at least 1, or null")
        if (self.url is None) == (self.backend == "sandbox_fusion"):
            raise ValueError(f"sandbox url {self.url!r} does not go with backend {self.backend}: give it for a server")

    def slots(self) -> int:
        """How many programs run at once."""
        return self.num_slots or len(os.sched_getaffinity(0))
