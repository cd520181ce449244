# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Arguments that a call changed, changed likewise on the caller's side."""

import sys
from collections import deque
from typing import Any


def write_back(old: Any, new: Any) -> Any:
    """Gives ``old`` the contents of ``new``, in place wherever both are of one kind; returns what then stands for it.

    An object in ``old`` that is in the same place in ``new``, by index or key, stays the same object, so that others
    who hold it see the change.
    """
    for kind, update in _UPDATES.items():
        if isinstance(old, kind) and isinstance(new, kind):
            return update(old, new)
    numpy = sys.modules.get("numpy")
    are_arrays = numpy is not None and isinstance(old, numpy.ndarray) and isinstance(new, numpy.ndarray)
    if are_arrays and old.shape == new.shape and old.dtype == new.dtype:
        old[...] = new
        return old
    return new


def _merged(old: Any, new: Any) -> list:
    """The items of ``new``, with those of ``old`` at the same index where they can stay."""
    return [write_back(before, after) for before, after in zip(old, new)] + list(new)[len(old) :]


def _update_sequence(old: Any, new: Any) -> Any:
    items = _merged(old, new)
    old.clear()
    old.extend(items)
    return old


def _update_dict(old: dict, new: dict) -> dict:
    items = {key: write_back(old[key], value) if key in old else value for key, value in new.items()}
    old.clear()
    old.update(items)
    return old


def _update_set(old: set, new: set) -> set:
    old.clear()
    old.update(new)
    return old


def _update_tuple(old: tuple, new: tuple) -> tuple:
    items = tuple(_merged(old, new))
    # Where nothing but the contents of items changed it is the tuple that others hold.
    return old if len(old) == len(items) and all(map(_is_same, old, items)) else items


def _is_same(one: Any, other: Any) -> bool:
    return one is other or (isinstance(one, int | float | str | bytes) and type(one) is type(other) and one == other)


_UPDATES = {
    list: _update_sequence,
    deque: _update_sequence,
    bytearray: _update_sequence,
    dict: _update_dict,
    set: _update_set,
    tuple: _update_tuple,
}
