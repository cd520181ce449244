# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What an interpreter has in memory before it forks, and the files that programs may still read afterwards."""

import importlib
import os
import site
import sys

# What solutions import; everything else of the standard library is read when it is imported.
_WARM = """
abc argparse array ast asyncio atexit base64 bisect calendar cmath codecs collections concurrent.futures contextlib
copy ctypes dataclasses datetime decimal enum fractions functools gc hashlib heapq inspect io itertools json keyword
linecache locale logging math numbers operator pickle platform pprint queue random re resource secrets select selectors
shutil signal socket statistics string struct subprocess tempfile textwrap threading time timeit token tokenize
traceback types typing unicodedata uuid warnings weakref zlib
""".split()
LIBRARY = os.path.dirname(os.__file__)
_SYSTEM_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
_DEVICES = ("/dev/null", "/dev/urandom", "/dev/random", "/dev/zero")
_TEXTS = ("/etc/localtime", "/usr/share/zoneinfo", "/etc/ld.so.cache")


def load(packages: dict[str, str]) -> list[str]:
    """Imports what programs import.

    Args:
        packages: installed packages by name, with the directory that holds each.

    Returns:
        The directories of those packages.
    """
    for name in _WARM:
        importlib.import_module(name)
    # What ``site`` adds for everyone, which this interpreter starts without: exit() and quit().
    site.setquit()
    before = list(sys.path)
    sys.path += dict.fromkeys(packages.values())
    found = [os.path.dirname(importlib.import_module(name).__file__) for name in packages]
    sys.path[:] = before
    if "numpy" in packages:
        # Seeded from the system when it is imported; a verdict must be the same on repeat.
        sys.modules["numpy"].random.seed(0)
    return found


def readable_paths(packages: list[str]) -> list[str]:
    """Files and directories that programs may read: Python's own library without what is installed in it, packages."""
    paths = [f"{LIBRARY}/{name}" for name in sorted(os.listdir(LIBRARY)) if not name.endswith("-packages")]
    # Wheels keep their shared libraries beside the package.
    paths += [path + end for path in packages for end in ("", ".libs")]
    paths += [*_SYSTEM_LIBRARIES, *_DEVICES, *_TEXTS, *_loaded_libraries()]
    # By both names where one is a link: the new tree has no links.
    paths += [os.path.realpath(path) for path in paths]
    return [path for path in dict.fromkeys(paths) if os.path.exists(path)]


def forget_own_modules() -> None:
    """Programs may have modules of the same names."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if path != here]
    for name in [
        name for name, module in sys.modules.items() if (module.__dict__.get("__file__") or "").startswith(here)
    ]:
        del sys.modules[name]


def _loaded_libraries() -> list[str]:
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as file:
        paths = {line.split(None, 5)[5].strip() for line in file if "/" in line}
    return sorted(path for path in paths if ".so" in os.path.basename(path))
