# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Scores of benchmarks that a run's final model was evaluated on, from the JSON files in its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verl_sdpo.reports.curves import NotThereError

# Where a run's evaluations lie, in its folder.
FOLDER = "evaluation"


@dataclass(frozen=True)
class _Source:
    """Where a benchmark's number is in a file of lm-evaluation-harness: task, and the first of these metrics."""

    task: str
    metrics: tuple[str, ...]
    scale: float = 100.0


# The numbers of the paper's Table 5; ArenaHard's are percentages, the others fractions.
_LM_EVAL = {
    "ifeval": _Source("ifeval", ("prompt_level_strict_acc,none", "prompt_level_strict_acc")),
    "mmlu_pro": _Source("mmlu_pro", ("exact_match,custom-extract", "exact_match")),
    "arena_hard_hard": _Source("arena_hard_hard", ("score,none", "score"), scale=1.0),
    "arena_hard_creative": _Source("arena_hard_creative", ("score,none", "score"), scale=1.0),
}
# Of verl_sdpo.evaluate: the data source's name has one of these parts.
_LIVECODEBENCH = ("livecodebench", "lcb")


def score_of(folder: Path, benchmark: str) -> float:
    """In percent, from the file with the last name that has the benchmark; lm-evaluation-harness names them by time.

    Raises:
        NotThereError: no file has it.
    """
    for path in sorted((folder / FOLDER).glob("**/results*.json"), reverse=True):
        content = _read(path)
        score = _of_ours(content) if benchmark == "livecodebench" else _of_lm_eval(content, _LM_EVAL[benchmark])
        if score is not None:
            return score
    raise NotThereError(f"{benchmark} not evaluated")


def _of_lm_eval(content: Mapping[str, Any], source: _Source) -> float | None:
    scores = _mapping(_mapping(content.get("results")).get(source.task))
    found = [scores[metric] for metric in source.metrics if isinstance(scores.get(metric), int | float)]
    return source.scale * found[0] if found else None


def _of_ours(content: Mapping[str, Any]) -> float | None:
    """avg@n of the one data source that is LiveCodeBench."""
    for name, numbers in _mapping(content.get("data_sources")).items():
        averages = [value for key, value in _mapping(numbers).items() if key.startswith("avg@")]
        if any(part in name for part in _LIVECODEBENCH) and averages and averages[0]["value"] is not None:
            return 100 * averages[0]["value"]
    return None


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return _mapping(json.loads(path.read_text(encoding="utf-8")))
    except ValueError:
        raise NotThereError(f"{path.name} is not JSON") from None
