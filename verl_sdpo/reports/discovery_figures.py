# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""discovery@k of test-time runs, with bootstrap bands over seeds (paper, section 5 and D.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from verl_sdpo.reports.figures import mark_paper, panels, paper_handle, save, styles
from verl_sdpo.reports.paper import PaperTable, question_sets
from verl_sdpo.reports.runs import Run
from verl_sdpo.statistics.bootstrap import interval
from verl_sdpo.statistics.discovery import discovery_curve

# Of the paper's bands; the number of resamples is ours.
LEVEL = 0.9
RESAMPLES = 2000


def discovery_figures(runs: Sequence[Run], tables: Sequence[PaperTable], folder: Path) -> list[str]:
    """discovery_<task>_<model>[_<set>]: one a task, model and set of questions; returns their names."""

    def key(run: Run) -> tuple[str, str]:
        return run.identity.task, run.identity.model

    names = []
    for (task, model), members in groupby(sorted((run for run in runs if run.results), key=key), key):
        found = list(members)
        there = set.intersection(*(set(run.results["questions"]) for run in found))
        sets = {name: ids for name, ids in question_sets().items() if ids <= there} or {"": frozenset(there)}
        for name, questions in sets.items():
            if questions:
                figure = _figure(found, questions, name, tables)
                file = "_".join(part for part in ("discovery", task, model, name) if part)
                names.append(save(figure, folder, file))
    return names


def curve_and_band(runs: Sequence[Run], questions: frozenset[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of one method's runs, one a seed: discovery@k in percent, and the band's lower and upper end, each (budget,)."""
    budget = min(int(run.results["budget"]) for run in runs)
    firsts = {
        question: [run.results["questions"][question]["first_success"] for run in runs]
        for question in sorted(questions)
    }
    of_seeds = 100 * np.stack(
        [discovery_curve({q: [firsts[q][seed]] for q in firsts}, budget) for seed in range(len(runs))]
    )

    @cache
    def ends(values: tuple[float, ...]) -> tuple[float, float]:
        return interval(np.array(values), level=LEVEL, resamples=RESAMPLES)

    # A curve changes at few of its places.
    band = np.array([ends(tuple(column)) for column in of_seeds.T])
    return 100 * discovery_curve(firsts, budget), band[:, 0], band[:, 1]


def _figure(runs: Sequence[Run], questions: frozenset[str], name: str, tables: Sequence[PaperTable]) -> Any:
    figure, axes = panels(1, 1, width=6.5, height=4)
    panel = axes[0, 0]
    by_label: dict[str, list[Run]] = {}
    for run in runs:
        by_label.setdefault(run.identity.label, []).append(run)
    marks = _paper_marks(tables, runs[0].identity.model, name)
    for label, style in styles(by_label).items():
        curve, low, high = curve_and_band(by_label[label], questions)
        generations = np.arange(1, len(curve) + 1)
        seeds = len(by_label[label])
        panel.step(generations, curve, where="post", label=f"{label} ({seeds} seed{'s' * (seeds > 1)})", **style)
        panel.fill_between(generations, low, high, step="post", color=style["color"], alpha=0.15, linewidth=0)
        if label in marks:
            mark_paper(panel, *marks[label], style["color"])
    handles = panel.get_legend_handles_labels()[0] + ([paper_handle()] if marks.keys() & by_label.keys() else [])
    what = f"{name} questions".replace("_", " ").strip()
    panel.set(xlabel="generations k", ylabel="discovery@k (%)", ylim=(-2, 102), title=f"{len(questions)} {what}")
    panel.set_xlim(left=0)
    panel.grid(alpha=0.3)
    panel.legend(handles=handles, fontsize=8, loc="best")
    return figure


def _paper_marks(tables: Sequence[PaperTable], model: str, name: str) -> Mapping[str, tuple[float, float]]:
    """By method: generations and the paper's discovery@k there, of one set of questions."""
    marks = {}
    for table in tables:
        for row in table.rows:
            for column, paper in zip(table.columns, row.paper):
                is_here = column.measure == "discovery" and column.arguments["questions"] == name
                if is_here and row.model == model and row.method and paper is not None:
                    marks[row.method] = (float(column.arguments["generations"]), paper.value)
    return marks
