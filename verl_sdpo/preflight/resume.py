# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a run would resume from, by the run's own rules (`verl_sdpo.checkpoint`), and whether it is the same run.

Marks, presence and sizes of files are checked here; their checksums when the run starts, since that reads all of them.
Nothing on the disk is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from verl_sdpo.checkpoint.facts import changes, remedy
from verl_sdpo.checkpoint.manifest import CheckpointError
from verl_sdpo.checkpoint.store import CheckpointStore, Choice, choose_given
from verl_sdpo.preflight.fault import Fault, Findings

_MODE, _PATH, _FOLDER = "trainer.resume_mode", "trainer.resume_from_path", "trainer.default_local_dir"
_ACCEPT = "trainer.resume_accept_changes"
_FRESH = f"set {_MODE}=disable to start from scratch"


def examine_resume(config: DictConfig, tokenizer: Any = None) -> Findings:
    """Checkpoints that are damaged, incomplete or of another run; what a run starts from otherwise.

    Args:
        tokenizer: the run's; None where it could not be loaded: then what it says is compared when the run starts.
    """
    mode = OmegaConf.select(config, _MODE)
    # The options themselves are the configuration's.
    if mode == "resume_path" and isinstance(path := OmegaConf.select(config, _PATH), str):
        return _chosen(config, _PATH, lambda: choose_given(Path(path).absolute(), contents=False), tokenizer)
    if mode != "auto":
        return Findings()
    store = CheckpointStore(Path(str(OmegaConf.select(config, _FOLDER))).absolute())
    findings = _chosen(config, _FOLDER, lambda: store.choose(tidy=False, contents=False), tokenizer)
    if (waiting := store.interrupted()) and findings.fatal():
        problem = f"{', '.join(map(str, waiting))}: a save was interrupted; the run finishes it, then chooses anew"
        told = [Fault("resume", f.where, f.problem, f.remedy, is_fatal=False) for f in findings.faults]
        told.append(Fault("resume", _FOLDER, problem, f"if it is refused then, {_FRESH}", is_fatal=False))
        return Findings(told, findings.notes)
    return findings


def _chosen(config: DictConfig, key: str, choose: Callable[[], Choice], tokenizer: Any) -> Findings:
    try:
        choice = choose()
    except CheckpointError as error:
        return Findings([_refusal(key, "; ".join(str(error).splitlines()).replace(":; ", ": "))])
    if choice.folder is None:
        return Findings([], list(choice.notes))
    # What cannot be used although it is newer is worth a warning; the rest is for the log.
    warnings = [
        Fault("resume", key, note, f"the run resumes from {choice.folder.name} instead", is_fatal=False)
        for note in choice.notes
        if "cannot be used" in note
    ]
    notes = [note for note in choice.notes if "cannot be used" not in note]
    findings = Findings(warnings, [*notes, f"the run resumes from {choice.folder}, if its checksums are right"])
    findings += _compared(config, choice, tokenizer)
    return findings


def _refusal(key: str, text: str) -> Fault:
    # Most of the store's messages end with what to set.
    problem, is_told, way = text.rpartition(": set ")
    if is_told:
        return Fault("resume", key, problem, f"set {way}")
    return Fault("resume", key, text, f"name a whole one, or {_FRESH}")


def _compared(config: DictConfig, choice: Choice, tokenizer: Any) -> Findings:
    """What must be the same and is not, as far as it is known before the data are filtered."""
    from verl_sdpo.trainer.run_facts import run_facts

    if choice.manifest is None:
        return Findings()
    now = run_facts(config, tokenizer, num_rows=None)
    # verl sets it with the data loader, where prompts are drawn one by one.
    now["data"].pop("gen_batch_size")
    accepted = list(OmegaConf.select(config, _ACCEPT) or [])
    found = changes(choice.manifest.facts, now)
    way = remedy([fact for fact in found if fact not in accepted], accepted, now)
    faults = [
        Fault("resume", _ACCEPT, f"{choice.folder} is of another run: {line}", f"{way}; or {_FRESH}")
        for fact, lines in found.items()
        for line in lines
        if fact not in accepted
    ]
    notes = [f"accepted: {line}" for fact, lines in found.items() for line in lines if fact in accepted]
    return Findings(faults, notes)
