# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A run's folder of checkpoints: `global_step_<N>` and verl's tracker `latest_checkpointed_iteration.txt`.

At each instant of a save at least one checkpoint is complete and has its name, if there was one before:

1. everything is written into `.saving/global_step_<N>`;
2. each file is synced and hashed, then `COMPLETE.json` is written;
3. the folder is renamed to its place; one of that name, of an earlier run, has been renamed into `.saving`;
4. the tracker is replaced;
5. older ones go: renamed into `.saving`, then deleted.

`recover` finishes what a kill has interrupted after 2, and throws the rest away.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from verl_sdpo.checkpoint import manifest as manifests
from verl_sdpo.checkpoint.durable import sync_folder, write_whole
from verl_sdpo.checkpoint.manifest import CheckpointError, Manifest

TRACKER = "latest_checkpointed_iteration.txt"
STAGING = ".saving"
_STEP = re.compile(r"global_step_(\d+)")
_REPLACED = "replaced_"
_REMOVED = "removed_"


@dataclass(frozen=True)
class Entry:
    """A folder that has a checkpoint's name."""

    step: int
    folder: Path
    # None where it has no mark, or a damaged one: then a fault says so.
    manifest: Manifest | None
    # What is wrong with it, as far as names and sizes tell.
    faults: tuple[str, ...]

    @property
    def is_marked(self) -> bool:
        """Whether it was completed, whatever has become of it since."""
        return self.manifest is not None


@dataclass(frozen=True)
class Choice:
    """What a run starts from."""

    # None: from scratch.
    folder: Path | None
    # None: without a mark.
    manifest: Manifest | None = None
    # What a person should know, one line each.
    notes: tuple[str, ...] = ()


class CheckpointStore:
    """The checkpoints below one folder, which need not exist."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.staging = root / STAGING

    # Writing

    def begin(self, step: int) -> Path:
        """An empty folder to write a checkpoint into. Nothing that is there is touched before `finish`."""
        self.recover()
        folder = self.staging / folder_name(step)
        folder.mkdir(parents=True)
        return folder

    def finish(self, manifest: Manifest, keep: int | None) -> Path:
        """Complete the checkpoint that was begun, name it, then remove all but the last `keep`; returns its place.

        The manifest's sequence is set here.

        Raises:
            CheckpointError: files of some ranks are missing.
            OSError: no space is left, or the disk fails; what was there before is untouched.
        """
        staged = self.staging / folder_name(manifest.step)
        sealed = replace(manifest, sequence=self._next_sequence())
        manifests.seal(staged, sealed)
        folder = self._put_in_place(staged)
        write_whole(self.root / TRACKER, str(manifest.step))
        self.prune(keep)
        shutil.rmtree(self.staging, ignore_errors=True)
        return folder

    def abandon(self) -> None:
        """Throw away what was begun and did not get complete."""
        self.recover()

    def prune(self, keep: int | None) -> list[int]:
        """Remove all but the last `keep` checkpoints that were completed here; their steps. None keeps all.

        Folders without a mark are somebody else's and stay.
        """
        if keep is None or keep < 1:
            return []
        gone = self.in_order()[keep:]
        for entry in gone:
            self.staging.mkdir(exist_ok=True)
            trash = self.staging / f"{_REMOVED}{entry.folder.name}"
            shutil.rmtree(trash, ignore_errors=True)
            entry.folder.rename(trash)
        if gone:
            sync_folder(self.root)
        return [entry.step for entry in gone]

    def recover(self) -> list[int]:
        """Tidy up after a run that was killed while it saved: finish what is complete; returns those steps."""
        finished = []
        for staged in sorted(self.staging.glob("global_step_*")):
            newer = _sound_manifest(staged)
            if newer is None:
                continue
            there = _sound_manifest(self.root / staged.name)
            if there is None or there.sequence < newer.sequence:
                self._put_in_place(staged)
                finished.append(newer.step)
        for replaced in self.staging.glob(f"{_REPLACED}global_step_*"):
            home = self.root / replaced.name.removeprefix(_REPLACED)
            if not home.exists():
                replaced.rename(home)
        shutil.rmtree(self.staging, ignore_errors=True)
        return finished

    def _put_in_place(self, staged: Path) -> Path:
        folder = self.root / staged.name
        sync_folder(staged.parent)
        if folder.exists():
            replaced = self.staging / f"{_REPLACED}{staged.name}"
            shutil.rmtree(replaced, ignore_errors=True)
            folder.rename(replaced)
        staged.rename(folder)
        sync_folder(self.root)
        return folder

    def _next_sequence(self) -> int:
        return max((entry.manifest.sequence for entry in self.entries() if entry.manifest), default=0) + 1

    # Reading

    def entries(self) -> list[Entry]:
        """Every folder with a checkpoint's name, by step."""
        steps = {
            int(match.group(1)): path
            for path in self.root.glob("global_step_*")
            if (match := _STEP.fullmatch(path.name)) and path.is_dir()
        }
        return [look_at(steps[step]) for step in sorted(steps)]

    def in_order(self) -> list[Entry]:
        """The completed ones, the one that was written last first."""
        marked = [entry for entry in self.entries() if entry.manifest]
        return sorted(marked, key=lambda entry: entry.manifest.sequence, reverse=True)

    def tracker(self) -> int | str | None:
        """The step that the tracker names; its text where that is no number; None where there is no tracker."""
        try:
            text = (self.root / TRACKER).read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            return None
        return int(text) if text.strip().isdecimal() else text

    def interrupted(self) -> list[Path]:
        """What `recover` would put in its place."""
        staged = [path for path in sorted(self.staging.glob("global_step_*")) if _sound_manifest(path) is not None]
        return staged + sorted(self.staging.glob(f"{_REPLACED}global_step_*"))

    def choose(self, tidy: bool = True, contents: bool = True) -> Choice:
        """The newest checkpoint that is whole; nothing where there is none.

        Args:
            tidy: `recover` first; not while another process may be saving here.
            contents: read every byte, rather than look at names and sizes only.

        Raises:
            CheckpointError: the tracker names a step that is not there, or there are checkpoints and none is whole.
        """
        finished = self.recover() if tidy else []
        tracker, entries = self.tracker(), {entry.step: entry for entry in self.entries()}
        notes = [f"{self.root}: the save of step {step} had been interrupted and is finished" for step in finished]
        if isinstance(tracker, int) and tracker not in entries:
            raise CheckpointError(self._points_nowhere(tracker))
        if isinstance(tracker, str):
            notes.append(f"{self.root / TRACKER} has {tracker!r}, which is no step: it is not followed")
        candidates = self.in_order()
        if isinstance(tracker, int) and not entries[tracker].is_marked:
            # verl's own trainer has written last: it writes the tracker after everything else.
            candidates.insert(0, entries[tracker])
        for entry in candidates:
            choice = _checked(entry, contents)
            if isinstance(choice, Choice):
                if tracker != entry.step:
                    notes.append(f"{self.root / TRACKER} says {tracker!r}; {entry.folder} is the newest whole one")
                return replace(choice, notes=(*notes, *choice.notes))
            notes += [f"{entry.folder} cannot be used: {fault}" for fault in choice]
        if not entries and tracker is None:
            return Choice(None, notes=tuple(notes))
        notes += [f"{entry.folder} cannot be used: {fault}" for entry in entries.values() for fault in entry.faults]
        raise CheckpointError(
            "\n".join(dict.fromkeys(notes))
            + f"\nNo checkpoint in {self.root} is whole: set trainer.resume_mode=disable to start from scratch"
        )

    def _points_nowhere(self, tracker: int) -> str:
        whole = [entry.folder for entry in self.in_order() if not entry.faults]
        way = (
            f"trainer.resume_mode=resume_path trainer.resume_from_path={whole[0]} to go on from there, or "
            if whole
            else ""
        )
        return (
            f"{self.root / TRACKER} names step {tracker}, but {self.root / folder_name(tracker)} does not exist: set "
            f"{way}trainer.resume_mode=disable to start from scratch"
        )


