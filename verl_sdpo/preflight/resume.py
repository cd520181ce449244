# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a run would resume from, as far as folders and the tracker's file tell."""

from __future__ import annotations

import os
import re
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from verl_sdpo.checkpoint.manifest import NAME as MARK
from verl_sdpo.preflight.fault import Fault, Findings

TRACKER = "latest_checkpointed_iteration.txt"
_MODE, _PATH, _FOLDER = "trainer.resume_mode", "trainer.resume_from_path", "trainer.default_local_dir"
_FRESH = "set trainer.resume_mode=disable to start from scratch, or another trainer.default_local_dir"


def examine_resume(config: DictConfig) -> Findings:
    """A checkpoint that is named and is not there, or is not whole. The options themselves are the configuration's."""
    mode = OmegaConf.select(config, _MODE)
    if mode == "resume_path":
        return _of_path(OmegaConf.select(config, _PATH))
    if mode == "auto":
        return _of_tracker(Path(str(OmegaConf.select(config, _FOLDER))).absolute())
    return Findings()


def _of_path(path: object) -> Findings:
    if not isinstance(path, str) or re.search(r"global_step_\d+/?$", path) is None:
        return Findings()
    return _of_checkpoint(Path(path).absolute(), _PATH, f"{_PATH}={path!r}")


def _of_tracker(folder: Path) -> Findings:
    tracker = folder / TRACKER
    where = f"{_FOLDER}: {tracker}"
    steps = sorted(folder.glob("global_step_*"), key=lambda path: path.name)
    # Of checkpoints with a mark the run itself takes the newest whole one, whatever became of the tracker.
    is_marked = any((path / MARK).is_file() for path in steps)
    if not tracker.exists() and is_marked:
        return Findings()
    if not tracker.exists():
        notes = [f"{folder} holds {len(steps)} checkpoints and no {TRACKER}: verl starts from scratch"] if steps else []
        return Findings([], notes)
    try:
        text = tracker.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        return Findings([_fault(where, f"cannot be read ({error})", _FRESH)])
    if not re.fullmatch(r"\d+", text, re.ASCII) and is_marked:
        return Findings([], [f"{tracker} names no step: the newest whole checkpoint beside it counts"])
    if not re.fullmatch(r"\d+", text, re.ASCII):
        told = f"holds {text[:40]!r} where the number of a step was expected"
        there = ", ".join(path.name for path in steps) or "none"
        return Findings(
            [_fault(where, told, f"write the step of a whole checkpoint into it (there: {there}), or {_FRESH}")]
        )
    return _of_checkpoint(folder / f"global_step_{text}", where, f"names step {text}")


def _of_checkpoint(folder: Path, where: str, told: str) -> Findings:
    if not folder.is_dir():
        there = ", ".join(sorted(path.name for path in folder.parent.glob("global_step_*"))) or "none"
        problem = f"{told}, and there is no folder {folder} (checkpoints there: {there})"
        return Findings([_fault(where, problem, f"name one that is there, or {_FRESH}")])
    if not (folder / "actor").is_dir() or not any((folder / "actor").iterdir()):
        return Findings([_fault(where, f"{told}, and {folder} holds no actor", f"name a whole one, or {_FRESH}")])
    warnings = []
    if not (folder / "data.pt").is_file():
        problem = f"{told}, and {folder} holds no data.pt: the data would begin anew"
        warnings.append(Fault("resume", where, problem, "name another checkpoint if that matters", is_fatal=False))
    return Findings(warnings, [f"the run resumes from {os.fspath(folder)}"])


def _fault(where: str, problem: str, remedy: str) -> Fault:
    return Fault("resume", where, problem, remedy)
