# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Scores of benchmarks that a run's final model was evaluated on, from the JSON files in its folder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verl_sdpo.reports.curves import NotThereError
from verl_sdpo.reports.history import is_number

# Where they lie, in a run's folder: recipe/forgetting writes into the second.
FOLDERS = ("harness", "evaluation")
# Task of lm-evaluation-harness, and of its metrics the first that is there, a fraction. The paper does not say which of
# IFEval's it has; this is the strict one of whole prompts.
_LM_EVAL = {
    "ifeval": ("ifeval", ("prompt_level_strict_acc,none", "prompt_level_strict_acc")),
    "mmlu_pro": ("mmlu_pro", ("exact_match,custom-extract", "exact_match")),
}
# ArenaHard's own program prints percentages and writes no file: {"hard": ..., "creative": ...}, written by hand.
_ARENA_HARD = {"arena_hard_hard": "hard", "arena_hard_creative": "creative"}
# Of verl_sdpo.evaluate: the data source's name has one of these parts.
_LIVECODEBENCH = ("livecodebench", "lcb")
_AVERAGE = re.compile(r"avg@(\d+)")


@dataclass(frozen=True)
class Score:
    """Of a benchmark, in percent."""

    value: float
    # The n of an avg@n, where it is one.
    answers: int | None = None


def score_of(folder: Path, benchmark: str) -> Score:
    """From the file with the last name that has the benchmark; lm-evaluation-harness names them by time.

    A score that is no finite number is none.

    Raises:
        NotThereError: no file has it.
    """
    pattern = "**/arena_hard.json" if benchmark in _ARENA_HARD else "**/results*.json"
    paths = [path for name in FOLDERS for path in (folder / name).glob(pattern)]
    for path in sorted(paths, key=lambda path: path.name, reverse=True):
        score = _score(_read(path), benchmark)
        if score is not None:
            return score
    raise NotThereError(f"{benchmark} not evaluated")


def _score(content: Mapping[str, Any], benchmark: str) -> Score | None:
    if benchmark in _ARENA_HARD:
        score = content.get(_ARENA_HARD[benchmark])
        return Score(float(score)) if is_number(score) else None
    if benchmark == "livecodebench":
        return _of_ours(content)
    task, metrics = _LM_EVAL[benchmark]
    scores = _mapping(_mapping(content.get("results")).get(task))
    found = [scores[metric] for metric in metrics if is_number(scores.get(metric))]
    return Score(100 * found[0]) if found else None


def _of_ours(content: Mapping[str, Any]) -> Score | None:
    """avg@n of the one data source that is LiveCodeBench."""
    for name, numbers in _mapping(content.get("data_sources")).items():
        for key, told in _mapping(numbers).items():
            value, kind = _mapping(told).get("value"), _AVERAGE.fullmatch(key)
            if any(part in name for part in _LIVECODEBENCH) and kind and is_number(value):
                return Score(100 * value, int(kind[1]))
    return None


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return _mapping(json.loads(path.read_text(encoding="utf-8")))
    except ValueError:
        raise NotThereError(f"{path.name} is not JSON") from None
