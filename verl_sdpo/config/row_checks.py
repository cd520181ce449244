# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Can every row of the data be scored? Asked before Ray, a model or a GPU is touched.

A row whose ground truth is broken stops a run in the step that scores it. Here each row of the training and validation
files goes through the check of its reward (`verl_sdpo.rewards.check_row`), a small batch of rows at a time, and of the
files only the columns that rewards get are read. The rewards of the data sources that occur say whether this machine
will do (`verl_sdpo.rewards.check_machine`): programs are not run where they cannot be isolated.
"""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from omegaconf import DictConfig, OmegaConf

from verl_sdpo import rewards
from verl_sdpo.config.checks import ConfigError
from verl_sdpo.rewards.reward_modules import load_module

FUNCTION = "reward.custom_reward_function"
FILE_KEYS = ("data.train_files", "data.val_files")
MOST_SHOWN = 5
# A row of a programming problem may have megabytes of tests.
BATCH_ROWS = 16
# Of a column at a time, so that a large row group need not lie in memory.
READ_BYTES = 1 << 20
# What verl's reward managers read of a row: the first two of every row, the last where there is one.
_NEEDED = ("data_source", "reward_model.ground_truth")
_COLUMNS = (*_NEEDED, "extra_info")


def check_rows(config: DictConfig) -> list[str]:
    """Raise ConfigError if a row cannot be scored, here or at all, or the reward function has an unknown option.

    Returns:
        A line for what was checked, and for each thing that was not, with the reason.
    """
    reason, options = _why_not(config)
    if reason is not None:
        return [f"rows were not checked before the start: {reason}"]
    started, notes, findings = time.monotonic(), [], _Findings()
    for key in FILE_KEYS:
        for path in _files(OmegaConf.select(config, key)):
            if (reason := _unreadable(path)) is not None:
                notes.append(f"{key}: rows of {path} were not checked before the start: {reason}")
            else:
                _check_file(f"{key}: {path}", path, findings)
    faults = findings.lines() if findings.count else []
    try:
        notes += rewards.check_machine(sorted(findings.sources), options)
    except ValueError as error:
        faults.append(f"responses to these rows cannot be scored on this machine: {error}")
    if faults:
        raise ConfigError(faults)
    seconds = time.monotonic() - started
    return [*notes, f"{findings.num_rows} rows can be scored (checked in {seconds:.1f} s)"]


def _why_not(config: DictConfig) -> tuple[str | None, dict[str, Any]]:
    """Why nothing is said about the rows of this run, None where our rewards score them; and the rewards' options."""
    if (custom := OmegaConf.select(config, "data.custom_cls.path")) is not None:
        return f"data.custom_cls.path={custom!r} may make other rows of the files", {}
    function = OmegaConf.select(config, FUNCTION)
    path = function.get("path") if function else None
    if path is None:
        return f"{FUNCTION}.path is not set, and verl's own rewards have no check", {}
    if not _is_ours(path, function.get("name")):
        return f"{FUNCTION}.path={path!r} is not a reward function of this package", {}
    options = OmegaConf.to_container(function.get("reward_kwargs") or OmegaConf.create({}), resolve=True)
    try:
        rewards.load_reward_modules(options.pop("reward_modules", None) or ())
        rewards.check_options(options)
    except ValueError as error:
        raise ConfigError([f"{FUNCTION}.reward_kwargs: {error}"]) from error
    return None, options


def _is_ours(path: str, name: str) -> bool:
    """Whether the named function is this package's `compute_score`, or a file's that has imported it.

    A file that does not mention this package is not run.
    """
    if path.endswith(".py"):
        try:
            with open(path, encoding="utf-8") as file:
                mentions = "verl_sdpo" in file.read()
        except OSError as error:
            raise ConfigError([f"{FUNCTION}.path={path!r} cannot be read: {error.strerror}"]) from error
        if not mentions:
            return False
    elif not path.startswith("pkg://verl_sdpo"):
        return False
    try:
        function = getattr(load_module(path), name, None)
    except ValueError as error:
        raise ConfigError([f"{FUNCTION}.path={error}"]) from error
    return function in (rewards.compute_score, rewards.compute_score_async)


def _files(value: Any) -> list[str]:
    """The files that verl reads for this value: one path or several, each of them perhaps with wildcards."""
    paths = [value] if isinstance(value, str) else list(value or [])
    found = []
    for path in map(os.path.expanduser, paths):
        found += (sorted(glob.glob(path, recursive=True)) if glob.has_magic(path) else []) or [path]
    return found


def _unreadable(path: str) -> str | None:
    if not path.endswith(".parquet"):
        return "only parquet files are"
    return None if os.path.isfile(path) else "there is no such file on this machine"


class _Findings:
    """Faults as they are found: all counted, the first ones kept."""

    def __init__(self) -> None:
        self.num_rows = 0
        self.count = 0
        self.first: list[str] = []
        # Of rows that can be scored.
        self.sources: set[str] = set()

    def add(self, place: str, fault: object) -> None:
        self.count += 1
        if len(self.first) < MOST_SHOWN:
            self.first.append(f"{place}: {fault}")

    def lines(self) -> list[str]:
        more = f", of which the first {MOST_SHOWN} are shown" if self.count > MOST_SHOWN else ""
        return [
            *self.first,
            f"{self.count} faults in {self.num_rows} rows{more}. Such a row would stop the run in the step that scores "
            "it: correct it or take it out",
        ]


def _check_file(place: str, path: str, findings: _Findings) -> None:
    try:
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=READ_BYTES) as file:
            names = {column.path for column in file.schema}
            missing = [name for name in _NEEDED if name not in names]
            if missing:
                findings.add(place, f"there is no column {' and no '.join(missing)}, by which a response is scored")
                return
            for number, row in _rows(file):
                findings.num_rows += 1
                if (fault := _fault(row)) is not None:
                    findings.add(f"{place}, row {number}", fault)
                else:
                    findings.sources.add(row["data_source"])
    except (pa.ArrowException, OSError) as error:
        findings.add(place, f"cannot be read as parquet: {str(error).splitlines()[0]}")


def _fault(row: dict[str, Any]) -> object | None:
    if row["reward_model"] is None:
        return "reward_model is null, and verl reads the ground truth in it; correct the row"
    try:
        rewards.check_row(row["data_source"], row["reward_model"]["ground_truth"], row.get("extra_info"))
    except ValueError as error:
        return error
    return None


def _rows(file: pq.ParquetFile) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows, counted from 0, with what rewards read of them."""
    number = 0
    for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=list(_COLUMNS), use_threads=False):
        for row in batch.to_pylist():
            yield number, row
            number += 1
