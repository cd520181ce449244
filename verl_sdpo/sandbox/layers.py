# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Which layers of isolation are in force, what they mean, and the refusal where a required one is missing."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class SandboxRefused(ValueError):
    """No program is run: a layer that the settings require is missing, or the machine cannot isolate at all."""


class Layers(NamedTuple):
    """What stands between a program and this machine. A system-call filter and limits are always in force."""

    # Own process, network, mount, IPC and host-name namespaces, with a file tree that has only Python's library.
    namespaces: bool
    # Version of the kernel's Landlock interface in use; 0 for none.
    landlock: int
    # User id that programs have, if another than this process's.
    user: int | None
    # Why there are no namespaces; empty where there are.
    namespaces_error: str = ""
    # What runs programs in place of this machine.
    server: str = ""
    # The namespaces are bubblewrap's.
    by_bubblewrap: bool = False

    def in_force(self) -> frozenset[str]:
        """Names of the layers that can be required."""
        found = {
            "namespaces": self.namespaces,
            "landlock": self.landlock > 0,
            "user": self.user is not None,
            "filesystem": self.namespaces or self.landlock > 0,
        }
        return frozenset(name for name, is_on in found.items() if is_on)

    def __str__(self) -> str:
        if self.server:
            return f"programs run at {self.server}, which isolates them"
        by = " by bubblewrap" if self.by_bubblewrap else ""
        parts = [
            "system-call filter, limits, process of its own",
            f"namespaces{by} (processes, network, files, IPC)" if self.namespaces else "NO namespaces",
            f"Landlock {self.landlock}" if self.landlock else "NO Landlock",
            f"user {self.user}" if self.user is not None else "the caller's user without privileges",
        ]
        return "; ".join(parts)


def layers_from(reported: Mapping[str, Any]) -> Layers:
    """The layers that a warm interpreter reported."""
    return Layers(
        bool(reported.get("namespaces")),
        int(reported.get("landlock", 0)),
        reported.get("user"),
        reported.get("namespaces_error", ""),
    )


_MEANING = {
    "filesystem": "a program could read any file that this process can, e.g. the tests' answers",
    "namespaces": "a program would share this machine's process and network tables, behind the system-call filter",
    "landlock": "files would be kept from a program by namespaces alone",
    "user": "a program would have this process's user id, though no privileges",
}
_REMEDY = {
    "filesystem": "allow user namespaces (e.g. docker run --security-opt seccomp=unconfined) or a kernel with Landlock",
    "namespaces": "allow user namespaces (e.g. docker run --security-opt seccomp=unconfined)",
    "landlock": "use a kernel from 5.13 on with Landlock switched on",
    "user": "run as the superuser, who may give programs another id",
}


def check_layers(layers: Layers, required: Iterable[str]) -> None:
    """Refuses to run programs where a required layer is missing.

    Raises:
        SandboxRefused: what is missing, what that means, and the ways out.
    """
    for name in required:
        if name not in layers.in_force():
            why = f" (no namespaces: {layers.namespaces_error})" if layers.namespaces_error else ""
            raise SandboxRefused(
                f"the sandbox lacks the required layer {name!r}{why}: {_MEANING[name]}. In force: {layers}. Either "
                f"{_REMEDY[name]}, or run programs on a server with sandbox backend=sandbox_fusion, or leave {name!r} "
                "out of the sandbox's 'required' to accept this."
            )
