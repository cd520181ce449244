# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The files of an evaluation, and its table for the terminal."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from verl_sdpo.evaluate.attempt import Attempt

RESULTS = "results.json"
RESPONSES = "responses.parquet"


def write_files(folder: Path, results: Mapping[str, Any], attempts: Sequence[Attempt]) -> None:
    """Both files, each whole or not at all; the results last."""
    write_table(folder / RESPONSES, attempts, [each.name for each in fields(Attempt)])
    text = json.dumps(results, indent=1, allow_nan=False)
    _replace(folder / RESULTS, lambda path: path.write_text(text + "\n", encoding="utf-8"))


def write_table(
    path: Path, attempts: Sequence[Attempt], columns: Sequence[str], metadata: Mapping[str, str] | None = None
) -> None:
    """A row for each attempt, with some of its fields; the file is there whole, or as it was."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"int": pa.int64(), "str": pa.string(), "bool": pa.bool_(), "float": pa.float64()}
    of_fields = {each.name: types[each.type.removesuffix(" | None")] for each in fields(Attempt)}
    schema = pa.schema([(name, of_fields[name]) for name in columns], metadata)
    table = pa.Table.from_pylist([asdict(attempt) for attempt in attempts], schema=schema)
    _replace(path, lambda temporary: pq.write_table(table, temporary, compression="zstd"))


def _replace(path: Path, write: Any) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def table_text(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """Percentages with their intervals, a row a data source; `-` where there is no number."""
    [first, *_] = measured.values()
    names = [name for name in first if "@" in name]
    header = ["data source", "questions", *names, "tokens", "truncated", "no verdict"]
    rows = [
        [
            source,
            f"{numbers['questions']:,}",
            *(_percent(numbers[name]) for name in names),
            f"{numbers['response_length']['mean']:,.0f}",
            f"{100 * numbers['truncated_fraction']:.1f}%",
            f"{sum(numbers['without_verdict'].values()):,}",
        ]
        for source, numbers in measured.items()
    ]
    widths = [max(map(len, column)) for column in zip(header, *rows)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in [header, *rows]]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _percent(estimate: Mapping[str, Any] | None) -> str:
    if estimate is None or estimate["value"] is None:
        return "-"
    value, low, high = (100 * estimate[name] for name in ("value", "low", "high"))
    return f"{value:.1f} [{low:.1f}, {high:.1f}]"
