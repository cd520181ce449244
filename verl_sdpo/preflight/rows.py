# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Every row of the data: can its prompt be shown, and can a response to it be scored?

A row whose ground truth is broken stops a run in the step that scores it. Here each row goes through the check of its
reward (`verl_sdpo.rewards.check_row`), a small batch of rows at a time, and of the files only the columns that are
needed are read.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow.parquet as pq

from verl_sdpo import rewards
from verl_sdpo.preflight.fault import MOST_SHOWN, Fault, Tally

# A row of a programming problem may have megabytes of tests.
BATCH_ROWS = 16
# Of a column at a time, so that a large row group need not lie in memory.
READ_BYTES = 1 << 20
# Rows that are kept for the tokenizer, and prompts that are compared with each other.
SAMPLE_ROWS = 256
MOST_COMPARED = 1_000_000
# Data sources of which a row is kept, to try the reward on.
MOST_SOURCES = 32
# Rows without a prompt that verl's filter may drop, as a share of all.
MOST_NULL = 0.01


@dataclass
class SplitRows:
    """What has been seen of the rows of one split."""

    key: str
    prompt_key: str
    # None: other rewards than this package's score them.
    has_own_rewards: bool = True
    # A row without a prompt is dropped by verl, not fatal.
    drops_bad_prompts: bool = False
    num_rows: int = 0
    # Of rows that can be scored.
    sources: set[str] = field(default_factory=set)
    # Where a row is, its prompt and its extra_info: a random choice of those whose prompt can be shown.
    sample: list[tuple[str, Any, Any]] = field(default_factory=list)
    # The first row of each data source with a ground truth in it.
    first_rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    num_sampled_from: int = 0
    # Rows by the hash of their prompt, and pairs that have the same.
    prompts: dict[bytes, str] = field(default_factory=dict)
    repeats: int = 0
    first_repeat: str = ""
    broken: Tally = field(default_factory=lambda: Tally("data"))
    nulls: Tally = field(default_factory=lambda: Tally("data"))
    _random: random.Random = field(default_factory=lambda: random.Random(0))

    def take(self, where: str, row: dict[str, Any], columns: set[str]) -> None:
        """Check a row; `columns` are those that its file has in a usable form."""
        self.num_rows += 1
        if self.prompt_key in columns:
            self._take_prompt(where, row)
        if {"data_source", "reward_model"} <= columns:
            self._take_truth(where, row)
        # A parquet file has one type for all rows, and no invalid text: its column need not be read.
        if problem := context_problem(row.get("privileged_context")):
            self.broken.add(f"{where}, privileged_context", problem, "write text, or null where there is none")

    def _take_prompt(self, where: str, row: dict[str, Any]) -> None:
        prompt = row.get(self.prompt_key)
        if prompt is None:
            self.nulls.add(f"{where}, {self.prompt_key}", "is null", "write the question's messages")
        elif problem := prompt_problem(prompt):
            remedy = "write a list of messages, each with role and content"
            self.broken.add(f"{where}, {self.prompt_key}", problem, remedy)
        else:
            self._keep(where, row)
            self._compare(where, prompt)

    def _take_truth(self, where: str, row: dict[str, Any]) -> None:
        if not isinstance(row.get("reward_model"), dict):
            told = "reward_model is null" if row.get("reward_model") is None else "reward_model is no mapping"
            self.broken.add(where, f"{told}, and verl reads the ground truth in it", "correct the row")
            return
        if len(self.first_rows) < MOST_SOURCES:
            self.first_rows.setdefault(str(row.get("data_source")), row)
        if not self.has_own_rewards:
            return
        try:
            rewards.check_row(row.get("data_source"), row["reward_model"].get("ground_truth"), row.get("extra_info"))
        except ValueError as error:
            problem, separator, remedy = str(error).rpartition("; ")
            self.broken.add(where, problem if separator else remedy, remedy if separator else "correct the row")
        else:
            self.sources.add(row.get("data_source"))

    def _keep(self, where: str, row: dict[str, Any]) -> None:
        """Keep every row with the same probability (reservoir sampling)."""
        self.num_sampled_from += 1
        kept = (where, row[self.prompt_key], row.get("extra_info"))
        if len(self.sample) < SAMPLE_ROWS:
            self.sample.append(kept)
        elif (place := self._random.randrange(self.num_sampled_from)) < SAMPLE_ROWS:
            self.sample[place] = kept

    def _compare(self, where: str, prompt: list[dict[str, Any]]) -> None:
        digest = hashlib.blake2b(json.dumps(prompt, default=str).encode(), digest_size=16).digest()
        if (earlier := self.prompts.get(digest)) is not None:
            self.repeats += 1
            self.first_repeat = self.first_repeat or f"{where} and {earlier}"
        elif len(self.prompts) < MOST_COMPARED:
            self.prompts[digest] = where

    def faults(self) -> list[Fault]:
        """What is wrong with the rows: the first of each kind, and how many there are."""
        faults = self.broken.first + self._summary(self.broken, "would stop the run in the step that meets it")
        if not self.nulls.count:
            return faults
        is_fatal = not self.drops_bad_prompts or self.nulls.count > MOST_NULL * self.num_rows
        ending = "would be dropped without a word" if self.drops_bad_prompts else "would stop the run"
        nulls = self.nulls.first + self._summary(self.nulls, ending)
        return faults + [Fault(each.area, each.where, each.problem, each.remedy, is_fatal) for each in nulls]

    def _summary(self, tally: Tally, ending: str) -> list[Fault]:
        if not tally.count:
            return []
        more = f", of which the first {MOST_SHOWN} are shown" if tally.count > MOST_SHOWN else ""
        problem = f"{tally.count} faults in {self.num_rows} rows{more}. Such a row {ending}"
        return [Fault("data", self.key, problem, "correct it or take it out")]


