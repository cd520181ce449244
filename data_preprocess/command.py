# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The command line that all datasets share: options, errors, exit status."""

import argparse
import contextlib
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from data_preprocess.conversion import Conversion, convert_split
from data_preprocess.dataset import DEFAULT_SEED, OVERLAP_RULES, Dataset
from data_preprocess.records import MIB
from data_preprocess.report import SplitReport, render, show
from data_preprocess.round_trip import RESPONSES
from data_preprocess.schema import SPLITS, UserError
from data_preprocess.sources import SplitSource, open_sources
from data_preprocess.uniqueness import SeenRows
from data_preprocess.writer import Outputs

OK, NO_ROWS, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
DEFAULT_MAX_ROW_MIB = 64.0
_FATES = {"keep": "kept in both", "refuse-train": "refused in train", "error": "an error"}


def run(dataset: Dataset, arguments: Sequence[str] | None = None) -> int:
    """Converts, writes ``train.parquet`` and ``test.parquet``, prints the table.

    Args:
        dataset: what to convert.
        arguments: the command line after the module's name; that of the process where None.

    Returns:
        Exit status: 0; 1 where a split has no row; 2, with one line on stderr and nothing written, where the options
        or the input do not work; 130 where it was interrupted, with nothing written either.
    """
    with exit_status() as status:
        options = _parser(dataset).parse_args(arguments)
        _check_options(dataset, options)
        if dataset.for_input is not None:
            dataset = dataset.for_input(options)
        sources = open_sources(
            dataset,
            options.input,
            options.split,
            streaming=options.streaming,
            max_row_bytes=int(options.max_row_mib * MIB),
        )
        status.value = _convert(dataset, options, sources)
    return status.value


class Status:
    """The exit status, as far as it is known."""

    value = OK


@contextlib.contextmanager
def exit_status() -> Iterator[Status]:
    """Turns what a user can put right, and interruption, into one line on stderr and an exit status."""
    status = Status()
    try:
        with _terminated_as_interrupted():
            yield status
    except UserError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        status.value = BAD_INPUT
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        status.value = BAD_INPUT
    except KeyboardInterrupt:
        print("error: interrupted, nothing written", file=sys.stderr)
        status.value = INTERRUPTED


class Parser(argparse.ArgumentParser):
    """Its errors are one line like all others."""

    def error(self, message: str) -> NoReturn:
        """Raises UserError."""
        raise UserError(f"{message} (see --help)")


def _convert(dataset: Dataset, options: argparse.Namespace, sources: Sequence[SplitSource]) -> int:
    folder = Path(options.output)
    with (
        tempfile.TemporaryDirectory(prefix="rows-") as hashes,
        contextlib.closing(SeenRows(Path(hashes))) as seen,
        Outputs(folder) as outputs,
    ):
        shared = Conversion(dataset, options, seen, _tokenizer(options.tokenizer), set())
        reports = _convert_all(shared, sources, outputs)
        if unknown := [name for name in options.single_question if name not in shared.found_ids]:
            raise UserError(f"--single-question: no row has source_id or index {', '.join(unknown)}")
        _refuse_overlap(options, reports, seen)
        by_path = {written.path: written for written in outputs.commit()}
        for report in reports:
            path = folder / f"{report.split}.parquet"
            report.written = by_path.get(path)
            report.notes += outputs.cleared[path]
            if report.written is None and path.exists():
                report.notes.append(f"{path} is of an earlier run")
        fate = _FATES[options.on_overlap]
        show(render(_label(dataset, options), reports, seen, fate, dataset.index_meaning))
    return OK if all(report.num_out for report in reports) or options.single_question else NO_ROWS


def _convert_all(shared: Conversion, sources: Sequence[SplitSource], outputs: Outputs) -> list[SplitReport]:
    """In the sources' order, but test before train, so that train can be held against it."""
    label, options = _label(shared.dataset, shared.options), shared.options
    reports = {}
    for source in sorted(sources, key=lambda each: each.split != "test"):
        writer = outputs.open(f"{source.split}.parquet", f"{label} {source.revision()}")
        is_held_against_test = options.on_overlap == "refuse-train" and source.split == "train" and "test" in reports
        reports[source.split] = convert_split(shared, source, writer, "test" if is_held_against_test else None)
    for split in SPLITS:
        if split not in shared.dataset.splits:
            known = " and ".join(f"{name}.parquet" for name in shared.dataset.splits)
            reports[sources[0].split].notes.append(f"upstream has no {split} split: only {known} is written")
    return [reports[source.split] for source in sources]


