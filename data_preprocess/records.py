# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Finding and reading the source files of a dataset: JSON lines, or one JSON array."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from data_preprocess.schema import SPLITS

SUFFIXES = (".json", ".jsonl")


class Record(NamedTuple):
    """One row of a source file: ``value``, or, where it could not be read, None and the ``problem``."""

    row: int
    value: Mapping[str, Any] | None
    problem: str = ""


def split_files(source: Path, split: str | None = None) -> dict[str, Path]:
    """Which file holds which split.

    Args:
        source: a folder with ``train.json`` and ``test.json`` (or ``.jsonl``), or one file.
        split: read only this split; needed where a single file is not called train or test.

    Raises:
        ValueError: the path does not exist, a split's file is missing or there are two, or a file's split is unclear.
    """
    if source.is_file():
        name = split or source.stem
        if name not in SPLITS:
            raise ValueError(f"which split is {source.name}? say --split {' or --split '.join(SPLITS)}")
        return {name: source}
    if not source.is_dir():
        raise ValueError(
            f"--input {source}: no such file or folder. Dataset ids of a hub are not read yet: download the dataset "
            "and give the folder that holds its train.json and test.json."
        )
    return {name: _split_file(source, name) for name in ((split,) if split else SPLITS)}


def read_records(path: Path) -> list[Record]:
    """The rows of ``path`` in order, numbered from 0; a row that is no JSON object keeps its number and its problem.

    Raises:
        ValueError: the file is not UTF-8, or a JSON array in it does not parse.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: {error}") from error
    if text.lstrip().startswith("["):
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} starts as a JSON array but does not parse: {error}") from error
        return [_as_record(row, value) for row, value in enumerate(values)]
    # Not splitlines(): it also breaks at U+2028 and the like, which JSON allows inside a string.
    numbered = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    return [_parse_line(row, number, line) for row, (number, line) in enumerate(numbered)]


def file_digest(path: Path) -> str:
    """``sha256:`` and the hexadecimal digest of the file, to say which version of a source a dataset came from."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def _split_file(folder: Path, split: str) -> Path:
    found = [path for suffix in SUFFIXES if (path := folder / f"{split}{suffix}").is_file()]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"{folder} holds {' and '.join(path.name for path in found)}: which? give one file as --input")
    others = [name for name in SPLITS if name != split and any((folder / f"{name}{s}").is_file() for s in SUFFIXES)]
    remedy = f"; for the other split alone say --split {others[0]}" if others else ""
    raise ValueError(f"{folder} holds no {split}.json or {split}.jsonl{remedy}")


def _parse_line(row: int, line_number: int, line: str) -> Record:
    try:
        return _as_record(row, json.loads(line))
    except json.JSONDecodeError as error:
        return Record(row, None, f"line {line_number} is not JSON: {error.msg} at column {error.colno}")


def _as_record(row: int, value: Any) -> Record:
    if isinstance(value, Mapping):
        return Record(row, value)
    return Record(row, None, f"is a JSON {type(value).__name__}, not an object")
