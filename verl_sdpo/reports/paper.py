# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The paper's tables, from paper_results.yaml: what was reported, and which of our runs it is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

RESULTS = Path(__file__).with_name("paper_results.yaml")
BEST_VARIANT = "best"
# Method of rows on the model before training.
BASE = "base"
_OF_COLUMN = ("label", "measure", "mean", "before", "digits", "unit", "task")
_OF_ROW = ("label", "measure", "model", "method", "variant", "paper")


@dataclass(frozen=True)
class Reported:
    """What the paper prints: a number, and what stands behind its ±."""

    value: float
    spread: float | None = None


@dataclass(frozen=True)
class Column:
    """One measure, of one task or of whatever task the run has."""

    label: str
    # Name in measures.MEASURES; "": the mean over `mean_of` columns before it.
    measure: str
    arguments: Mapping[str, Any]
    task: str | None = None
    digits: int = 1
    unit: str = "%"
    mean_of: int | None = None
    # Measure of the model before training, which any method's run has.
    before: str | None = None


@dataclass(frozen=True)
class Row:
    """One method on one model; `paper` has a value, or None, for each column."""

    label: str
    model: str
    method: str | None
    # None: any.
    variant: str | None
    paper: tuple[Reported | None, ...]
    # Instead of the columns' measure.
    measure: str | None = None

    @property
    def takes_best_variant(self) -> bool:
        return self.variant == BEST_VARIANT


@dataclass(frozen=True)
class PaperTable:
    """One table of the paper."""

    name: str
    where: str
    title: str
    experiments: tuple[str, ...]
    note: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    # bars: the table as bars; curves: accuracy against generations, a line a row.
    figures: tuple[str, ...] = ()
    # The n of the paper's avg@n.
    answers: int | None = None


@dataclass(frozen=True)
class Part:
    """Questions of a test-time task that have a name of their own."""

    task: str
    of: str
    # Ids in results.json: rows of the data file.
    questions: frozenset[str]


@cache
def _told() -> dict[str, Any]:
    return yaml.safe_load(RESULTS.read_text(encoding="utf-8"))


@cache
def parts() -> tuple[Part, ...]:
    """All parts, in the file's order."""
    return tuple(Part(each["task"], each["of"], frozenset(map(str, each["questions"]))) for each in _told()["parts"])


@cache
def paper_tables() -> tuple[PaperTable, ...]:
    """All tables, in the file's order.

    Raises:
        ValueError: a row has not as many numbers as there are columns.
    """
    return tuple(_table(entry) for entry in _told()["tables"])


def _table(entry: dict[str, Any]) -> PaperTable:
    experiments = entry["experiment"]
    columns = tuple(_column(each) for each in entry["columns"])
    rows = tuple(_row(each) for each in entry["rows"])
    for row in rows:
        if len(row.paper) != len(columns):
            raise ValueError(f"{entry['name']}, {row.label}: {len(row.paper)} numbers for {len(columns)} columns")
    return PaperTable(
        name=entry["name"],
        where=entry["where"],
        title=entry["title"],
        experiments=(experiments,) if isinstance(experiments, str) else tuple(experiments),
        note=entry.get("note", ""),
        columns=columns,
        rows=rows,
        figures=tuple(entry.get("figures", ())),
        answers=entry.get("answers"),
    )


def _column(entry: dict[str, Any]) -> Column:
    return Column(
        label=entry["label"],
        measure="" if entry.get("mean") else entry["measure"],
        arguments={name: value for name, value in entry.items() if name not in _OF_COLUMN},
        task=entry.get("task"),
        digits=entry.get("digits", 1),
        unit=entry.get("unit", "%"),
        mean_of=entry.get("mean"),
        before=entry.get("before"),
    )


def _row(entry: dict[str, Any]) -> Row:
    unknown = set(entry) - set(_OF_ROW)
    if unknown:
        raise ValueError(f"{entry['label']}: {', '.join(sorted(unknown))} is no key of a row")
    return Row(
        label=entry["label"],
        model=entry["model"],
        method=entry.get("method"),
        variant=entry.get("variant"),
        paper=tuple(map(_reported, entry["paper"])),
        measure=entry.get("measure"),
    )


def _reported(entry: Any) -> Reported | None:
    if entry is None:
        return None
    return Reported(*map(float, entry)) if isinstance(entry, list) else Reported(float(entry))
