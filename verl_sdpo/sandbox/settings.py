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
    # Layers without which no program is run; null: filesystem, which is Landlock or a file tree of its own, either will
    # do. Not for sandbox_fusion: what a server has cannot be seen from here.
    required: tuple[str, ...] | None = None
    # Programs that this process runs at once, here or at the server; null: one for each processor that it may use.
    num_slots: int | None = None
    # Installed packages that programs may import, besides the standard library; null: numpy. Not for sandbox_fusion:
    # programs import what the server has.
    packages: tuple[str, ...] | None = None
    # Address to which the server is sent programs, for sandbox_fusion: http(s)://.../run_code.
    url: str | None = None

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise ValueError(f"sandbox backend {self.backend!r} is not one of {', '.join(BACKENDS)}")
        if unknown := [name for name in self.required_layers() if name not in REQUIRABLE]:
            raise ValueError(f"sandbox required {unknown} are no layers; choose from {', '.join(REQUIRABLE)}")
        if self.num_slots is not None and (isinstance(self.num_slots, bool) or self.num_slots < 1):
            raise ValueError(f"sandbox num_slots {self.num_slots!r} must be at least 1, or null")
        if (self.url is None) == (self.backend == "sandbox_fusion"):
            raise ValueError(f"sandbox url {self.url!r} does not go with backend {self.backend}: give it for a server")
        if self.backend == "sandbox_fusion":
            self._check_server()

    def _check_server(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"sandbox url {self.url!r} must begin with http:// or https://")
        for name in ("required", "packages"):
            if getattr(self, name) is not None:
                raise ValueError(f"sandbox {name} {getattr(self, name)!r} has no effect on a server: leave it out")

    def required_layers(self) -> tuple[str, ...]:
        """Names of the layers without which no program is run."""
        return ("filesystem",) if self.required is None else self.required

    def warm_packages(self) -> tuple[str, ...]:
        """Names of the packages that the interpreters on this machine have."""
        return ("numpy",) if self.packages is None else self.packages

    def slots(self) -> int:
        """How many programs run at once."""
        return self.num_slots or len(os.sched_getaffinity(0))
