# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Where a run's records come from: verl's file logger, TensorBoard's event files, a CSV of a W&B run's history."""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path

from verl_sdpo.reports.history import Record, UnreadableError, read_file_log

# Folders of a run that hold no logs, and may hold very many files.
NOT_SEARCHED = {"checkpoints", "rollouts", "validation", "hydra", ".hydra", "wandb"}
# In the order of the run's starts: verl's file logger begins its file anew when a run is resumed, and the recipes put
# aside what was logged before.
_FILE_LOGS = ("metrics_of_earlier_starts.jsonl", "metrics.jsonl")
_STEP_COLUMNS = ("_step", "Step", "step")


def read_records(folder: Path) -> tuple[list[Record], list[str]]:
    """All records of the run in `folder`, in the order they were written, and remarks; none: it has not logged yet.

    The file logger's are taken where there are several kinds.

    Raises:
        UnreadableError: there is a log of a kind that cannot be read.
    """
    logs = file_logs(folder)
    if logs:
        parts = [read_file_log(path) for path in logs]
        return [record for records, _ in parts for record in records], [r for _, remarks in parts for r in remarks]
    events = event_files(folder)
    if events:
        return _tensorboard_records(events), []
    tables = sorted(folder.glob("*.csv"))
    if len(tables) > 1:
        raise UnreadableError(f"{folder}: {len(tables)} CSV files: leave the one with the run's history")
    if tables:
        try:
            return _wandb_records(tables[0]), []
        except (UnicodeDecodeError, csv.Error) as error:
            raise UnreadableError(f"{tables[0]}: not a CSV in UTF-8 ({error})") from error
    if any(folder.glob("run-*.wandb")) or any(folder.glob("wandb/*/run-*.wandb")):
        raise UnreadableError(
            f"{folder}: wandb has no reader for offline run folders: `wandb sync` it and put its history here as CSV"
        )
    return [], []


def file_logs(folder: Path) -> list[Path]:
    """The file logger's files, the earlier first."""
    return [path for name in _FILE_LOGS if (path := folder / name).is_file()]


def event_files(folder: Path) -> list[Path]:
    """TensorBoard's files in `folder` and below."""
    found = []
    for parent, below, names in os.walk(folder):
        below[:] = sorted(set(below) - NOT_SEARCHED)
        found += [Path(parent, name) for name in sorted(names) if name.startswith("events.out.tfevents.")]
    return found


def _tensorboard_records(paths: list[Path]) -> list[Record]:
    """What `paths` hold, in the order of time: files of a resumed run may overlap in steps."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = []
    for path in paths:
        # 0: all scalars, instead of a sample. What a resumed run repeats is settled by history.combine.
        reader = EventAccumulator(str(path), size_guidance={"scalars": 0}, purge_orphaned_data=False)
        reader.Reload()
        for name in reader.Tags()["scalars"]:
            events += [(event.wall_time, event.step, name, event.value) for event in reader.Scalars(name)]
    return [(step, {name: value}) for _, step, name, value in sorted(events)]


def _wandb_records(path: Path) -> list[Record]:
    """Rows of `run.history()` (column _step), or of a chart's export (columns Step, "<run> - <metric>")."""
    # Spreadsheets write a mark before the first column's name.
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        columns = list(rows.fieldnames or [])
        step = next((name for name in _STEP_COLUMNS if name in columns), None)
        if step is None:
            raise UnreadableError(f"{path}: no column named _step or Step: export the run's history from W&B")
        names = {column: column.rpartition(" - ")[2] for column in columns if column != step}
        runs = {column.rpartition(" - ")[0] for column in names if " - " in column}
        if len(runs) > 1:
            raise UnreadableError(f"{path}: {len(runs)} runs in one file: export one a run folder")
        records = []
        for row in rows:
            if row[step]:
                numbers = {names[column]: _number(row[column]) for column in names if row[column]}
                place = _number(row[step])
                if place is None or not math.isfinite(place):
                    raise UnreadableError(f"{path}: line {rows.line_num}: {row[step]!r} is no step")
                records.append((int(place), numbers))
    return records


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
