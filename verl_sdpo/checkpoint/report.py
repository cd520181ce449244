# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What `python -m verl_sdpo.checkpoint inspect` says, as text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from verl_sdpo.checkpoint import manifest as manifests
from verl_sdpo.checkpoint.durable import files_below
from verl_sdpo.checkpoint.store import STAGING, TRACKER, CheckpointStore, Entry, look_at

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def describe(folder: Path) -> str:
    """A run's folder as a table, or one checkpoint in full.

    Raises:
        CheckpointError: it is neither.
    """
    if folder.name.startswith("global_step_"):
        return describe_one(look_at(folder))
    return describe_run(CheckpointStore(folder))


def describe_run(store: CheckpointStore) -> str:
    """One line a checkpoint, then what is wrong with each."""
    entries = store.entries()
    if not entries:
        raise manifests.CheckpointError(f"{store.root} has no folder named global_step_<N>")
    newest = next((entry for entry in store.in_order() if not entry.faults), None)
    rows = [("step", "state", "written (UTC)", "size", "ranks", "folder")]
    rows += [_row(entry, newest is not None and entry.step == newest.step) for entry in entries]
    lines = _table(rows)
    lines += [f"  {entry.folder.name}: {fault}" for entry in entries for fault in entry.faults]
    lines.append(f"tracker ({TRACKER}): {store.tracker()!r}")
    if store.staging.exists():
        lines.append(f"{STAGING}: a save that is going on, or was interrupted; the next run tidies it up")
    for record in sorted((store.root / "best").glob("global_step_*/best.json")):
        best = json.loads(record.read_text(encoding="utf-8"))
        lines.append(f"best: step {best['step']}, {best['metric']} {best['value']}, in {record.parent}")
    return "\n".join(lines)


def describe_one(entry: Entry) -> str:
    """Everything that a checkpoint says about itself."""
    lines = [f"{entry.folder}: {_state(entry)}", *(f"  {fault}" for fault in entry.faults)]
    if entry.manifest is not None:
        said = entry.manifest
        lines.append(
            f"written {said.saved_at}, number {said.sequence} of its folder; configuration {said.config_sha256}"
        )
        lines += _section("versions", said.versions)
        for fact, values in said.facts.items():
            lines += _section(fact, values)
        lines += _section("run", {name: value for name, value in said.run.items() if value is not None})
    lines.append("files:")
    hashes = entry.manifest.files if entry.manifest is not None else {}
    for path in files_below(entry.folder):
        name = str(path.relative_to(entry.folder))
        lines.append(
            f"  {size_text(path.stat().st_size):>10}  {hashes.get(name, {}).get('sha256', '')[:12]:12}  {name}"
        )
    return "\n".join(lines)


def size_text(size: float) -> str:
    """Bytes as people read them."""
    power = 0
    while size >= 1024 and power < len(_UNITS) - 1:
        size, power = size / 1024, power + 1
    return f"{size:.{min(power, 1)}f} {_UNITS[power]}"


def _row(entry: Entry, is_newest: bool) -> tuple[str, ...]:
    files = files_below(entry.folder)
    ranks = manifests.num_ranks([path.name for path in files])
    return (
        str(entry.step),
        _state(entry) + (" (newest)" if is_newest else ""),
        entry.manifest.saved_at[:19] if entry.manifest is not None else "-",
        size_text(sum(path.stat().st_size for path in files)),
        str(ranks or "-"),
        entry.folder.name,
    )


def _state(entry: Entry) -> str:
    if entry.manifest is None:
        return "not marked"
    return "damaged" if entry.faults else "complete"


def _section(name: str, values: dict[str, Any]) -> list[str]:
    return (
        [f"{name}:", *(f"  {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items())]
        if values
        else []
    )


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
