# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The data files: are they there, do their columns go together, are there enough rows? Rows are `rows`' affair."""

from __future__ import annotations

import glob
import os
import time
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from omegaconf import DictConfig, OmegaConf

from verl_sdpo.preflight.fault import Fault, Findings
from verl_sdpo.preflight.rows import READ_BYTES, SplitRows, json_rows, parquet_rows

FILE_KEYS = ("data.train_files", "data.val_files")
_REMOTE = ("hdfs://", "s3://")
_TEXT = "text"
# What verl's reward managers read of a row.
_NEEDED = ("data_source", "reward_model.ground_truth")


@dataclass
class Seen:
    """What was seen of the data, for the areas that follow."""

    splits: dict[str, SplitRows] = field(default_factory=dict)
    # The run's, once it is loaded.
    tokenizer: Any = None

    def sources(self) -> list[str]:
        return sorted(set().union(*(split.sources for split in self.splits.values())))


def examine_data(config: DictConfig, seen: Seen, has_own_rewards: bool) -> Findings:
    """Files, columns, rows, repeats and counts. `seen` takes what later areas need."""
    if (custom := OmegaConf.select(config, "data.custom_cls.path")) is not None:
        told = f"data.custom_cls.path={custom!r} may make other rows of the files"
        return Findings([], [f"rows were not checked before the start: {told}"])
    started, findings = time.monotonic(), Findings()
    prompt_key = str(OmegaConf.select(config, "data.prompt_key") or "prompt")
    filters = bool(OmegaConf.select(config, "data.filter_overlong_prompts"))
    for key in FILE_KEYS:
        split = seen.splits[key] = SplitRows(key, prompt_key, has_own_rewards, filters)
        schemas: dict[str, pa.Schema] = {}
        paths = files_of(OmegaConf.select(config, key))
        if not paths:
            findings.faults.append(Fault("data", key, "names no file", "name one or more parquet files"))
        before = len(findings.faults)
        for path in paths:
            findings += _examine_file(f"{key}: {path}", path, split, schemas)
        findings.faults += _mixed_columns(key, schemas) + split.faults()
        if paths and len(findings.faults) == before:
            findings.faults += _count_faults(config, key, split)
    findings.faults += _repeats(seen)
    num_rows = sum(split.num_rows for split in seen.splits.values())
    told = "can be scored" if has_own_rewards else "were read"
    seconds = time.monotonic() - started
    if num_rows and not any(split.broken.count for split in seen.splits.values()):
        findings.notes.append(f"{num_rows} rows {told} (checked in {seconds:.1f} s)")
    return findings


def files_of(value: Any) -> list[str]:
    """The files that verl reads for this value: one path or several, each of them perhaps with wildcards."""
    paths = [value] if isinstance(value, str) else list(value or [])
    found = []
    for path in map(os.path.expanduser, map(str, paths)):
        found += (sorted(glob.glob(path, recursive=True)) if glob.has_magic(path) else []) or [path]
    return found


def _examine_file(place: str, path: str, split: SplitRows, schemas: dict[str, pa.Schema]) -> Findings:
    if path.startswith(_REMOTE):
        return Findings([], [f"{place} was not checked before the start: it is not on this machine"])
    if not os.path.exists(path):
        return Findings([Fault("data", place, "there is no such file on this machine", "correct the path")])
    if not os.path.isfile(path):
        return Findings([Fault("data", place, "is a folder, where a file was expected", "name the files in it")])
    try:
        if path.endswith(".parquet"):
            return _examine_parquet(place, path, split, schemas)
        if path.endswith((".json", ".jsonl")):
            return _examine_json(place, path, split)
    except (pa.ArrowException, OSError, ValueError) as error:
        kind = "parquet" if path.endswith(".parquet") else "JSON"
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Findings([Fault("data", place, f"cannot be read as {kind}: {told}", "write the file anew")])
    problem = "is of a kind that verl does not read"
    return Findings([Fault("data", place, problem, "name a .parquet, .json or .jsonl file")])


def _examine_parquet(place: str, path: str, split: SplitRows, schemas: dict[str, pa.Schema]) -> Findings:
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=READ_BYTES) as file:
        schema = schemas[path] = file.schema_arrow
        faults, usable = _column_faults(place, schema, split.prompt_key)
        before = split.num_rows
        for number, row in parquet_rows(file, sorted(usable)):
            split.take(f"{place}, row {number}", row, usable)
        if split.num_rows == before and file.metadata.num_rows == 0:
            faults.append(Fault("data", place, "has no rows", "leave it out, or write rows into it"))
    return Findings(faults)


def _examine_json(place: str, path: str, split: SplitRows) -> Findings:
    with open(path, "rb") as file:
        if file.read(3) == b"\xef\xbb\xbf":
            problem = "begins with a byte order mark, which no JSON reader takes"
            return Findings([Fault("data", place, problem, "save it as UTF-8 without one")])
    faults, before = [], split.num_rows
    for number, row in json_rows(path):
        if number == 0:
            missing = [name for name in (split.prompt_key, "data_source", "reward_model") if name not in row]
            faults = [_missing(place, [name]) for name in missing]
            usable = set(row) & {split.prompt_key, "data_source", "reward_model", "extra_info"}
        split.take(f"{place}, row {number}", row, usable)
    if split.num_rows == before:
        faults.append(Fault("data", place, "has no rows", "leave it out, or write rows into it"))
    return Findings(faults)


