# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Which rows ask the same: repeats within a split, prompts shared by splits, indices used twice.

The hashes lie in a file, since memory must not grow with the number of rows.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from data_preprocess.schema import question_text
from data_preprocess.scratch import open_scratch, scratch_errors

_PURPOSE = "keep the rows' hashes"
_CACHE_KIB = 8 << 10
_MAX_SHOWN_CHARS = 40
_TABLE = """
CREATE TABLE rows(
    split TEXT, source TEXT, idx INTEGER, prompt BLOB, number INTEGER, shown TEXT, PRIMARY KEY (split, source, idx)
) WITHOUT ROWID
"""


class SameRows(NamedTuple):
    """Rows that ask the same question: the first few as ``train row 3 (answer B)``, and how many there are.

    A long answer, such as the tests of a program, would say nothing when cut: ``train row 3 (source_id abc)``.
    """

    names: tuple[str, ...]
    num_rows: int

    def __str__(self) -> str:
        more = self.num_rows - len(self.names)
        return " = ".join(self.names) + (f" = {more} more" if more else "")


class SeenRows:
    """Remembers rows by hashes in a database in ``folder``, which must be empty and is the caller's to remove."""

    def __init__(self, folder: Path) -> None:
        self._is_indexed = False
        self._number = 0
        with scratch_errors(_PURPOSE):
            self._database = open_scratch(folder / "rows.sqlite", _TABLE, cache_kib=_CACHE_KIB)

    def add(self, split: str, row: Mapping[str, Any]) -> int | None:
        """Takes a row in; returns the number of the earlier row with its data source and index, if there is one."""
        source, index = row["data_source"], row["extra_info"]["index"]
        values = (split, source, index, prompt_hash(row), self._number, _what_tells_apart(row))
        with scratch_errors(_PURPOSE):
            added = self._database.execute("INSERT OR IGNORE INTO rows VALUES (?, ?, ?, ?, ?, ?)", values)
            if not added.rowcount:
                query = "SELECT number FROM rows WHERE split = ? AND source = ? AND idx = ?"
                return self._database.execute(query, values[:3]).fetchone()[0]
        self._number += 1
        return None

    def has_prompt(self, split: str, row: Mapping[str, Any]) -> bool:
        """Whether a row of ``split`` asks what ``row`` asks."""
        query = "SELECT 1 FROM rows WHERE prompt = ? AND split = ? LIMIT 1"
        return bool(self._query(query, (prompt_hash(row), split)))

    def repeated(self, split: str, most: int) -> tuple[int, list[SameRows]]:
        """How many questions ``split`` asks more than once, and the first ``most`` of them."""
        groups = "FROM rows WHERE split = ? GROUP BY prompt HAVING COUNT(*) > 1"
        [[count]] = self._query(f"SELECT COUNT(*) FROM (SELECT 1 {groups})", (split,))
        first = self._query(f"SELECT prompt, COUNT(*) {groups} ORDER BY MIN(number) LIMIT ?", (split, most))
        return count, [SameRows(self._names(prompt, split), number) for prompt, number in first]

    def shared(self, split: str, other: str, most: int) -> tuple[int, list[SameRows]]:
        """How many questions both splits ask, and the first ``most`` of them."""
        prompts = "FROM rows WHERE split = ? AND prompt IN (SELECT prompt FROM rows WHERE split = ?) GROUP BY prompt"
        [[count]] = self._query(f"SELECT COUNT(*) FROM (SELECT 1 {prompts})", (split, other))
        first = self._query(f"SELECT prompt {prompts} ORDER BY MIN(number) LIMIT ?", (split, other, most))
        return count, [self._shared_rows(prompt, (split, other)) for [prompt] in first]

    def close(self) -> None:
        """Gives the file free."""
        self._database.close()

    def _shared_rows(self, prompt: bytes, splits: tuple[str, str]) -> SameRows:
        query = "SELECT COUNT(*) FROM rows WHERE prompt = ? AND split IN (?, ?)"
        [[count]] = self._query(query, (prompt, *splits))
        return SameRows(tuple(name for split in splits for name in self._names(prompt, split)), count)

    def _names(self, prompt: bytes, split: str) -> tuple[str, ...]:
        query = "SELECT idx, shown FROM rows WHERE prompt = ? AND split = ? ORDER BY number LIMIT 3"
        return tuple(f"{split} row {index} ({shown})" for index, shown in self._query(query, (prompt, split)))

    def _query(self, query: str, values: tuple) -> list[tuple]:
        with scratch_errors(_PURPOSE):
            if not self._is_indexed:
                # Made when it is first needed: sorting once costs far less than keeping order at every row.
                self._database.execute("CREATE INDEX by_prompt ON rows(prompt, split)")
                self._is_indexed = True
            return self._database.execute(query, values).fetchall()


def prompt_hash(row: Mapping[str, Any]) -> bytes:
    """Equal where rows ask the same."""
    # A lone half of a surrogate pair is refused elsewhere, by name of its field.
    return hashlib.sha256(question_text(row).encode("utf-8", "surrogatepass")).digest()[:16]


def _what_tells_apart(row: Mapping[str, Any]) -> str:
    """The row's answer or, where that is long, its ``source_id``; the beginning of a long answer without one."""
    answer, source_id = row["reward_model"]["ground_truth"], row["extra_info"]["source_id"]
    if answer is not None and len(answer) > _MAX_SHOWN_CHARS and source_id is not None:
        return f"source_id {_excerpt(source_id)}"
    return f"answer {_excerpt('none' if answer is None else answer)}"


def _excerpt(text: str) -> str:
    line = " ".join(text[: 4 * _MAX_SHOWN_CHARS].split())
    return line if len(line) <= _MAX_SHOWN_CHARS else f"{line[:_MAX_SHOWN_CHARS]}..."
