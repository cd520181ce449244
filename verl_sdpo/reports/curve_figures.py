# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Accuracy and response length against generations and hours: a line a method, mean and standard error over seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from verl_sdpo.reports.curves import NotThereError, accuracy_curve, generations_by_step, seconds_by_step
from verl_sdpo.reports.figures import mark_paper, panels, paper_handle, save, styles
from verl_sdpo.reports.measures import SECONDS_PER_HOUR, Options
from verl_sdpo.reports.paper import PaperTable
from verl_sdpo.reports.runs import Run
from verl_sdpo.reports.tables import over_seeds

# (x, mean, standard error or nan)
Point = tuple[float, float, float]
Values = Callable[[Run], Mapping[int, float]]


def hours_by_step(run: Run) -> dict[int, float]:
    return {step: seconds / SECONDS_PER_HOUR for step, seconds in seconds_by_step(run.history).items()}


X_AXES: dict[str, Values] = {
    "generations": lambda run: generations_by_step(run),
    "hours of training": hours_by_step,
}


def line(runs: Sequence[Run], x_of: Values, y_of: Values) -> list[Point]:
    """Mean and standard error over the runs at each step that all of them have; x is the mean too."""
    curves = []
    for run in runs:
        try:
            xs, ys = x_of(run), y_of(run)
        except NotThereError:
            continue
        curves.append({step: (xs[step], ys[step]) for step in ys if step in xs})
    if not curves:
        return []
    steps = sorted(set.intersection(*(set(curve) for curve in curves)))
    points = []
    for step in steps:
        x, _ = over_seeds([curve[step][0] for curve in curves])
        points.append((x, *over_seeds([curve[step][1] for curve in curves])))
    return points


def draw(axes: Any, by_label: Mapping[str, Sequence[Run]], x_of: Values, y_of: Values) -> bool:
    """All lines of a panel; False: there was none."""
    is_drawn = False
    for label, style in styles(by_label).items():
        points = line(by_label[label], x_of, y_of)
        if not points:
            continue
        is_drawn = True
        xs, means, errors = zip(*points)
        # Only dashes would hide that there are few validations.
        marker = "o" if len(points) <= 30 else None
        axes.plot(xs, means, label=label, marker=marker, markersize=3, linewidth=1.6, **style)
        if not any(math.isnan(error) for error in errors):
            low = [mean - error for mean, error in zip(means, errors)]
            high = [mean + error for mean, error in zip(means, errors)]
            axes.fill_between(xs, low, high, color=style["color"], alpha=0.15, linewidth=0)
    return is_drawn


def training_figures(runs: Sequence[Run], tables: Sequence[PaperTable], options: Options, folder: Path) -> list[str]:
    """accuracy_<experiment>_<model> and response_length_<experiment>_<model>, a column a task; returns their names."""

    def key(run: Run) -> tuple[str, str]:
        return run.identity.experiment, run.identity.model

    def accuracy(run: Run) -> dict[int, float]:
        return accuracy_curve(run, options.metric)

    names = []
    for (experiment, model), members in groupby(
        sorted((run for run in runs if run.history and not run.results), key=key), key
    ):
        by_task = _by_task(list(members))
        marks = _paper_marks(tables, experiment, model)
        for what, y_label, y_of in (
            ("accuracy", "validation accuracy (%)", accuracy),
            ("response_length", "response length (tokens)", lambda run: run.history.get("response_length/mean", {})),
        ):
            figure, handles = _grid(by_task, y_of, y_label, marks if what == "accuracy" else {})
            if handles:
                figure.legend(handles.values(), handles, loc="outside lower center", ncols=6, fontsize=9)
                figure.suptitle(f"{experiment}, {model}", fontsize=11)
                names.append(save(figure, folder, f"{what}_{experiment}_{model}"))
    return names


def family_figure(
    name: str, by_label: Mapping[str, Sequence[Run]], options: Options, folder: Path, title: str
) -> str | None:
    """Accuracy against generations of a family of variants; its name, or None where there is nothing to draw."""
    figure, axes = panels(1, 1, width=6.5, height=4)
    is_drawn = draw(axes[0, 0], by_label, X_AXES["generations"], lambda run: accuracy_curve(run, options.metric))
    _finish(axes[0, 0], "generations", "validation accuracy (%)", title)
    if not is_drawn:
        return None
    axes[0, 0].legend(fontsize=8, loc="lower right")
    return save(figure, folder, name)


def _grid(
    by_task: Mapping[str, Mapping[str, Sequence[Run]]],
    y_of: Values,
    y_label: str,
    marks: Mapping[str | None, Sequence[Mark]],
) -> tuple[Any, dict[str, Any]]:
    """A row an x axis, a column a task; with one task the axes side by side. The figure, and what its legend shows."""
    wide = len(by_task) == 1
    figure, axes = panels(*((1, 2) if wide else (2, len(by_task))))
    handles: dict[str, Any] = {}
    for column, (task, by_label) in enumerate(by_task.items()):
        for row, (x_label, x_of) in enumerate(X_AXES.items()):
            panel = axes[0, row] if wide else axes[row, column]
            if not draw(panel, by_label, x_of, y_of):
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
    return figure, {label: handles[label] for label in sorted(handles, key=lambda label: (label == "paper", label))}


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
