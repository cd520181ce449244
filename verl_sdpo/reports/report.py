# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""One report: index.md, the tables as Markdown and CSV, the figures as PNG and SVG."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from verl_sdpo.reports import overview, writing
from verl_sdpo.reports.discoveries import with_parts
from verl_sdpo.reports.measures import Options
from verl_sdpo.reports.paper import PaperTable, paper_tables, parts
from verl_sdpo.reports.runs import Run
from verl_sdpo.reports.tables import FilledTable, fill, runs_of

FIGURES = "figures"


def write_report(runs: Sequence[Run], options: Options, output: Path, *, found: str = "", figures: bool = True) -> Path:
    """Write all files into `output`; returns the index.

    Args:
        runs: in the order of their identities.
        found: lines on what was found and left out.
        figures: False: tables only.
    """
    output.mkdir(parents=True, exist_ok=True)
    _write(output / "metrics.csv", writing.metrics_csv(runs))
    runs = with_parts(runs, parts())
    filled = [fill(table, runs, options) for table in paper_tables()]
    _write(output / "paper_tables.csv", writing.cells_csv(filled))
    for table in filled:
        _write(output / f"{table.table.name}.md", writing.table_markdown(table))
    drawn = _draw(runs, filled, options, output / FIGURES) if figures else ([], [])
    index = output / "index.md"
    _write(index, _index(filled, _overviews(runs, options), _figures(*drawn), found))
    return index


def _draw(
    runs: Sequence[Run], filled: Sequence[FilledTable], options: Options, folder: Path
) -> tuple[list[str], list[str]]:
    """All figures that there are runs for: their names, and remarks on what is not in them."""
    from verl_sdpo.reports.bar_figures import bar_figure
    from verl_sdpo.reports.curve_figures import family_figure, training_figures
    from verl_sdpo.reports.discovery_figures import discovery_figures

    tables = [each.table for each in filled]
    drawn = [training_figures(runs, tables, options, folder)]
    for each in filled:
        # One row alone is nothing to compare; often it is the plain run, which is in several tables.
        if each.num_rows_with_runs < 2:
            continue
        if "bars" in each.table.figures:
            drawn.append(([bar_figure(each, folder)], []))
        if "curves" in each.table.figures:
            by_label = _family(each.table, runs)
            drawn.append(family_figure(f"curves_{each.table.name}", by_label, options, folder, each.table.title))
    drawn.append(discovery_figures(runs, tables, folder))
    names, remarks = zip(*drawn)
    # A run that lacks something does so in several figures.
    return list(chain(*names)), list(dict.fromkeys(chain(*remarks)))


def _family(table: PaperTable, runs: Sequence[Run]) -> dict[str, list[Run]]:
    by_label = {}
    for row in table.rows:
        found = runs_of(table, row, table.columns[0], runs)
        if row.measure is None and found:
            by_label[row.label] = next(iter(found.values()))
    return by_label


def _overviews(runs: Sequence[Run], options: Options) -> list[str]:
    """All training runs, test-time runs and benchmarks, where there are any."""
    training, test_time = overview.groups(runs, options), overview.test_time_groups(runs)
    parts = []
    if training:
        parts.append(f"## All training runs\n\n{writing.groups_markdown(training, overview.COLUMNS)}")
    if test_time:
        rows = writing.groups_markdown(test_time, overview.TEST_TIME_COLUMNS)
        parts.append(
            f"## All test-time runs\n\n{rows}\nQuestions: those that are over. First success: the generation of it; a "
            "question that is not solved counts there with the budget.\n"
        )
    if benchmarks := overview.benchmark_groups(runs):
        columns = tuple(overview.BENCHMARK_COLUMNS)
        parts.append(f"## All benchmarks\n\n{writing.groups_markdown(benchmarks, columns)}")
    return parts


def _figures(names: Sequence[str], remarks: Sequence[str]) -> list[str]:
    """The index's part on them; nothing where there are none."""
    if not names and not remarks:
        return []
    shown = [f"![{name}]({FIGURES}/{name}.png)\n\n[SVG]({FIGURES}/{name}.svg)\n" for name in names]
    not_drawn = ["Not drawn:\n\n" + "".join(f"- {remark}\n" for remark in remarks)] if remarks else []
    return ["# Figures\n", *shown, *not_drawn]


def _index(filled: Sequence[FilledTable], overviews: Sequence[str], figures: Sequence[str], found: str) -> str:
    parts = ["# Report\n", "Mean and standard error over seeds; accuracies in percent. docs/reports.md says how.\n"]
    if overviews:
        parts.append(
            "In the lists of all runs a number is over the runs that have it, in brackets over how many where that is "
            "not all of them; runs that are running or failed count with what they have logged so far.\n"
        )
    if found:
        parts.append(f"## Runs\n\n```\n{found}\n```\n")
    parts += overviews
    parts.append(
        "# The paper's tables\n\nOurs: mean ± standard error over runs (number of runs). "
        f"{writing.NOTHING}: no number. † not quite the same measure: why stands below the table.\n"
    )
    parts += [writing.table_markdown(each) for each in filled if each.num_rows_with_runs]
    without = [each.table.where for each in filled if not each.num_rows_with_runs]
    if without:
        parts.append(f"Without any run: {', '.join(without)}.\n")
    parts += figures
    files = [f"{each.table.name}.md" for each in filled] + ["paper_tables.csv", "metrics.csv"]
    parts.append(f"# Files\n\n{', '.join(f'[{name}]({name})' for name in files)}\n")
    return "\n".join(parts)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