def prompt_problem(prompt: Any) -> str | None:
    """Why verl cannot show this as a chat; None where it can."""
    if not isinstance(prompt, list):
        return f"is {type(prompt).__name__}, not a list of messages"
    if not prompt:
        return "has no message"
    for number, message in enumerate(prompt):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            return f"has no role in message {number}"
        content = message.get("content")
        if not isinstance(content, str | list) and not message.get("tool_calls"):
            return f"has {'null' if content is None else type(content).__name__} as content of message {number}"
        parts = [content] if isinstance(content, str) else [part.get("text") for part in _mappings(content)]
        for text in parts:
            if (at := _invalid_at(text)) is not None:
                return f"is not valid Unicode in message {number} at character {at}"
    return None


def context_problem(context: Any) -> str | None:
    """Why the teacher cannot be shown this; None where it can, or where there is none."""
    if context is not None and not isinstance(context, str):
        return f"is {type(context).__name__}, not text"
    at = _invalid_at(context)
    return None if at is None else f"is not valid Unicode at character {at}"


def _invalid_at(text: Any) -> int | None:
    """Where half of a character stands, which UTF-8 and tokenizers do not take; None where there is none."""
    try:
        text.encode("utf-8") if isinstance(text, str) else None
    except UnicodeEncodeError as error:
        return error.start
    return None


def _mappings(content: Any) -> list[dict[str, Any]]:
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def parquet_rows(file: pq.ParquetFile, columns: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows, counted from 0, with these columns of them."""
    number = 0
    for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=columns, use_threads=False):
        for row in batch.to_pylist():
            yield number, row
            number += 1


def json_rows(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a file of JSON lines, or of one JSON list; counted from 0.

    Raises:
        ValueError: a line, or the file, is no JSON object, or is not UTF-8.
    """
    with open(path, encoding="utf-8") as file:
        if file.read(1) == "[":
            file.seek(0)
            yield from enumerate(map(_mapping, json.load(file)))
            return
        file.seek(0)
        number = 0
        for line_number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    yield number, _mapping(json.loads(line))
                except ValueError as error:
                    raise ValueError(f"line {line_number} is no JSON object: {error}") from error
                number += 1


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{type(value).__name__} where an object was expected")
    return value
