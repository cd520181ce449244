# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What ``--input`` names: a file, a folder with a file for each split, or the id of a dataset on a hub."""

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_preprocess.dataset import Dataset
from data_preprocess.records import SUFFIXES, Record, file_digest, read_records, too_large, value_bytes
from data_preprocess.schema import UserError

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class SplitSource:
    """One of our splits at its source; ``records()`` starts at the first record each time."""

    split: str
    records: Callable[[], Iterator[Record]]
    revision: Callable[[], str]  # file names with digests, or the hub id with its commit


def open_sources(
    dataset: Dataset, where: str | None, split: str | None, *, streaming: bool, max_row_bytes: int
) -> list[SplitSource]:
    """The splits that are to be read, in the dataset's order.

    Args:
        dataset: says which splits there are and what they are called upstream.
        where: ``--input``; the dataset's hub id where None.
        split: read only this one.
        streaming: read a hub dataset while it is fetched, instead of fetching it first.
        max_row_bytes: records beyond this are not read.

    Raises:
        UserError: there is no such file, folder or dataset, or it is unclear which file holds which split.
    """
    where = where or dataset.hub_id
    if where is None:
        raise UserError(f"--input is needed: {dataset.name} has no home on a hub")
    wanted = [split] if split else list(dataset.splits)
    path = Path(where)
    if path.exists():
        if streaming:
            raise UserError("--streaming has no effect on files, which are always read row by row")
        files = split_files(dataset, path, split)
        return [_file_source(name, files[name], max_row_bytes) for name in wanted if name in files]
    if not _HUB_ID.fullmatch(where) or path.suffix in SUFFIXES:
        raise UserError(f"--input {where}: no such file or folder")
    return [_hub_source(dataset, where, name, streaming, max_row_bytes) for name in wanted]


def split_files(dataset: Dataset, source: Path, split: str | None = None) -> dict[str, list[Path]]:
    """Which files hold which split; several are parts of one.

    Args:
        dataset: says which splits there are and what their files are called.
        source: a folder with ``train.json`` and ``test.json`` (or another suffix, or the shards of a hub's download),
            or one file.
        split: read only this split; needed where a single file is not called train or test.

    Raises:
        UserError: a split's file is missing or there are two, or a file's split is unclear.
    """
    if not source.is_dir():
        return {name: [source] for name in _splits_of_file(dataset, source, split)}
    return {name: _files_of_split(dataset, source, name) for name in ([split] if split else dataset.splits)}


def _splits_of_file(dataset: Dataset, source: Path, split: str | None) -> list[str]:
    if split:
        return [split]
    if dataset.has_one_source:
        return list(dataset.splits)
    called = [ours for ours, theirs in dataset.splits.items() if source.stem.split("-")[0] in (ours, theirs)]
    if len(called) != 1:
        raise UserError(f"which split is {source.name}? say --split {' or --split '.join(dataset.splits)}")
    return called


def _files_of_split(dataset: Dataset, folder: Path, split: str) -> list[Path]:
    names = dict.fromkeys((dataset.splits[split], split))
    # A hub's download has its files in data/ or in a folder for the configuration.
    folders = [folder, folder / "data"] + ([folder / dataset.hub_config] if dataset.hub_config else [])
    for place in folders:
        for name in names:
            found = [path for suffix in SUFFIXES if (path := place / f"{name}{suffix}").is_file()]
            if len(found) > 1:
                shown = " and ".join(path.name for path in found)
                raise UserError(f"{place} holds {shown}: which? give one file as --input")
            shards = sorted(path for suffix in SUFFIXES for path in place.glob(f"{name}-*-of-*{suffix}"))
            if found or shards:
                return found or _all_shards(shards)
        if found := sorted({path for pattern in dataset.files.get(split, ()) for path in place.glob(pattern)}):
            return found
    raise UserError(_missing_file(dataset, folder, split, list(names)))


