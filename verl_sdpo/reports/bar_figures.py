# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A table of the paper as bars: ours with the standard error, the paper's number as a diamond with its ±."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from verl_sdpo.reports.figures import COLORS, mark_paper, panels, paper_handle, save
from verl_sdpo.reports.tables import Cell, FilledTable


def bar_figure(filled: FilledTable, folder: Path) -> str:
    """bars_<table>, a panel a column; where a bar is missing it says so. Returns the name."""
    table = filled.table
    figure, axes = panels(1, len(table.columns), width=0.62 * len(table.rows) + 1.4, height=3.8)
    for index, column in enumerate(table.columns):
        panel = axes[0, index]
        for place, cells in enumerate(filled.cells):
            _bar(panel, place, cells[index])
        panel.set_xticks(range(len(table.rows)), [row.label for row in table.rows], rotation=30, ha="right", fontsize=8)
        panel.set(xlim=(-0.6, len(table.rows) - 0.4), ylabel=column.unit)
        panel.set_ylim(0, 1.1 * _highest([cells[index] for cells in filled.cells]))
        panel.set_title(column.label, fontsize=10)
        panel.grid(axis="y", alpha=0.3)
        panel.set_axisbelow(True)
    figure.suptitle(f"{table.where}: {table.title}", fontsize=10)
    figure.legend(handles=[paper_handle()], loc="outside lower right", fontsize=8)
    return save(figure, folder, f"bars_{table.name}")


def _highest(cells: Sequence[Cell]) -> float:
    """The top of the highest bar or diamond, their ± included; 1 where there is none."""
    ours = [cell.mean + (0 if math.isnan(cell.error) else cell.error) for cell in cells if cell.mean is not None]
    papers = [cell.paper.value + (cell.paper.spread or 0) for cell in cells if cell.paper is not None]
    return max([*ours, *papers], default=0) or 1


def _bar(panel: Any, place: int, cell: Cell) -> None:
    if cell.mean is not None:
        error = None if math.isnan(cell.error) else cell.error
        panel.bar(place, cell.mean, width=0.7, color=COLORS[4], yerr=error, capsize=3)
    elif not cell.is_empty:
        panel.annotate("missing", (place, 0), xytext=(0, 4), textcoords="offset points", ha="center", va="bottom",
                       rotation=90, fontsize=8, color="gray")  # fmt: skip
    if cell.paper is not None:
        # Beside the middle, where our standard error is.
        beside = place + 0.22
        if cell.paper.spread is not None:
            panel.errorbar(beside, cell.paper.value, cell.paper.spread, color="black", capsize=2, linewidth=1)
        mark_paper(panel, beside, cell.paper.value, "black")
