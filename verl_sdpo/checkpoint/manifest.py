# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""`COMPLETE.json`, the last file of a checkpoint: that it is whole, of what it consists, and what it was made with."""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import json
import platform
import re
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from verl_sdpo.checkpoint.durable import files_below, hashes_of, sync_folders_below, write_whole

NAME = "COMPLETE.json"
FORMAT = 1
# What the loop leaves beside verl's shards: the position in the data.
DATA_POSITION = "data.pt"
_PACKAGES = ("verl", "torch", "transformers", "vllm", "ray")
# A file that each rank writes: kind, number of ranks, rank, ending.
SHARD = re.compile(r"(.*)_world_size_(\d+)_rank_(\d+)(.*)")


class CheckpointError(RuntimeError):
    """A checkpoint cannot be written, or cannot be resumed."""


@dataclass(frozen=True)
class Manifest:
    """What `COMPLETE.json` says."""

    step: int
    # Counts the checkpoints of a run's folder in the order of their writing, whatever their steps and clocks are.
    sequence: int
    # UTC, ISO 8601.
    saved_at: str
    # Hash of the run's configuration, which lies beside as config.json.
    config_sha256: str
    # By package.
    versions: dict[str, str]
    # What must be the same on resume (`verl_sdpo.checkpoint.facts`).
    facts: dict[str, dict[str, Any]]
    # Of the run: the tracker's run id, the best validation so far.
    run: dict[str, Any]
    # By path within the folder: {"size": bytes, "sha256": hash}.
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    format: int = FORMAT


def now() -> str:
    """UTC, ISO 8601, seconds."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Of Python and of the packages that a checkpoint's files depend on, as far as they are installed."""
    found = {"python": platform.python_version()}
    for package in ("verl_sdpo", *_PACKAGES):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def seal(folder: Path, manifest: Manifest) -> Manifest:
    """Sync and hash every file of a folder, then mark it complete; returns the manifest with the files in it.

    Raises:
        CheckpointError: files of some ranks are not here.
    """
    if missing := missing_ranks(folder):
        raise CheckpointError(
            f"{'; '.join(missing)}. Put trainer.default_local_dir on a file system that all machines share"
        )
    hashes = hashes_of((path for path in files_below(folder) if path.name != NAME), sync=True)
    files = {
        str(path.relative_to(folder)): {"size": path.stat().st_size, "sha256": digest}
        for path, digest in hashes.items()
    }
    sync_folders_below(folder)
    sealed = Manifest(**{**asdict(manifest), "files": files})
    content = asdict(sealed)
    write_whole(folder / NAME, json.dumps({"digest": _digest(content), **content}, indent=1))
    return sealed


def read(folder: Path) -> Manifest | None:
    """The manifest of a folder; None where there is no file of that name.

    Raises:
        CheckpointError: it is damaged, or from a later version of this package.
    """
    path = folder / NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        digest = content.pop("digest")
        known = content["format"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    if known != FORMAT:
        raise CheckpointError(f"{path} has format {known}, this version of verl_sdpo reads {FORMAT}")
    if digest != _digest(content):
        raise CheckpointError(f"{path} is damaged: its own checksum does not fit")
    return Manifest(**content)


def file_faults(folder: Path, manifest: Manifest, contents: bool) -> list[str]:
    """What is not as it was written, one line a file; sizes, and with `contents` every byte. More files do no harm."""
    faults, whole = [], []
    for name, said in manifest.files.items():
        path = folder / name
        try:
            size = path.stat().st_size
        except OSError:
            faults.append(f"{path} is missing")
            continue
        if size != said["size"]:
            faults.append(f"{path} has {size} bytes, {said['size']} were written")
        else:
            whole.append(path)
    if contents:
        for path, digest in hashes_of(whole).items():
            if digest != manifest.files[str(path.relative_to(folder))]["sha256"]:
                faults.append(f"{path} has other bytes than were written (its checksum differs)")
    return faults


def unmarked_faults(folder: Path) -> list[str]:
    """What can be seen of a checkpoint without a mark, such as verl's own: missing, empty and cut files."""
    if not (folder / "actor").is_dir():
        return [f"{folder / 'actor'} is missing"]
    faults = missing_ranks(folder)
    if not list((folder / "actor").glob("model_world_size_*")):
        faults.append(f"{folder / 'actor'} has no weights")
    if not (folder / DATA_POSITION).exists():
        faults.append(f"{folder / DATA_POSITION} is missing: the position in the data is not known")
    # What torch writes ends with a table of contents.
    faults += [
        f"{path} is cut off or empty" for path in files_below(folder) if path.suffix == ".pt" and not _is_torch(path)
    ]
    return faults


def missing_ranks(folder: Path) -> list[str]:
    """One line for each kind of file that some ranks have written here and others have not."""
    ranks: dict[tuple[Path, str, str, int], set[int]] = {}
    for path in files_below(folder):
        if match := SHARD.fullmatch(path.name):
            kind, size, rank, ending = match.groups()
            ranks.setdefault((path.parent, kind, ending, int(size)), set()).add(int(rank))
    return [
        f"{parent} lacks {kind}{ending} of ranks {missing} of {size}"
        for (parent, kind, ending, size), found in ranks.items()
        if (missing := sorted(set(range(size)) - found))
    ]


def num_ranks(files: Sequence[str]) -> int | None:
    """How many ranks the shards among these names are of; None where there are none."""
    sizes = [int(match.group(2)) for name in files if (match := SHARD.fullmatch(Path(name).name))]
    return max(sizes, default=None)


def _is_torch(path: Path) -> bool:
    return zipfile.is_zipfile(path)


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
