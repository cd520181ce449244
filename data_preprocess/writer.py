# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Rows to parquet as a stream: bounded memory, and files that are there whole or not at all."""

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from data_preprocess.leftovers import backup_path, clear, hold, temporary_path
from data_preprocess.schema import ARROW_SCHEMA, SCHEMA_VERSION, UserError, check_rows

# A row group is what a reader holds at once. Few rows would make the footer, which stays in memory, grow.
MAX_GROUP_ROWS = 4096
MAX_GROUP_BYTES = 32 << 20
# datasets (arrow_writer.py, 5.2) joins tables of a single row, a thousand of them, into one piece, which fails beyond
# 2 GiB; it leaves tables of two rows apart. So even two rows beyond the bound above share a group.
MIN_GROUP_ROWS = 2
VERSION_KEY, SOURCE_KEY = "verl_sdpo.schema_version", "verl_sdpo.source"
FINGERPRINT_KEY, ROWS_KEY = "verl_sdpo.fingerprint", "verl_sdpo.rows"
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Written(NamedTuple):
    """One finished file."""

    path: Path
    num_rows: int
    num_bytes: int
    fingerprint: str


class Fingerprint:
    """Order-sensitive sha256 over rows, each as JSON with sorted keys: the same for the same rows in the same order."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, row: Mapping[str, Any]) -> int:
        """Takes a row in and returns its size in bytes."""
        text = json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"
        self._digest.update(text)
        return len(text)

    def __str__(self) -> str:
        return f"sha256:{self._digest.hexdigest()}"


class RowWriter:
    """Streams checked rows into a temporary file beside ``path``; ``Outputs`` makes and finishes these."""

    def __init__(self, path: Path, source: str) -> None:
        self.path = path
        self.temporary = temporary_path(path)
        self.fingerprint = Fingerprint()
        self.num_rows = 0
        self._rows: list[Mapping[str, Any]] = []
        self._num_bytes = 0
        self._schema = ARROW_SCHEMA.with_metadata({VERSION_KEY: SCHEMA_VERSION, SOURCE_KEY: source})
        self._sink = self._writer = None

    def write(self, row: Mapping[str, Any]) -> None:
        """Takes a row that ``check_row`` finds sound.

        Raises:
            UserError: the disk is full or the folder cannot be written to.
        """
        size = self.fingerprint.add(row)
        is_large = self._num_bytes + size > MAX_GROUP_BYTES and len(self._rows) >= MIN_GROUP_ROWS
        if is_large or len(self._rows) >= MAX_GROUP_ROWS:
            self._flush()
        self._rows.append(row)
        self._num_bytes += size
        self.num_rows += 1

    def finish(self) -> Written:
        """Writes the rest and the metadata; the file is whole, under its temporary name, and held until ``discard``."""
        self._flush()
        with disk_errors(self.path):
            self._writer.add_key_value_metadata({FINGERPRINT_KEY: str(self.fingerprint), ROWS_KEY: str(self.num_rows)})
            self._writer.close()
            self._sink.flush()
            os.fsync(self._sink.fileno())
            size = self.temporary.stat().st_size
        return Written(self.path, self.num_rows, size, str(self.fingerprint))

    def discard(self) -> None:
        """Closes the file, and removes it where it has not been moved into place."""
        # A disk that is full fails again here, when the writer tries to end its file.
        with contextlib.suppress(OSError, pa.ArrowException):
            if self._writer is not None:
                self._writer.close()
        with contextlib.suppress(OSError):
            if self._sink is not None:
                self._sink.close()
        self.temporary.unlink(missing_ok=True)

    def _flush(self) -> None:
        with disk_errors(self.path):
            if self._writer is None:
                self._sink = self.temporary.open("wb")
                hold(self._sink)
                # Smallest and largest prompts are of no use to a reader, and make the footer grow with the texts.
                self._writer = pq.ParquetWriter(
                    self._sink, self._schema, compression="zstd", use_dictionary=_REPEATING, write_statistics=False
                )
            if self._rows:
                self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows, self._num_bytes = [], 0


# Columns with few different values; a dictionary of all others would be built only to be given up.
_REPEATING = ["data_source", "ability", "prompt.list.element.role", "reward_model.style", "extra_info.split"]


class Outputs:
    """The files of one run in one folder: ``with Outputs(folder) as outputs: ...; outputs.commit()``.

    Without ``commit``, or where it fails, no file and no folder is left behind, and files of the same names that were
    there before are as they were. A process that is killed outright may leave ``.<name>.<pid>.tmp`` files, which no
    reader looks at and the next run for ``name`` removes; ``cleared`` says what was removed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writers: list[RowWriter] = []
        self._made: list[Path] = []
        self.cleared: dict[Path, list[str]] = {}

    def open(self, name: str, source: str) -> RowWriter:
        """A writer of the file ``name``.

        Raises:
            UserError: the folder cannot be made.
        """
        with disk_errors(self.folder):
            missing = [path for path in (self.folder, *self.folder.parents) if not path.exists()]
            self._made += missing
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / name
            self.cleared[path] = clear(path)
        writer = RowWriter(path, source)
        self._writers.append(writer)
        return writer

    def commit(self) -> list[Written]:
        """Finishes all files that have rows and moves all of them into place, or none.

        Raises:
            UserError: the disk is full or a file cannot be replaced.
        """
        done = [writer.finish() for writer in self._writers if writer.num_rows]
        _replace_all([(writer.temporary, writer.path) for writer in self._writers if writer.num_rows])
        if done:
            self._made = []
        return done

    def __enter__(self) -> "Outputs":
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._writers:
            writer.discard()
        for folder in self._made:
            # Another process may have put something there.
            with contextlib.suppress(OSError):
                folder.rmdir()


