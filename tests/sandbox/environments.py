# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The corpora's verdicts in other environments than this one: made of the kernel's own refusals, not of settings.

python -m tests.sandbox.environments NAME [PROGRAM ...] prints a JSON object: the layers, and the verdict of each
program. It must be started as the superuser; it changes its own process first.

root                as it is
plain_user          another user without privileges; where the interpreter is in somebody's home, a copy of it is used
without_namespaces  the kernel refuses unshare, mount and clone with new namespaces, as in a container
without_landlock    the kernel has no Landlock
"""

import ctypes
import errno
import json
import os
import shutil
import stat
import struct
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
NAMES = ("root", "plain_user", "without_namespaces", "without_landlock")
PLAIN_USER = 65534
_THREADS = 4


class Ran(NamedTuple):
    """What an environment said."""

    layers: str
    verdicts: dict[str, str]


def why_not_here() -> str:
    """Why other environments cannot be made on this machine; empty where they can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "environments are made by the superuser, on Linux"
    return ""


def run_in(name: str, programs: list[str], timeout: float = 1200.0) -> Ran:
    """The verdicts of some programs of the corpora, or of all where none are named."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        python, path = _usable_by_all(Path(folder)) if name == "plain_user" else (sys.executable, [str(ROOT)])
        command = [python, "-m", "tests.sandbox.environments", name, *programs]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            command, cwd=path[0], env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )
    if done.returncode != 0:
        raise RuntimeError(f"environment {name}: {done.stderr[-2000:]}")
    return Ran(**json.loads(done.stdout))


def _usable_by_all(folder: Path) -> tuple[str, list[str]]:
    """An interpreter that any user may start, and where the tests and the packages they need are for it."""
    shutil.copytree(ROOT / "verl_sdpo", folder / "verl_sdpo", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests" / "sandbox", folder / "tests" / "sandbox")
    shutil.copy(ROOT / "tests" / "__init__.py", folder / "tests")
    packages = sysconfig.get_path("purelib")
    if not _is_open(Path(packages)):
        (folder / "packages").mkdir()
        for name in ("numpy", "numpy.libs", "sympy", "mpmath", "math_verify", "latex2sympy2_extended", "antlr4"):
            if (Path(packages) / name).is_dir():
                shutil.copytree(Path(packages) / name, folder / "packages" / name)
        packages = str(folder / "packages")
    python = os.path.realpath(sys.executable)
    if not _is_open(Path(python)):
        library = Path(os.__file__).parent
        left_out = shutil.ignore_patterns("site-packages", "test", "__pycache__", "idlelib", "config-*")
        shutil.copytree(library, folder / "python" / "lib" / library.name, ignore=left_out, symlinks=True)
        (folder / "python" / "bin").mkdir()
        python = shutil.copy2(python, folder / "python" / "bin")
        for shared in Path(sysconfig.get_config_var("LIBDIR") or "/none").glob("libpython*.so*"):
            shutil.copy2(shared, folder / "python" / "lib")
    return python, [str(folder), packages]


def _is_open(path: Path) -> bool:
    """Whether anybody may read a path: it and all that it is in."""
    modes = ((each.stat().st_mode, stat.S_IXOTH if each.is_dir() else stat.S_IROTH) for each in (path, *path.parents))
    return all(mode & needed for mode, needed in modes)


def become_plain_user() -> None:
    """Gives up the superuser's identity, for good."""
    os.setgroups([])
    os.setresgid(PLAIN_USER, PLAIN_USER, PLAIN_USER)
    os.setresuid(PLAIN_USER, PLAIN_USER, PLAIN_USER)


def refuse_calls(problem: int, numbers: list[int], clone: int | None = None) -> None:
    """Makes the kernel refuse some system calls to this process and its children, and new namespaces by clone."""
    load, equal, any_bit, give = 0x20, 0x15, 0x45, 0x06
    refused, allowed = 0x00050000 | problem, 0x7FFF0000
    steps = [(load, 0, 0, 0)]
    for number in numbers:
        steps += [(equal, 0, 1, number), (give, 0, 0, refused)]
    if clone is not None:
        steps += [(equal, 0, 3, clone), (load, 0, 0, 16), (any_bit, 0, 1, 0x7E020000), (give, 0, 0, refused)]
    steps.append((give, 0, 0, allowed))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    # Without PR_SET_NO_NEW_PRIVS, as a container's runtime does it.
    if libc.prctl(22, 2, program, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the filter was refused")


def _change(name: str) -> None:
    machine = {"x86_64": 0, "aarch64": 1}[os.uname().machine]
    calls = {"unshare": (272, 97), "mount": (165, 40), "clone": (56, 220), "landlock": (444, 444)}
    numbers = {call: each[machine] for call, each in calls.items()}
    if name == "plain_user":
        become_plain_user()
    elif name == "without_namespaces":
        refuse_calls(errno.EPERM, [numbers["unshare"], numbers["mount"]], numbers["clone"])
    elif name == "without_landlock":
        refuse_calls(errno.ENOSYS, [numbers["landlock"], numbers["landlock"] + 1, numbers["landlock"] + 2])


def main(name: str, wanted: list[str]) -> None:
    """Becomes the environment and judges the programs in it."""
    _change(name)
    from tests.sandbox.judge import judge
    from tests.sandbox.programs import attack_programs, correct_programs, missing_needs
    from verl_sdpo.sandbox import LocalSandbox, SandboxSettings

    sandbox = LocalSandbox(SandboxSettings())
    programs = [
        each
        for each in correct_programs() + attack_programs()
        if not missing_needs(each.spec) and (not wanted or each.id in wanted)
    ]
    with ThreadPoolExecutor(_THREADS) as pool:
        judged = pool.map(lambda program: judge(sandbox, program), programs)
        told = [f"{each.verdict}{' ESCAPED' if each.has_escaped else ''}" for each in judged]
    verdicts = dict(zip((program.id for program in programs), told, strict=True))
    print(json.dumps({"layers": str(sandbox.layers()), "verdicts": verdicts}))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