def _refuse_overlap(options: argparse.Namespace, reports: Sequence[SplitReport], seen: SeenRows) -> None:
    if options.on_overlap != "error" or len(reports) < 2:
        return
    count, groups = seen.shared(reports[0].split, reports[1].split, 3)
    if count:
        raise UserError(f"{count} questions are in both splits (--on-overlap error): {'; '.join(map(str, groups))}")


def _label(dataset: Dataset, options: argparse.Namespace) -> str:
    return dataset.label(options) if dataset.label else dataset.name


def _check_options(dataset: Dataset, options: argparse.Namespace) -> None:
    """Refuses options that cannot work or would have no effect."""
    if options.seed is not None and options.limit is None and not dataset.uses_seed:
        raise UserError("--seed chooses which rows --limit keeps: give --limit too")
    if options.limit is not None and options.limit < 1:
        raise UserError(f"--limit {options.limit}: must be at least 1")
    if options.check_rows is not None and options.check_rows < 1:
        raise UserError(f"--check-rows {options.check_rows}: must be at least 1; for none, give --no-check-reward")
    if options.max_row_mib <= 0:
        raise UserError(f"--max-row-mib {options.max_row_mib}: must be above 0")
    if options.on_overlap is None:
        options.on_overlap = dataset.on_overlap
    if Path(options.output).exists() and not Path(options.output).is_dir():
        raise UserError(f"--output {options.output}: is a file, must be a folder")
    if dataset.check_options is not None:
        try:
            dataset.check_options(options)
        except ValueError as error:
            raise UserError(str(error)) from error


def _parser(dataset: Dataset) -> Parser:
    parser = Parser(prog=f"python -m data_preprocess.{dataset.name}", description=f"{dataset.name} as parquet")
    splits = list(dataset.splits)
    home = f"default: {dataset.hub_id}" if dataset.hub_id else "needed"
    parser.add_argument("--output", required=True, help=f"folder for {' and '.join(f'{s}.parquet' for s in splits)}")
    parser.add_argument("--input", help=f"folder with a file for each split, one file, or a hub id; {home}")
    parser.add_argument("--split", choices=splits, help="read only this split")
    drawn = f"draws the dataset's random choices (default: {DEFAULT_SEED}), and " if dataset.uses_seed else ""
    parser.add_argument("--seed", type=int, help=f"{drawn}with --limit: a random choice instead of the first rows")
    parser.add_argument("--limit", type=int, help="keep at most this many rows of each split")
    parser.add_argument("--streaming", action="store_true", help="read a hub dataset while it is fetched")
    parser.add_argument("--tokenizer", help="folder or name of a tokenizer, to count prompt tokens")
    parser.add_argument(
        "--single-question",
        action="append",
        default=[],
        metavar="ID",
        help=f"keep only the row with this source_id or index; more than once{dataset.question_words}",
    )
    parser.add_argument(
        "--on-overlap",
        choices=OVERLAP_RULES,
        help=f"what becomes of training rows whose question test asks too; default: {dataset.on_overlap}",
    )
    parser.add_argument(
        "--check-reward",
        action=argparse.BooleanOptionalAction,
        default=True,
        help=f"refuse rows whose gold answer does not score 1 or a wrong one not 0; rewards: {', '.join(RESPONSES)}",
    )
    parser.add_argument(
        "--check-rows",
        type=int,
        default=dataset.check_rows,
        metavar="NUMBER",
        help=f"check this for at most so many rows of each split; default: {dataset.check_rows or 'all'}",
    )
    parser.add_argument(
        "--max-row-mib", type=float, default=DEFAULT_MAX_ROW_MIB, help="refuse larger records; default: %(default)g"
    )
    dataset.add_options(parser)
    return parser


def _tokenizer(name: str | None) -> Any:
    if name is None:
        return None
    from transformers import AutoTokenizer  # heavy, and only wanted with --tokenizer

    try:
        return AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise UserError(f"--tokenizer {name}: {str(error).strip().splitlines()[0]}") from error


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """A batch system's SIGTERM cleans up as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
