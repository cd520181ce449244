# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Fills ``privileged_context`` of rows in our schema: from another file, from the rows, or with a model's hints.

python -m data_preprocess.add_context --input FOLDER_OR_FILE --output FOLDER --reference-solution
python -m data_preprocess.add_context --input ... --output ... --from-column hint --joined hints.jsonl
python -m data_preprocess.add_context --input ... --output ... --endpoint http://localhost:8000/v1 --model NAME
"""

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from tqdm import tqdm

from data_preprocess.command import NO_ROWS, OK, exit_status
from data_preprocess.context_options import check_options, make_parser, make_source
from data_preprocess.context_source import ContextSource, NoContext, Survey
from data_preprocess.dataset import Row
from data_preprocess.records import file_digest, parquet_rows
from data_preprocess.report import MOST_SHOWN, SplitReport, render, show
from data_preprocess.schema import ARROW_SCHEMA, UserError, check_row
from data_preprocess.uniqueness import SeenRows
from data_preprocess.validate import column_problems, read_footer
from data_preprocess.writer import SOURCE_KEY, Outputs

_ADDED, _KEPT, _REPLACED, _NONE = "context added", "context kept", "context added in place of another", "no new context"


class _Input(NamedTuple):
    path: Path
    source: str  # where its rows once came from

    @property
    def name(self) -> str:
        """Its column of the table."""
        return self.path.stem


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the files again.

    Args:
        arguments: the command line after the module's name; that of the process where None.

    Returns:
        Exit status: 0; 1 where the endpoint failed for some rows, which are written without a context; 2, with one
        line on stderr and no parquet written, where something does not work; 130 where it was interrupted.
    """
    with exit_status() as status:
        options = make_parser("python -m data_preprocess.add_context", __doc__.split("\n")[0]).parse_args(arguments)
        check_options(options)
        inputs = _inputs(Path(options.input), Path(options.output))
        with (
            tempfile.TemporaryDirectory(prefix="rows-") as temporary,
            contextlib.closing(SeenRows(Path(temporary))) as seen,
            contextlib.closing(make_source(options, Path(temporary))) as source,
        ):
            origins = frozenset().union(*(_check_rows(each, seen, options.overwrite) for each in inputs))
            source.prepare(Survey(lambda: _rows_to_fill(inputs, options.overwrite), origins))
            status.value = _write(inputs, source, options, seen)
    return status.value


def _write(inputs: Sequence[_Input], source: ContextSource, options: argparse.Namespace, seen: SeenRows) -> int:
    with Outputs(Path(options.output)) as outputs:
        reports = [_fill(each, source, options.overwrite, outputs) for each in inputs]
        if not any(report.facts[_ADDED] + report.facts[_KEPT] for report in reports):
            show("\n".join(source.lines()))
            reasons = {kind: None for report in reports for kind in report.facts if kind.startswith(_NONE)}
            raise UserError(f"no row got a context, nothing written: {'; '.join(reasons)}")
        by_path = {written.path: written for written in outputs.commit()}
    for each, report in zip(inputs, reports):
        path = Path(options.output) / each.path.name
        report.written = by_path[path]
        report.notes += outputs.cleared[path]
    show(
        "\n".join([render("add_context", reports, seen, "kept in both", "those that they came with"), *source.lines()])
    )
    return NO_ROWS if source.num_failed else OK


def _fill(file: _Input, source: ContextSource, overwrite: bool, outputs: Outputs) -> SplitReport:
    """Writes one file again."""
    report = SplitReport(file.name)
    of_file = f"{file.path.name} {file_digest(file.path)}"
    writer = outputs.open(file.path.name, f"add_context {source.description()}; {of_file}; {file.source}")
    num_told = 0
    for number, row in enumerate(tqdm(_rows(file.path), desc=file.name, unit=" rows", disable=None)):
        report.num_in += 1
        before = row["privileged_context"]
        if before is not None and not overwrite:
            report.facts[_KEPT] += 1
        else:
            try:
                row["privileged_context"] = _sound_context(row, source)
                report.facts[_ADDED] += 1
                report.facts[_REPLACED] += before is not None
            except NoContext as absence:
                report.facts[f"{_NONE}: {absence.kind}"] += 1
                report.facts[_KEPT] += before is not None
                num_told += 1
                if num_told <= MOST_SHOWN:
                    report.notes.append(f"row {number}: {' '.join(str(absence).split())[:500]}")
        writer.write(row)
        report.num_out += 1
    report.facts = +report.facts  # without those that are 0
    if num_told > MOST_SHOWN:
        report.notes.append(f"{num_told - MOST_SHOWN} more rows without a new context")
    return report


def _sound_context(row: Row, source: ContextSource) -> str:
    context = source.context(row)
    if faults := check_row({**row, "privileged_context": context}):
        raise NoContext("the text cannot be stored", "; ".join(f"{field}: {problem}" for field, problem in faults))
    return context


def _inputs(where: Path, output: Path) -> list[_Input]:
    """The files, checked as far as their footers tell.

    Raises:
        UserError: there are none, or one is not in our schema.
    """
    paths = sorted(path for path in where.glob("*.parquet") if not path.name.startswith("."))
    if not where.exists():
        raise UserError(f"--input {where}: no such file or folder")
    if where.is_dir() and not paths:
        raise UserError(f"--input {where}: holds no .parquet file")
    if output.exists() and not output.is_dir():
        raise UserError(f"--output {output}: is a file, must be a folder")
    folder = where if where.is_dir() else where.parent
    if output.resolve() == folder.resolve():
        raise UserError(f"--output {output}: is the folder of the input, which would be lost; take another")
    return [_opened(path) for path in (paths if where.is_dir() else [where])]


def _opened(path: Path) -> _Input:
    metadata, schema = read_footer(path)
    if problems := column_problems(schema):
        raise UserError(f"{path} is not in the row schema: {problems[0]}; python -m data_preprocess.validate tells all")
    return _Input(path, metadata.get(SOURCE_KEY, "source not given"))


def _check_rows(file: _Input, seen: SeenRows, overwrite: bool) -> set[tuple[str, str]]:
    """Checks all rows before anything is asked or written; returns data sources and splits of those to be filled."""
    origins = set()
    for number, row in enumerate(tqdm(_rows(file.path), desc=f"checking {file.name}", unit=" rows", disable=None)):
        faults = check_row(row)
        if not faults and seen.add(file.name, row) is not None:
            faults = [("extra_info.index", f"{row['extra_info']['index']} is already that of another row")]
        if faults:
            field, problem = faults[0]
            more = "python -m data_preprocess.validate tells all faults"
            raise UserError(f"{file.path} row {number}, {field}: {problem}; {more}")
        if overwrite or row["privileged_context"] is None:
            origins.add((row["data_source"], row["extra_info"]["split"]))
    return origins


def _rows_to_fill(inputs: Sequence[_Input], overwrite: bool) -> Iterator[Row]:
    for file in inputs:
        for row in _rows(file.path):
            if overwrite or row["privileged_context"] is None:
                yield row


def _rows(path: Path) -> Iterator[Row]:
    return parquet_rows(path, _schema_columns)


def _schema_columns(batch: pa.RecordBatch) -> list[Row]:
    return batch.select(ARROW_SCHEMA.names).to_pylist()


if __name__ == "__main__":
    sys.exit(main())