def _all_shards(shards: Sequence[Path]) -> list[Path]:
    number = int(match[1]) if (match := re.search(r"-of-(\d+)", shards[0].name)) else len(shards)
    if number != len(shards):
        raise UserError(f"{shards[0].parent} holds {len(shards)} of {number} parts such as {shards[0].name}")
    return list(shards)


def _missing_file(dataset: Dataset, folder: Path, split: str, names: Sequence[str]) -> str:
    others = [
        name
        for name in dataset.splits
        if name != split and any((folder / f"{name}{suffix}").is_file() for suffix in SUFFIXES)
    ]
    remedy = f"; for the other split alone say --split {others[0]}" if others else ""
    patterns = [*(f"{names[0]}{suffix}" for suffix in SUFFIXES), *dataset.files.get(split, ())]
    return f"{folder} holds no {', '.join(patterns[:-1])} or {patterns[-1]}{remedy}"


def _file_source(split: str, files: Sequence[Path], max_row_bytes: int) -> SplitSource:
    def records() -> Iterator[Record]:
        row = 0
        for path in files:
            for record in read_records(path, max_row_bytes):
                yield record._replace(row=row)
                row += 1

    return SplitSource(split, records, lambda: ", ".join(f"{path.name} {file_digest(path)}" for path in files))


def _hub_source(dataset: Dataset, hub_id: str, split: str, streaming: bool, max_row_bytes: int) -> SplitSource:
    upstream = dataset.splits[split]

    @functools.cache
    def load() -> tuple[Any, str]:
        return _load(dataset, hub_id, upstream, streaming)

    def records() -> Iterator[Record]:
        found, _ = load()
        for row, value in enumerate(_iterated(found, dataset, hub_id, upstream)):
            problem = too_large(value_bytes(value), max_row_bytes)
            yield Record(row, None if problem else value, problem)

    return SplitSource(split, records, lambda: f"{hub_id} {upstream} {load()[1]}")


def _load(dataset: Dataset, hub_id: str, upstream: str, streaming: bool) -> tuple[Any, str]:
    """The split's records, and the commit that they are of, behind the revision that was asked for."""
    # Heavy, and only wanted here. It respects HF_HUB_OFFLINE and HF_ENDPOINT.
    import datasets

    # A copy under another id has its own history, and need not have the configuration.
    is_home = dataset.hub_id in (None, hub_id)
    config, revision = (dataset.hub_config, dataset.revision) if is_home else (None, None)
    try:
        # What load_dataset does, but only the builder knows the commit.
        builder = datasets.load_dataset_builder(hub_id, config, revision=revision)
        if streaming:
            found = builder.as_streaming_dataset(split=upstream)
        else:
            builder.download_and_prepare()
            found = builder.as_dataset(split=upstream)
    except Exception as error:  # what the network, the hub and its cache raise has no common class
        raise UserError(_unreachable(dataset, hub_id, upstream, error)) from error
    # Of data that is no repository of a hub, it is a hash of another kind.
    commit = builder.hash if _COMMIT.fullmatch(str(builder.hash)) else "of unknown revision"
    return found, f"{revision} {commit}" if revision and revision != commit else commit


def _iterated(found: Any, dataset: Dataset, hub_id: str, upstream: str) -> Iterator[Any]:
    try:
        yield from found
    except Exception as error:  # with streaming, the network is used here
        raise UserError(_unreachable(dataset, hub_id, upstream, error)) from error


def _unreachable(dataset: Dataset, hub_id: str, upstream: str, error: Exception) -> str:
    config = f" (configuration {dataset.hub_config})" if dataset.hub_config else ""
    wanted = " and ".join(f"{name}.parquet, .jsonl, .json or .csv" for name in dict.fromkeys(dataset.splits.values()))
    reason = " ".join(str(error).split())[:200]
    return (
        f"--input {hub_id}: no such file or folder, and split {upstream!r} cannot be had from the hub ({reason}). "
        f"Where that is out of reach, download the dataset's files{config} elsewhere and give the folder that holds "
        f"{wanted}."
    )