def _column_faults(place: str, schema: pa.Schema, prompt_key: str) -> tuple[list[Fault], set[str]]:
    """What is wrong with a file's columns, and those of them that can be used."""
    faults, usable = [], set()
    if prompt_key not in schema.names:
        near = f" (data.prompt_key={prompt_key!r}; it has {', '.join(schema.names)})"
        faults.append(
            Fault("data", place, f"there is no column {prompt_key}{near}", "add it, or set data.prompt_key to its name")
        )
    elif wrong := _prompt_type_problem(schema.field(prompt_key).type):
        remedy = "write a list of messages, each with role and content"
        faults.append(Fault("data", f"{place}, column {prompt_key}", wrong, remedy))
    else:
        usable.add(prompt_key)
    missing = [name for name in _NEEDED if not _has(schema, name)]
    if missing:
        faults.append(_missing(place, missing))
    for name in ("data_source", "reward_model"):
        if not any(absent.startswith(name) for absent in missing):
            usable.add(name)
    for name, is_fine, expected in (
        ("data_source", _is_text, _TEXT),
        ("extra_info", pa.types.is_struct, "a struct"),
        ("privileged_context", _is_text, "text or null"),
    ):
        if name not in schema.names:
            continue
        kind = schema.field(name).type
        if not is_fine(kind) and not (pa.types.is_null(kind) and name != "data_source"):
            where = f"{place}, column {name}"
            faults.append(Fault("data", where, f"has type {kind}", f"write it as {expected}"))
            usable.discard(name)
        elif name == "extra_info":
            usable.add(name)
    return faults, usable


def _missing(place: str, names: list[str]) -> Fault:
    problem = f"there is no column {' and no '.join(names)}, by which a response is scored"
    if names == ["prompt"]:
        problem = "there is no column prompt"
    return Fault("data", place, problem, "add it (docs/data.md has the columns)")


def _has(schema: pa.Schema, name: str) -> bool:
    column, _, part = name.partition(".")
    if column not in schema.names:
        return False
    kind = schema.field(column).type
    return not part or (pa.types.is_struct(kind) and kind.get_field_index(part) >= 0)


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _prompt_type_problem(kind: pa.DataType) -> str | None:
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return f"has type {kind}, not a list of messages"
    message = kind.value_type
    if not pa.types.is_struct(message) or min(map(message.get_field_index, ("role", "content"))) < 0:
        return f"has type {kind}, whose messages lack role or content"
    return None


def _mixed_columns(key: str, schemas: dict[str, pa.Schema]) -> list[Fault]:
    """verl concatenates the files of a split, which fails where a column has two types."""
    faults, kinds = [], {}
    for path, schema in schemas.items():
        for column in schema:
            first, kind = kinds.setdefault(column.name, (path, column.type))
            if kind != column.type and not pa.types.is_null(kind) and not pa.types.is_null(column.type):
                where = f"{key}: {path}, column {column.name}"
                problem = f"has type {column.type}, and in {first} it has {kind}: verl cannot read them together"
                faults.append(Fault("data", where, problem, "write both files with the same types"))
    return faults


def _count_faults(config: DictConfig, key: str, split: SplitRows) -> list[Fault]:
    """Too few rows for one step."""
    size, most = OmegaConf.select(config, "data.train_batch_size"), OmegaConf.select(config, "data.train_max_samples")
    if key != "data.train_files" or not isinstance(size, int) or not split.num_rows:
        return []
    dropped = split.nulls.count if split.drops_bad_prompts else 0
    rows = split.num_rows - dropped
    rows = min(rows, most) if isinstance(most, int) and most > 0 else rows
    if rows >= size:
        return []
    problem = f"has {rows} rows, fewer than data.train_batch_size={size}: no step could be made"
    return [Fault("data", key, problem, f"set data.train_batch_size to at most {rows}, or add rows")]


def _repeats(seen: Seen) -> list[Fault]:
    """Prompts that occur twice: legal, and often a slip."""
    faults = []
    for key, split in seen.splits.items():
        if split.repeats:
            problem = f"{split.repeats} rows repeat an earlier row's prompt, such as {split.first_repeat}"
            faults.append(Fault("data", key, problem, "take them out if that is not meant", is_fatal=False))
    train, val = (seen.splits.get(key) for key in FILE_KEYS)
    both = train.prompts.keys() & val.prompts.keys() if train and val else set()
    if both:
        first = min(both, key=lambda digest: val.prompts[digest])
        problem = (
            f"{len(both)} prompts are in the training data too, such as {val.prompts[first]} and {train.prompts[first]}"
        )
        remedy = "take them out of one, or validation will flatter"
        faults.append(Fault("data", "data.val_files", problem, remedy, is_fatal=False))
    return faults
