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

from verl_sdpo.reports.discoveries import discovery_of, questions_of
from verl_sdpo.reports.figures import mark_paper, panels, paper_handle, save, styles
from verl_sdpo.reports.paper import PaperTable
from verl_sdpo.reports.runs import Run
from verl_sdpo.statistics.bootstrap import interval

# Of the paper's bands; the number of resamples is ours.
LEVEL = 0.9
RESAMPLES = 2000
# Places where the band is worked out; the curves change at up to thousands of places.
_NUM_PLACES = 151


def discovery_figures(runs: Sequence[Run], tables: Sequence[PaperTable], folder: Path) -> tuple[list[str], list[str]]:
    """discovery_<experiment>_<task>_<model>: one each, of the questions that all runs have which have any.

    Returns:
        Their names, and remarks on runs and questions that are in none.
    """

    def key(run: Run) -> tuple[str, str, str]:
        return run.identity.experiment, run.identity.task, run.identity.model

    begun = [run for run in runs if run.results and questions_of(run)]
    names = []
    remarks = [
        f"{run.identity}: no question is over"
        for run in sorted((run for run in runs if run.results and not questions_of(run)), key=key)
    ]
    for label, members in groupby(sorted(begun, key=key), key):
        found = list(members)
        name = "_".join(("discovery", *label))
        of_runs = [frozenset(questions_of(run)) for run in found]
        common, any_run_s = frozenset.intersection(*of_runs), frozenset.union(*of_runs)
        if common != any_run_s:
            remarks.append(f"{name}: of {len(any_run_s)} questions that are over the {len(common)} that all runs have")
        if common:
            names.append(save(_figure(found, common, tables), folder, name))
    return names, remarks


def curve_and_band(
    runs: Sequence[Run], questions: frozenset[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of one method's runs, one a seed: discovery@k in percent (budget,); then places k, lower and upper end there."""
    of_seeds = [discovery_of(run, questions) for run in runs]
    budget = min(map(len, of_seeds))
    of_seeds = 100 * np.stack([curve[:budget] for curve in of_seeds])
    places = np.unique(np.linspace(1, budget, min(budget, _NUM_PLACES)).astype(int))

    @cache
    def ends(values: tuple[float, ...]) -> tuple[float, float]:
        return interval(np.array(values), level=LEVEL, resamples=RESAMPLES)

    band = np.array([ends(tuple(of_seeds[:, place - 1])) for place in places])
    return of_seeds.mean(axis=0), places, band[:, 0], band[:, 1]


def _figure(runs: Sequence[Run], questions: frozenset[str], tables: Sequence[PaperTable]) -> Any:
    figure, axes = panels(1, 1, width=6.5, height=4)
    panel = axes[0, 0]
    by_label: dict[str, list[Run]] = {}
    for run in runs:
        by_label.setdefault(run.identity.label, []).append(run)
    marks = _paper_marks(tables, runs[0])
    for label, style in styles(by_label).items():
        curve, places, low, high = curve_and_band(by_label[label], questions)
        seeds = len(by_label[label])
        panel.step(
            np.arange(1, len(curve) + 1),
            curve,
            where="post",
            label=f"{label} ({seeds} seed{'s' * (seeds > 1)})",
            **style,
        )
        panel.fill_between(places, low, high, step="post", color=style["color"], alpha=0.15, linewidth=0)
        if label in marks:
            mark_paper(panel, *marks[label], style["color"])
    handles = panel.get_legend_handles_labels()[0] + ([paper_handle()] if marks.keys() & by_label.keys() else [])
    who = runs[0].identity
    panel.set(xlabel="generations k", ylabel="discovery@k (%)", ylim=(-2, 102))
    panel.set_title(f"{who.task}, {who.model}: {len(questions)} question{'s' * (len(questions) > 1)}")
    panel.set_xlim(left=0)
    panel.grid(alpha=0.3)
    panel.legend(handles=handles, fontsize=8, loc="best")
    return figure


def _paper_marks(tables: Sequence[PaperTable], run: Run) -> Mapping[str, tuple[float, float]]:
    """By method: generations and the paper's discovery@k there, for the run's task and model."""
    who = run.identity
    marks = {}
    for table in tables:
        for row in table.rows:
            for column, paper in zip(table.columns, row.paper):
                is_here = column.measure == "discovery" and column.task == who.task and row.model == who.model
                if is_here and who.experiment in table.experiments and row.method and paper is not None:
                    marks[row.method] = (float(column.arguments["generations"]), paper.value)
    return marks