def folder_name(step: int) -> str:
    """verl's."""
    return f"global_step_{step}"


def look_at(folder: Path) -> Entry:
    """What a checkpoint's folder is; names and sizes only.

    Raises:
        CheckpointError: the folder's name has no step.
    """
    match = _STEP.fullmatch(folder.name)
    if match is None:
        raise CheckpointError(f"{folder} is no checkpoint: its name is not global_step_<N>")
    step = int(match.group(1))
    try:
        manifest = manifests.read(folder)
    except CheckpointError as error:
        return Entry(step, folder, None, (str(error),))
    if manifest is None:
        return Entry(step, folder, None, (f"{folder / manifests.NAME} is missing: it was not completed here",))
    return Entry(step, folder, manifest, tuple(manifests.file_faults(folder, manifest, contents=False)))


def choose_given(folder: Path, contents: bool = True) -> Choice:
    """The checkpoint that somebody names; with `contents` every byte is read.

    Raises:
        CheckpointError: it is not there, not whole, or no checkpoint.
    """
    if not folder.is_dir():
        raise CheckpointError(f"trainer.resume_from_path={folder} does not exist")
    choice = _checked(look_at(folder), contents)
    if isinstance(choice, Choice):
        return choice
    raise CheckpointError("\n".join([f"trainer.resume_from_path={folder} is not whole:", *choice]))


def _checked(entry: Entry, contents: bool) -> Choice | list[str]:
    """A choice, or what speaks against it."""
    if entry.manifest is not None:
        faults = manifests.file_faults(entry.folder, entry.manifest, contents)
        return faults or Choice(entry.folder, entry.manifest)
    if (entry.folder / manifests.NAME).exists():
        return list(entry.faults)
    note = (
        f"{entry.folder} has no {manifests.NAME}: it is from verl's own trainer or an earlier version. Its files are "
        "there and not cut off; their contents, and whether model, data, template and teacher are the same, are unknown"
    )
    return manifests.unmarked_faults(entry.folder) or Choice(entry.folder, notes=(note,))


def _sound_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder that is complete as far as names and sizes tell."""
    try:
        manifest = manifests.read(folder)
    except CheckpointError:
        return None
    if manifest is None or manifests.file_faults(folder, manifest, contents=False):
        return None
    return manifest
