# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Accuracy and response length against generations and hours: a line a method, mean and standard error over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from verl_sdpo.reports.curves import NotThereError, accuracy_curve, generations_by_step, response_lengths
from verl_sdpo.reports.figures import mark_paper, panels, paper_handle, pyplot, save, styles
from verl_sdpo.reports.mean_lines import X_AXES, Values, line
from verl_sdpo.reports.measures import Options
from verl_sdpo.reports.paper import PaperTable
from verl_sdpo.reports.runs import Run
from verl_sdpo.reports.tables import over_seeds

# Names of figures, and remarks on runs that are not in them.
Drawn = tuple[list[str], list[str]]


def draw(axes: Any, by_label: Mapping[str, Sequence[Run]], x_of: Values, y_of: Values) -> list[str]:
    """All lines of a panel; returns remarks on runs that are in none."""
    remarks = []
    for label, style in styles(by_label).items():
        points, left_out = line(by_label[label], x_of, y_of)
        remarks += left_out
        if not points:
            continue
        xs, means, errors = zip(*points)
        # Only dashes would hide that there are few validations.
        marker = "o" if len(points) <= 30 else None
        axes.plot(xs, means, label=label, marker=marker, markersize=3, linewidth=1.6, **style)
        if not any(math.isnan(error) for error in errors):
            low = [mean - error for mean, error in zip(means, errors)]
            high = [mean + error for mean, error in zip(means, errors)]
            axes.fill_between(xs, low, high, color=style["color"], alpha=0.15, linewidth=0)
    return remarks


def training_figures(runs: Sequence[Run], tables: Sequence[PaperTable], options: Options, folder: Path) -> Drawn:
    """accuracy_<experiment>_<model> and response_length_<experiment>_<model>, a column a task."""

    def key(run: Run) -> tuple[str, str]:
        return run.identity.experiment, run.identity.model

    def accuracy(run: Run) -> dict[int, float]:
        return accuracy_curve(run, options.metric)

    names, remarks = [], []
    for (experiment, model), members in groupby(
        sorted((run for run in runs if run.history and not run.results), key=key), key
    ):
        by_task = _by_task(list(members))
        marks = _paper_marks(tables, experiment, model)
        for what, y_label, y_of in (
            ("accuracy", "validation accuracy (%)", accuracy),
            ("response_length", "response length (tokens)", response_lengths),
        ):
            figure, handles, left_out = _grid(by_task, y_of, y_label, marks if what == "accuracy" else {})
            remarks += left_out
            if handles:
                figure.legend(handles.values(), handles, loc="outside lower center", ncols=6, fontsize=9)
                figure.suptitle(f"{experiment}, {model}", fontsize=11)
                names.append(save(figure, folder, f"{what}_{experiment}_{model}"))
            else:
                pyplot.close(figure)
    return names, remarks


def family_figure(
    name: str, by_label: Mapping[str, Sequence[Run]], options: Options, folder: Path, title: str
) -> Drawn:
    """Accuracy against generations of a family of variants; no name where there is nothing to draw."""
    figure, axes = panels(1, 1, width=6.5, height=4)
    panel = axes[0, 0]
    remarks = draw(panel, by_label, X_AXES["generations"], lambda run: accuracy_curve(run, options.metric))
    _finish(panel, "generations", "validation accuracy (%)", title)
    if not panel.lines:
        pyplot.close(figure)
        return [], remarks
    panel.legend(fontsize=8, loc="lower right")
    return [save(figure, folder, name)], remarks


