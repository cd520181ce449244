# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Files and modules of a user's that register rewards as they are loaded."""

import importlib
import importlib.util
import os
import threading
import zlib
from collections.abc import Iterable
from types import ModuleType

_LOCK = threading.Lock()
_LOADED: set[str] = set()


def load_reward_modules(names: Iterable[str]) -> None:
    """Load what has not been loaded in this process.

    Args:
        names: paths of Python files (``/rewards/mine.py``) and names of importable modules (``mine.rewards``, or as
            verl writes them ``pkg://mine.rewards``); one of them may also stand by itself.

    Raises:
        ValueError: a file or module is not there, or raises an error as it is loaded.
    """
    for name in (names,) if isinstance(names, str) else names:
        if name not in _LOADED:
            with _LOCK:
                # Another thread may have been faster.
                if name not in _LOADED:
                    load_module(name)
                    _LOADED.add(name)


def load_module(name: str) -> ModuleType:
    """One such file or module.

    Raises:
        ValueError: it is not there, or raises an error as it is loaded.
    """
    try:
        return _run_file(name) if name.endswith(".py") else importlib.import_module(name.removeprefix("pkg://"))
    except Exception as error:
        raise ValueError(f"{name!r} cannot be loaded: {type(error).__name__}: {error}") from error


def _run_file(name: str) -> ModuleType:
    path = os.path.abspath(os.path.expanduser(name))
    # A name that no other file has: two files called rewards.py are two modules.
    spec = importlib.util.spec_from_file_location(f"reward_module_{zlib.crc32(path.encode()):08x}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
