# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import csv
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data_preprocess import command_line


class Ran(NamedTuple):
    """What one run of a converter's command left."""

    status: int
    rows: dict  # by split
    told: str  # stdout, then stderr


def write_records(path, records):
    """A source file of the kind that its suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(records[0]))
            writer.writeheader()
            writer.writerows(records)
    else:
        command_line.write_lines(path, records)


@pytest.fixture
def run_module(tmp_path):
    """Runs ``python -m data_preprocess.<name>`` on files (name: records) in a folder, as a user would."""

    def run(name, files, *arguments, source="", out="out"):
        for file, records in files.items():
            write_records(tmp_path / "in" / file, records)
        folder = tmp_path / out
        where = ["--input", str(tmp_path / "in" / source), "--output", str(folder)]
        status, table, errors = command_line.run_module(name, *where, *arguments)
        files = {path.stem: command_line.rows_of(path) for path in sorted(folder.glob("*.parquet"))}
        return Ran(status, files, table + errors)

    return run
