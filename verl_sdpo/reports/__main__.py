# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""`python -m verl_sdpo.reports RUNS... --output DIR`: the paper's tables and figures from what runs logged.

RUNS are folders; all runs in and below them are read. docs/reports.md says what a run folder is.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from verl_sdpo.reports.curves import accuracy_metrics, is_accuracy
from verl_sdpo.reports.history import UnreadableError
from verl_sdpo.reports.measures import Options
from verl_sdpo.reports.overview import found_lines
from verl_sdpo.reports.runs import Run, find_runs

EXIT_FAULT = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 1 where nothing could be reported."""
    given = _parser().parse_args(arguments)
    try:
        return _report(given)
    except (UnreadableError, OSError) as error:
        print(f"report error: {error}", file=sys.stderr)
        return EXIT_FAULT


def _report(given: argparse.Namespace) -> int:
    for path in given.runs:
        if not path.is_dir():
            raise UnreadableError(f"{path} is no folder: name run folders, or folders above them")
    runs, refused = find_runs(given.runs)
    shown = [run for run in runs if run.identity.is_smoke == given.smoke]
    lines = found_lines(shown, refused)
    if len(shown) < len(runs):
        what = "not made with SMOKE=1" if given.smoke else "smoke runs, which --smoke shows"
        lines.append(f"left out: {len(runs) - len(shown)} {what}")
    print("\n".join(lines))
    if not shown:
        raise UnreadableError(f"no run to report in {', '.join(map(str, given.runs))}")
    if given.metric is not None:
        _check_metric(given.metric, shown)
    # Here, since it loads matplotlib.
    from verl_sdpo.reports.report import write_report

    index = write_report(
        shown, Options(given.metric), given.output, found="\n".join(lines), figures=not given.no_figures
    )
    print(f"written: {index}")
    return 0


def _check_metric(metric: str, runs: Sequence[Run]) -> None:
    logged = sorted({name for run in runs for name in accuracy_metrics(run)})
    if metric in logged:
        return
    wrong = f"no run logs {metric}" if is_accuracy(metric) else f"{metric} is no accuracy that a report is made of"
    raise UnreadableError(f"--metric: {wrong}; logged are {', '.join(logged) or 'none'}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m verl_sdpo.reports", description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUNS", help="run folders, or folders above them")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the report goes")
    parser.add_argument(
        "--metric", help="the validation metric, and no other: for runs that validate several data sources"
    )
    parser.add_argument("--smoke", action="store_true", help="report runs made with SMOKE=1, and no others")
    parser.add_argument("--no-figures", action="store_true", help="tables only")
    return parser


if __name__ == "__main__":
    sys.exit(main())
