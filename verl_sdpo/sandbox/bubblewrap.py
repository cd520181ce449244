# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Runs programs on this machine as ``LocalSandbox`` does, with the namespaces made by bubblewrap (``bwrap``).

For machines that let an installed bubblewrap make namespaces and nobody else, e.g. by AppArmor. The system-call filter,
file rules, limits and user id are put on inside of it as ever.
"""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from verl_sdpo.sandbox.inside import INSIDE
from verl_sdpo.sandbox.interpreter import InterpreterDied, WarmInterpreter, locations
from verl_sdpo.sandbox.layers import Layers, SandboxRefused
from verl_sdpo.sandbox.local import LocalSandbox

_PROGRAM = "bwrap"
# Without --die-with-parent: the parent would be the thread that starts it, and threads of pools come and go. The
# interpreter ends with its socket; ``WarmInterpreter.close`` ends the group. Without --new-session, which would take
# bubblewrap's processes out of that group; there is no terminal that they could type into.
_NAMESPACES = ("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try")
# The superuser's: to give programs another user id, which must not need a user namespace with one id only, and then to
# end them, to empty their directory, and to let them read a library in somebody's home.
_CAPABILITIES = ("SETUID", "SETGID", "KILL", "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH")
_SYSTEM_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
_TEXTS = ("/etc/localtime", "/usr/share/zoneinfo", "/etc/ld.so.cache")
_DEVICES = ("/dev/null", "/dev/urandom", "/dev/random", "/dev/zero")


class BubblewrapSandbox(LocalSandbox):
    """Programs in processes of this machine, inside of bubblewrap."""

    def _first_interpreter(self) -> WarmInterpreter:
        try:
            return self._new_interpreter()
        except InterpreterDied as error:
            raise SandboxRefused(
                f"bubblewrap does not work on this machine ({error}): it needs user namespaces or the superuser's "
                "rights. Use sandbox backend=local, which needs neither, or sandbox_fusion"
            ) from error

    def _start_interpreter(self) -> WarmInterpreter:
        packages = self._settings.warm_packages()
        program = shutil.which(_PROGRAM)
        if program is None:
            raise SandboxRefused(
                f"sandbox backend=bubblewrap: there is no {_PROGRAM} on PATH. Install the package bubblewrap, or use "
                "backend=local or sandbox_fusion"
            )
        directories = package_directories(packages)
        is_superuser = os.geteuid() == 0
        return WarmInterpreter(
            packages,
            use_namespaces=False,
            wrap=lambda scratch: command(program, scratch, directories, is_superuser=is_superuser),
        )

    def _layers_of(self, interpreter: WarmInterpreter) -> Layers:
        # bubblewrap runs nothing where it cannot make them.
        return super()._layers_of(interpreter)._replace(namespaces=True, by_bubblewrap=True)


def command(program: str, scratch: str, packages: Sequence[str], *, is_superuser: bool) -> list[str]:
    """What comes before the interpreter's own command.

    Args:
        program: path of bubblewrap.
        scratch: the only directory in which anything can be written.
        packages: directories of packages that programs may import.
        is_superuser: the caller is.
    """
    parts = [program, *_NAMESPACES]
    if is_superuser:
        parts += ["--cap-drop", "ALL", *(part for name in _CAPABILITIES for part in ("--cap-add", f"CAP_{name}"))]
    else:
        parts.append("--unshare-user")
    parts += [part for step in _tree(scratch, packages) for part in step]
    return [*parts, "--chdir", "/", "--"]


def package_directories(names: Sequence[str]) -> list[str]:
    """The directories of installed packages, with those of the shared libraries that wheels keep beside them."""
    found = [f"{place}/{name}" for name, place in locations(names).items()]
    return [path + end for path in found for end in ("", ".libs")]


def _tree(scratch: str, packages: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The steps that make the file tree: Python, libraries, the sandbox's own code, and the temporary directory."""
    libraries = _python_libraries()
    roots = [*_SYSTEM_LIBRARIES, *dict.fromkeys(os.path.dirname(path) for path in libraries)]
    hidden = [f"{path}/{name}" for path in libraries for name in ("site-packages", "dist-packages")]
    hidden = [path for path in hidden if os.path.isdir(path)]
    binds = [*packages, str(INSIDE)]
    # Directories that bubblewrap makes on its way to a bind are its user's alone, and programs may be another's.
    for path in _parents(
        [*roots, *_TEXTS, *_DEVICES, *binds, sys.executable, os.path.realpath(sys.executable), scratch]
    ):
        if not any(path.startswith(f"{root}/") for root in roots):
            yield "--dir", path
    for path in (*roots, *_TEXTS):
        yield "--ro-bind-try", path, path
    for path in hidden:
        yield "--tmpfs", path
    for path in _parents(binds):
        if path.startswith(tuple(f"{place}/" for place in hidden)):
            yield "--dir", path
    yield from _executable()
    for path in binds:
        yield "--ro-bind-try", path, path
    for path in _DEVICES:
        yield "--dev-bind-try", path, path
    yield "--proc", "/proc"
    yield "--bind", scratch, scratch
    # What bubblewrap makes itself can be written to otherwise.
    for path in (*hidden, "/"):
        yield "--remount-ro", path


def _parents(paths: Iterable[str]) -> list[str]:
    """The directories on the way to some paths, each after those that it is in; the root left out."""
    return sorted({str(parent) for path in paths for parent in Path(path).parents if parent.name})


def _python_libraries() -> list[str]:
    """The directories of the standard library: one, or two where a system keeps built modules apart."""
    built = f"{sys.base_exec_prefix}/{sys.platlibdir}/python{sys.version_info.major}.{sys.version_info.minor}"
    found = [os.path.dirname(os.__file__), built]
    return [path for path in dict.fromkeys(found) if os.path.isdir(path)]


def _executable() -> Iterator[tuple[str, ...]]:
    """The interpreter, under the name that it was started by too, next to which it looks for its environment."""
    real, named = os.path.realpath(sys.executable), sys.executable
    yield "--ro-bind", real, real
    if named != real:
        yield "--symlink", real, named
    for place in (Path(named).parent, Path(named).parent.parent):
        yield "--ro-bind-try", str(place / "pyvenv.cfg"), str(place / "pyvenv.cfg")
