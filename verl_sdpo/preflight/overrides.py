# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Overrides that no configuration has a key for: all of them, each with the nearest key that there is.

Hydra stops at the first one, and knows no nearest.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

from omegaconf import DictConfig

from verl_sdpo.config.self_distillation import KEY
from verl_sdpo.preflight.fault import Fault

# How alike (difflib ratio, 0 to 1) a known key must be to be offered in an unknown one's place.
_LIKE_RATIO = 0.8
# The same for a key that was added with + to be taken for a slip.
_SLIP_RATIO = 0.85
_KEY = re.compile(r"(?P<sign>\+\+|\+|~)?(?P<key>[\w.\-]+)(?==|$)")


def unknown_override_faults(overrides: Iterable[str], config: DictConfig) -> list[Fault]:
    """Overrides without + whose key is not in the configuration as it is without any override."""
    known = set(keys_of(config))
    faults = []
    for override in overrides:
        match = _KEY.match(override)
        if match is None or match["sign"] in ("+", "++") or match["key"] in known or match["key"].startswith("hydra"):
            continue
        key = match["key"]
        near = nearest(key, known)
        remedy = f"did you mean {' or '.join(near)}?" if near else "see --cfg job for the keys that there are"
        if match["sign"] is None:
            remedy += f" (+{key}=... would add a key)"
        faults.append(Fault("config", key, f"{key} is not a key of the configuration", remedy))
    return faults


def added_key_warnings(overrides: Iterable[str], config: DictConfig) -> list[Fault]:
    """Keys that were added with + and look like a slip of one that there is. Nothing reads them, as a rule."""
    overrides = list(overrides)
    added = {match["key"] for match in map(_KEY.match, overrides) if match and (match["sign"] or "").startswith("+")}
    known = set(keys_of(config)) - added
    faults = []
    for key in sorted(added - known):
        siblings = [other for other in known if other.rpartition(".")[0] == key.rpartition(".")[0]]
        near = difflib.get_close_matches(key, siblings, n=1, cutoff=_SLIP_RATIO)
        if near:
            problem = f"{key} was added to the configuration, and is much like {near[0]}"
            faults.append(Fault("config", key, problem, f"if you meant {near[0]}, set that", is_fatal=False))
    return faults


def nearest(key: str, known: Iterable[str]) -> list[str]:
    """A few known keys like this one: as a whole, or by their last part where the path is wrong; SDPO's first."""
    known = list(known)
    found = difflib.get_close_matches(key, known, n=1, cutoff=_LIKE_RATIO)
    last = key.rpartition(".")[2]
    same_end = [other for other in known if other.rpartition(".")[2] == last]
    same_end.sort(key=lambda other: (not other.startswith(KEY), len(other)))
    return list(dict.fromkeys(found + same_end))[:3]


def keys_of(node: Any, prefix: str = "") -> list[str]:
    """Every key of the configuration, sections included, with dots."""
    if not isinstance(node, DictConfig) or node._is_none() or node._is_missing():
        return []
    keys = []
    for name in node:
        path = f"{prefix}{name}"
        keys.append(path)
        child = node._get_node(name)
        keys += keys_of(child, f"{path}.")
    return keys