def write_parquet(rows: Sequence[Mapping[str, Any]], path: str | os.PathLike, source: str | None = None) -> Written:
    """Check ``rows`` and write them to ``path`` (zstd), whole or not at all; for rows that fit into memory.

    The columns' types are fixed, so one that holds only nulls stays a string column. The file's metadata says which
    schema version it follows, where its rows come from (``source``; the data sources' names where None), and what they
    are: their number and fingerprint.

    Raises:
        ValueError: there are no rows, or some have faults (the first ones are named).
        UserError: the disk is full or the folder cannot be written to.
    """
    path = Path(path)
    rows = list(rows)
    if not rows:
        raise ValueError(f"no rows to write to {path}: verl cannot read an empty dataset")
    if faults := check_rows(rows):
        listed = "; ".join(str(fault) for fault in faults[:10])
        raise ValueError(f"{path} not written: {len(faults)} faults, correct or leave out the rows: {listed}")
    source = source if source is not None else ", ".join(sorted({row["data_source"] for row in rows}))
    with Outputs(path.parent) as outputs:
        writer = outputs.open(path.name, source)
        for row in rows:
            writer.write(row)
        return outputs.commit()[0]


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Makes an error of the operating system one line that names ``path``.

    Raises:
        UserError: in its place.
    """
    try:
        yield
    except OSError as error:
        reason = f"no room left on its disk ({error.strerror or error})" if error.errno in _NO_ROOM else error
        raise UserError(f"cannot write {path}: {reason}") from error


def _replace_all(moves: Sequence[tuple[Path, Path]]) -> None:
    """Moves every file onto its target; where one fails, or on Ctrl-C, puts the earlier targets back."""
    backups: list[tuple[Path, Path | None]] = []
    try:
        for temporary, target in moves:
            backup = backup_path(target)
            is_there = target.exists()
            backups.append((target, backup if is_there else None))
            with disk_errors(target):
                if is_there:
                    _keep_aside(target, backup)
                os.replace(temporary, target)
    except BaseException:
        for target, backup in backups:
            if backup is None:
                target.unlink(missing_ok=True)
            elif backup.exists():
                os.replace(backup, target)
        raise
    finally:
        for _, backup in backups:
            if backup is not None:
                backup.unlink(missing_ok=True)


def _keep_aside(target: Path, backup: Path) -> None:
    backup.unlink(missing_ok=True)
    try:
        # A second name, so that readers find the old file until the new one is there.
        os.link(target, backup)
    except OSError:
        os.replace(target, backup)
