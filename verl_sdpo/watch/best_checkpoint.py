# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Keeps the checkpoint with the best validation value, whatever verl's rotation removes.

It lies in `best/global_step_<N>`, a folder that verl can resume from, with `best.json` in it. Files are hard links
where the file system has them, so that it costs no disk while the original exists. A best checkpoint appears by one
rename and is whole from then on; the one before it is removed afterwards.
"""

from __future__ import annotations

import difflib
import json
import math
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

MODES = ("max", "min")
_RECORD = "best.json"
_SHARD = re.compile(r"(.*)_world_size_(\d+)_rank_(\d+)(.*)")


@dataclass(frozen=True)
class Best:
    """What `best.json` says."""

    step: int
    metric: str
    value: float


def is_better(value: float, best: float | None, mode: str) -> bool:
    """Whether a value replaces the best one; one that is not a number never does, an equal one neither."""
    if math.isnan(value):
        return False
    return best is None or (value > best if mode == "max" else value < best)


class BestCheckpoint:
    """The best checkpoint of a run.

    Args:
        folder: where it lies, beside the run's checkpoints and on the same file system.
        metric: a validation metric, by verl's name.
        mode: "max" or "min".
    """

    def __init__(self, folder: Path, metric: str, mode: str) -> None:
        self.folder = folder
        self.metric = metric
        self.mode = mode

    def read(self) -> Best | None:
        """The best so far, by this metric. After a crash between rename and removal there are two: the better one."""
        best = None
        for record in sorted(self.folder.glob(f"global_step_*/{_RECORD}")):
            found = Best(**json.loads(record.read_text(encoding="utf-8")))
            if found.metric == self.metric and is_better(found.value, best and best.value, self.mode):
                best = found
        return best

    def value_of(self, metrics: Mapping[str, float]) -> float:
        """The metric's value.

        Raises:
            ValueError: the validation has no such metric.
        """
        if self.metric not in metrics:
            near = difflib.get_close_matches(self.metric, metrics, n=3, cutoff=0.3) or sorted(metrics)
            raise ValueError(
                f"trainer.best_checkpoint.metric={self.metric!r} is no metric of the validation: choose one of "
                f"{', '.join(near)}"
            )
        return float(metrics[self.metric])

    def consider(self, step: int, value: float, checkpoint: Path) -> bool:
        """Keep a checkpoint if its value is the best so far; whether it was.

        Raises:
            ValueError: the folder has only some of the ranks' files.
        """
        best = self.read()
        if not is_better(value, best and best.value, self.mode):
            return False
        check_all_ranks(checkpoint)
        target = self.folder / f"global_step_{step}"
        # `read` finds the old one also by this name, if the run dies before the new one is in its place.
        new, old = self.folder / ".new", target.with_name(f"{target.name}.old")
        shutil.rmtree(new, ignore_errors=True)
        # A record of its own: the folder may be a best checkpoint that was resumed from.
        shutil.copytree(checkpoint, new, copy_function=_link, ignore=shutil.ignore_patterns(_RECORD))
        record = json.dumps(asdict(Best(step, self.metric, value)))
        (new / _RECORD).write_text(record, encoding="utf-8")
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
            target.rename(old)
        new.rename(target)
        for other in self.folder.glob("global_step_*"):
            if other != target:
                shutil.rmtree(other, ignore_errors=True)
        return True


def unlink_shared(checkpoint: Path) -> None:
    """Remove what a checkpoint that is about to be written again shares with the best one.

    torch.save writes into the file that is there, and would change the best checkpoint with it.
    """
    for path in checkpoint.rglob("*"):
        if path.is_file() and path.stat().st_nlink > 1:
            path.unlink()


def check_all_ranks(checkpoint: Path) -> None:
    """Raise ValueError unless all ranks' files are here: with local disks on several machines some are elsewhere."""
    ranks: dict[tuple[Path, str, str, int], set[int]] = {}
    for path in checkpoint.rglob("*"):
        if match := _SHARD.fullmatch(path.name):
            kind, size, rank, ending = match.groups()
            ranks.setdefault((path.parent, kind, ending, int(size)), set()).add(int(rank))
    for (parent, kind, ending, size), found in ranks.items():
        if missing := sorted(set(range(size)) - found):
            raise ValueError(
                f"trainer.best_checkpoint.metric: {parent} lacks {kind}{ending} of ranks {missing}. Put "
                "trainer.default_local_dir on a file system that all machines share, or set the metric to null"
            )


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # No hard links there, or not across the border of two file systems.
        shutil.copy2(source, target)
