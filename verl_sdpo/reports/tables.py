# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The paper's tables filled with our runs: a cell is the paper's number, ours over seeds, and what is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from verl_sdpo.reports.curves import NotThereError
from verl_sdpo.reports.measures import MEASURES, Measured, Options
from verl_sdpo.reports.paper import BASE, Column, PaperTable, Reported, Row
from verl_sdpo.reports.runs import Run
from verl_sdpo.statistics.bootstrap import standard_error


@dataclass(frozen=True)
class Cell:
    """One number of a table; `mean` is None where there is no run to have it, never 0."""

    paper: Reported | None
    mean: float | None = None
    # nan: a single run.
    error: float = math.nan
    num_runs: int = 0
    # Where a choice was made: the variant that is shown.
    variant: str | None = None
    # Runs that have no number, and why; a cell without runs says what there is none of.
    missing: tuple[str, ...] = ()
    # Runs whose number is not quite what the table asks for, and why.
    remarks: tuple[str, ...] = ()
    # Not asked for: neither the paper nor we have a number there.
    is_empty: bool = False


@dataclass(frozen=True)
class FilledTable:
    """A table of the paper and its cells, row by row."""

    table: PaperTable
    cells: tuple[tuple[Cell, ...], ...]

    @property
    def num_rows_with_runs(self) -> int:
        return sum(any(cell.num_runs for cell in cells) for cells in self.cells)


def fill(table: PaperTable, runs: Sequence[Run], options: Options) -> FilledTable:
    """All cells of `table` from `runs`."""
    rows = []
    for row in table.rows:
        cells: list[Cell] = []
        for column, paper in zip(table.columns, row.paper, strict=True):
            if row.measure is not None and paper is None:
                cells.append(Cell(None, is_empty=True))
            elif column.measure:
                cells.append(_cell(table, row, column, paper, runs, options))
            else:
                cells.append(_mean_of(cells[-column.mean_of :], paper))
        rows.append(tuple(cells))
    return FilledTable(table, tuple(rows))


def over_seeds(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and its standard error (nan for one value)."""
    return float(np.mean(values)), standard_error(np.asarray(values))


def _cell(
    table: PaperTable, row: Row, column: Column, paper: Reported | None, runs: Sequence[Run], options: Options
) -> Cell:
    if row.method == BASE and column.before is not None:
        row = replace(row, method=None, variant=None, measure=column.before)
    by_variant = runs_of(table, row, column, runs)
    if not by_variant:
        return Cell(paper, missing=(f"no run of {_what(row, column)}",))
    cells = {
        variant: _measure(table, row, column, paper, variant, found, options) for variant, found in by_variant.items()
    }
    return _best(cells, by_variant) if row.takes_best_variant else next(iter(cells.values()))


def _best(cells: Mapping[str | None, Cell], by_variant: Mapping[str | None, Sequence[Run]]) -> Cell:
    """The one with the highest mean; it has the missing runs of all, and a remark where another one has more runs."""
    best = max(cells.values(), key=lambda cell: -math.inf if cell.mean is None else cell.mean)
    missing = tuple(reason for cell in cells.values() for reason in cell.missing)
    most = max(cells.values(), key=lambda cell: cell.num_runs)
    if most.num_runs == best.num_runs:
        return replace(best, missing=missing)
    mine, others = (_group_name(by_variant[cell.variant][0]) for cell in (best, most))
    runs = f"{best.num_runs} run{'s' * (best.num_runs > 1)}"
    remark = f"{mine}: the best mean is of {runs}, {others} has {most.num_runs}"
    return replace(best, missing=missing, remarks=(*best.remarks, remark))


def _group_name(run: Run) -> str:
    return str(run.identity).rpartition("/")[0]


def runs_of(table: PaperTable, row: Row, column: Column, runs: Sequence[Run]) -> dict[str | None, list[Run]]:
    """The runs that a cell is made of, by variant: one entry, or each where the best is to be taken."""
    fitting = [
        run
        for run in runs
        if run.identity.experiment in table.experiments
        and run.identity.model == row.model
        and row.method in (None, run.identity.method)
        and column.task in (None, run.identity.task)
    ]
    if row.variant is None:
        return {None: fitting} if fitting else {}
    by_variant: dict[str | None, list[Run]] = {}
    for run in fitting:
        if row.takes_best_variant or run.identity.variant == row.variant:
            by_variant.setdefault(run.identity.variant, []).append(run)
    return by_variant


def _measure(
    table: PaperTable,
    row: Row,
    column: Column,
    paper: Reported | None,
    variant: str | None,
    runs: Sequence[Run],
    options: Options,
) -> Cell:
    measured: list[Measured] = []
    missing, remarks = [], []
    for run in runs:
        try:
            if row.measure is not None:
                measured.append(MEASURES[row.measure](run, options))
            else:
                measured.append(MEASURES[column.measure](run, options, **column.arguments))
        except NotThereError as reason:
            missing.append(f"{run.identity}: {reason}")
            continue
        if measured[-1].short:
            remarks.append(f"{run.identity}: ended after {measured[-1].short}")
        if measured[-1].answers not in (None, table.answers):
            remarks.append(f"{run.identity}: avg@{measured[-1].answers}")
    if not measured:
        return Cell(paper, variant=variant, missing=tuple(missing))
    mean, error = over_seeds([each.value for each in measured])
    return Cell(paper, mean, error, len(measured), variant, tuple(missing), tuple(remarks))


def _mean_of(cells: Sequence[Cell], paper: Reported | None) -> Cell:
    """The mean over some cells, which are independent; none unless all are there."""
    means = [cell.mean for cell in cells]
    if not cells or None in means:
        return Cell(paper, missing=("a mean needs all columns",))
    error = math.sqrt(sum(cell.error**2 for cell in cells)) / len(cells)
    return Cell(paper, sum(means) / len(means), error, min(cell.num_runs for cell in cells))


def _what(row: Row, column: Column) -> str:
    method = row.method or "any method"
    variant = f"_{row.variant}" if row.variant and not row.takes_best_variant else ""
    return "/".join(part for part in (column.task, row.model, f"{method}{variant}") if part)
