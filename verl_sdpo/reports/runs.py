# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The runs below some folders."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from verl_sdpo.reports.history import History, UnreadableError, combine
from verl_sdpo.reports.identity import Identity, configured_generations, read_identity
from verl_sdpo.reports.sources import NOT_SEARCHED, file_logs, read_records

UNKNOWN = "unknown"
UNFINISHED = ("running", "failed")


@dataclass(frozen=True)
class Run:
    """One run: who it is, how far it came, what it logged."""

    identity: Identity
    folder: Path
    # running, finished, failed, as its status.json says; unknown without one.
    state: str = UNKNOWN
    history: History = field(default_factory=dict)
    # As configured; known where the run did not log how many it made.
    generations_per_step: int | None = None
    # A test-time run's results.json.
    results: dict[str, Any] | None = None
    remarks: tuple[str, ...] = ()

    @property
    def is_unfinished(self) -> bool:
        return self.state in UNFINISHED


def find_runs(paths: Iterable[Path]) -> tuple[list[Run], list[str]]:
    """All runs in and below `paths`, in the order of their identities, and one line for each that was refused.

    Raises:
        UnreadableError: two folders say that they are the same run.
    """
    runs: dict[Identity, Run] = {}
    refused = []
    for folder in run_folders(paths):
        try:
            run = read_run(folder)
        except (UnreadableError, OSError) as error:
            refused.append(str(error))
            continue
        if run.identity in runs:
            other = runs[run.identity].folder
            raise UnreadableError(f"{other} and {folder} are both {run.identity}: give one, or correct a run.json")
        runs[run.identity] = run
    return [runs[identity] for identity in sorted(runs)], refused


def run_folders(paths: Iterable[Path]) -> list[Path]:
    """The folders that hold a run: with a run.json, or a log."""
    found: dict[Path, None] = {}
    for path in paths:
        for folder, below, _ in os.walk(path):
            below[:] = sorted(set(below) - NOT_SEARCHED)
            if _is_run(Path(folder)):
                found[Path(folder)] = None
                below.clear()
    return list(found)


def read_run(folder: Path) -> Run:
    """The run in `folder`.

    Raises:
        UnreadableError: what it is cannot be told, or its log not be read.
    """
    records, remarks = read_records(folder)
    history = combine(records)
    return Run(
        identity=read_identity(folder, history),
        folder=folder,
        state=str(_json(folder / "status.json").get("state", UNKNOWN)),
        history=history,
        generations_per_step=None if "budget/generations" in history else configured_generations(folder),
        results=_results(folder / "results.json"),
        remarks=tuple(remarks),
    )


def _is_run(folder: Path) -> bool:
    # Event files may lie deeper in a folder with a run.json; alone they make a run of the folder that they lie in.
    logs = ("events.out.tfevents.*", "run-*.wandb")
    return (folder / "run.json").is_file() or bool(file_logs(folder)) or any(any(folder.glob(each)) for each in logs)


def _results(path: Path) -> dict[str, Any] | None:
    """A test-time run's; None where there are none yet."""
    found = _json(path)
    if not found:
        return None
    try:
        questions = [(result["first_success"], result["generations"]) for result in found["questions"].values()]
        is_whole = isinstance(found["budget"], int) and all(isinstance(made, int) for _, made in questions)
    except (AttributeError, KeyError, TypeError):
        is_whole = False
    if not is_whole:
        raise UnreadableError(f"{path}: not what verl_sdpo.test_time writes: budget, and questions with their results")
    return found


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UnreadableError(f"{path}: not JSON ({error})") from error
    if not isinstance(found, dict):
        raise UnreadableError(f"{path}: not a JSON object")
    return found