def _grid(
    by_task: Mapping[str, Mapping[str, Sequence[Run]]],
    y_of: Values,
    y_label: str,
    marks: Mapping[str | None, Sequence[Mark]],
) -> tuple[Any, dict[str, Any], list[str]]:
    """A row an x axis, a column a task; with one task side by side. Also what the legend shows, and remarks."""
    wide = len(by_task) == 1
    figure, axes = panels(*((1, 2) if wide else (2, len(by_task))))
    handles: dict[str, Any] = {}
    remarks = []
    for column, (task, by_label) in enumerate(by_task.items()):
        for row, (x_label, x_of) in enumerate(X_AXES.items()):
            panel = axes[0, row] if wide else axes[row, column]
            remarks += draw(panel, by_label, x_of, y_of)
            if not panel.lines:
                panel.text(0.5, 0.5, "not logged", ha="center", transform=panel.transAxes, color="gray")
            colors = {None: "black", **{label: style["color"] for label, style in styles(by_label).items()}}
            for mark in [*marks.get(task, ()), *marks.get(None, ())]:
                place = _place(mark, by_label, x_label) if mark.method in colors else None
                if place is not None:
                    mark_paper(panel, place, mark.value, colors[mark.method])
                    handles["paper"] = paper_handle()
            _finish(panel, x_label, y_label if column == 0 else "", task)
            handles.update(zip(*reversed(panel.get_legend_handles_labels())))
    # The paper's last.
    ordered = {label: handles[label] for label in sorted(handles, key=lambda label: (label == "paper", label))}
    return figure, ordered, remarks


def _finish(panel: Any, x_label: str, y_label: str, title: str) -> None:
    panel.set(xlabel=x_label, ylabel=y_label, title=title)
    panel.grid(alpha=0.3)
    panel.set_xlim(left=0)
    if x_label == "generations":
        panel.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:g}k" if value >= 1000 else f"{value:g}")


def _by_task(runs: Sequence[Run]) -> dict[str, dict[str, list[Run]]]:
    """By task, by method: the methods as they are; with variants where a task has only such."""
    by_task: dict[str, dict[str, list[Run]]] = {}
    for task in sorted({run.identity.task for run in runs}):
        of_task = [run for run in runs if run.identity.task == task]
        plain = [run for run in of_task if not run.identity.variant] or of_task
        for run in plain:
            by_task.setdefault(task, {}).setdefault(run.identity.label, []).append(run)
    return by_task


@dataclass(frozen=True)
class Mark:
    """A number of the paper's in a figure; `bound` in steps (`is_step`) or in hours. No method: before training."""

    method: str | None
    bound: float
    is_step: bool
    value: float


def _paper_marks(tables: Sequence[PaperTable], experiment: str, model: str) -> dict[str | None, list[Mark]]:
    """By task (None: whatever the task is), of the tables whose rows are methods without a variant."""
    marks: dict[str | None, list[Mark]] = {}
    for table in tables:
        for row in table.rows:
            if experiment not in table.experiments or row.model != model or row.variant:
                continue
            for column, paper in zip(table.columns, row.paper):
                is_step = column.measure == "best_by_step"
                if paper is None or column.measure not in ("best_by_step", "best_within_hours"):
                    continue
                bound = 0 if row.method is None else column.arguments["step" if is_step else "hours"]
                mark = Mark(row.method, float(bound), is_step, paper.value)
                # Several tables have the same method at other steps; the first, which compares methods, is shown.
                known = [(each.method, each.is_step or each.bound) for each in marks.get(column.task, ())]
                if (mark.method, mark.is_step or mark.bound) not in known:
                    marks.setdefault(column.task, []).append(mark)
    return marks


def _place(mark: Mark, by_label: Mapping[str, Sequence[Run]], x_label: str) -> float | None:
    """Where on the x axis the mark belongs; None: not in this panel."""
    if mark.method is None:
        return 0.0
    if not mark.is_step or x_label == "hours of training":
        return mark.bound if not mark.is_step and x_label == "hours of training" else None
    # The paper gives a step; our run says how many generations that is.
    places = [place for run in by_label[mark.method] if (place := _generations_at(run, int(mark.bound))) is not None]
    return over_seeds(places)[0] if places else None


def _generations_at(run: Run, step: int) -> float | None:
    try:
        return generations_by_step(run).get(step)
    except NotThereError:
        return None
