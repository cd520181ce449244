# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Tables as Markdown and CSV. The same runs give the same bytes."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence

from verl_sdpo.reports.overview import Group, digits
from verl_sdpo.reports.paper import Reported, Row
from verl_sdpo.reports.runs import UNFINISHED, Run
from verl_sdpo.reports.tables import Cell, FilledTable

NOTHING = "–"
CELL_COLUMNS = "table model row column paper paper_spread ours standard_error runs variant missing remarks".split()
METRIC_COLUMNS = "experiment task model method variant seed step metric value".split()


def markdown_rows(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def table_markdown(filled: FilledTable) -> str:
    """One table: the paper's row over ours, then what is missing or short."""
    table = filled.table
    rows = []
    for row, cells in zip(table.rows, filled.cells, strict=True):
        precision = [column.digits for column in table.columns]
        rows.append([row.model, row.label, "paper", *map(_paper_text, cells, precision)])
        rows.append(["", "", "ours", *(_our_text(row, *each) for each in zip(cells, precision))])
    header = ["model", "", "", *(column.label for column in table.columns)]
    notes = [f"{table.note}\n"] if table.note else []
    missing = _once(reason for row in filled.cells for cell in row for reason in cell.missing)
    remarks = _once(reason for row in filled.cells for cell in row for reason in cell.remarks)
    if missing:
        notes.append("Missing:\n\n" + "".join(f"- {reason}\n" for reason in missing))
    if remarks:
        notes.append("† Not quite the same measure:\n\n" + "".join(f"- {reason}\n" for reason in remarks))
    return "\n".join([f"## {table.where}: {table.title}\n", markdown_rows(header, rows), *notes])


def cells_csv(tables: Sequence[FilledTable]) -> str:
    """One line a cell of the paper's tables."""
    rows = []
    for filled in tables:
        for row, cells in zip(filled.table.rows, filled.cells, strict=True):
            for column, cell in zip(filled.table.columns, cells, strict=True):
                if not cell.is_empty:
                    rows.append([filled.table.name, row.model, row.label, column.label, *_csv_numbers(cell)])
    return _csv(CELL_COLUMNS, rows)


def groups_markdown(groups: Sequence[Group], columns: Sequence[str]) -> str:
    """Every group of runs; accuracies in percent. Columns that no group has are left out."""
    used = [column for column in columns if any(column in group.numbers for group in groups)]
    answers = ["avg@"] if any(group.answers for group in groups) else []
    rows = []
    for group in groups:
        numbers = [_number(group.numbers.get(name), name, len(group.runs)) for name in used]
        rows.append([*group.label, _runs(group), *([_answers(group)] if answers else []), *numbers])
    return markdown_rows(["experiment", "task", "model", "method", "runs", *answers, *used], rows)


def metrics_csv(runs: Sequence[Run]) -> str:
    """What all tables and figures are made from: one line a run, step and metric."""
    rows = []
    for run in runs:
        identity = run.identity
        who = (
            identity.experiment, identity.task, identity.model, identity.method, identity.variant, identity.seed
        )  # fmt: skip
        for metric in sorted(run.history):
            rows += [(*who, step, metric, repr(value)) for step, value in run.history[metric].items()]
    return _csv(METRIC_COLUMNS, rows)


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _csv_numbers(cell: Cell) -> list[object]:
    paper = cell.paper or Reported(math.nan)
    numbers = (paper.value, paper.spread, cell.mean, cell.error)
    texts = ["" if number is None or math.isnan(number) else f"{number:.6g}" for number in numbers]
    return [*texts, cell.num_runs, cell.variant or "", "; ".join(cell.missing), "; ".join(cell.remarks)]


def _paper_text(cell: Cell, precision: int) -> str:
    if cell.is_empty:
        return ""
    if cell.paper is None:
        return NOTHING
    spread = "" if cell.paper.spread is None else f" ± {cell.paper.spread:.{precision}f}"
    return f"{cell.paper.value:.{precision}f}{spread}"


def _our_text(row: Row, cell: Cell, precision: int) -> str:
    if cell.is_empty:
        return ""
    if cell.mean is None:
        return NOTHING
    error = "" if math.isnan(cell.error) else f" ± {cell.error:.{precision}f}"
    chosen = f" {cell.variant}" if cell.variant and row.takes_best_variant else ""
    return f"{cell.mean:.{precision}f}{error} ({cell.num_runs}){'†' if cell.remarks else ''}{chosen}"


def _number(found: tuple[float, float, int] | None, column: str, num_runs: int) -> str:
    """With the number of runs that have it, where that is not `num_runs`."""
    if found is None:
        return NOTHING
    mean, error, count = found
    text = f"{mean:,.{digits(column)}f}"
    is_same_count = digits(column) == 0 and error == 0
    if not math.isnan(error) and not is_same_count:
        text += f" ± {error:,.{digits(column)}f}"
    return text if count == num_runs else f"{text} ({count})"


def _runs(group: Group) -> str:
    """How many, and how many of them are not finished."""
    states = [(state, sum(run.state == state for run in group.runs)) for state in UNFINISHED]
    unfinished = ", ".join(f"{count} {state}" for state, count in states if count)
    return f"{len(group.runs)} ({unfinished})" if unfinished else str(len(group.runs))


def _answers(group: Group) -> str:
    return "/".join(map(str, group.answers)) or NOTHING


def _once(reasons: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(reasons))
