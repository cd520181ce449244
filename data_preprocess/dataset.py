# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a dataset says of itself; everything else, from files to table, is the same for all."""

import argparse
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Record = Mapping[str, Any]
Row = dict[str, Any]
# What becomes of training rows whose question the test split asks too.
OVERLAP_RULES = ("keep", "refuse-train", "error")
DEFAULT_SEED = 0


class Refused(ValueError):  # noqa: N818 (it says what happened to the record)
    """A record that cannot be a row.

    Args:
        reason: shown for the first such rows, e.g. ``answer 'Q' is not one of its options A, B``.
        kind: what such reasons have in common, under which they are counted; the reason itself unless given. To be
            given where the reason quotes the record.
    """

    def __init__(self, reason: str, kind: str = "") -> None:
        super().__init__(reason)
        self.kind = kind or reason


class LeftOut(Refused):
    """A record that an option of the dataset's own leaves out, e.g. by its date: counted apart from refused ones.

    Args:
        option: what leaves it out, as the table names it, e.g. ``--from and --until``.
    """

    def __init__(self, option: str) -> None:
        super().__init__(option)


class NotTried(Exception):  # noqa: N818 (it says what happened to the row)
    """A row whose answers cannot be sent through the reward, which says nothing against it.

    Args:
        reason: why, as the table counts it.
    """


@dataclass(frozen=True)
class Place:
    """Where a record stands: in which split of ours, and at which row of its source, from 0."""

    split: str
    row: int

    def random(self, options: argparse.Namespace) -> random.Random:
        """A source of chance of this row's own, so that ``--limit`` and refused rows change no other row's choice."""
        seed = DEFAULT_SEED if options.seed is None else options.seed
        return random.Random(f"{seed}/{self.split}/{self.row}")


def _nothing(_: argparse.ArgumentParser) -> None:
    """No options."""


@dataclass(frozen=True)
class Dataset:
    """One dataset: where it comes from, and how a record of it becomes a row."""

    # Its module's name, and the first part of its data source.
    name: str
    # (record, place, options) -> row. Raises Refused; a wrong type that it trips over is refused for it.
    convert: Callable[[Record, Place, argparse.Namespace], Row]
    # Our splits and the upstream split that each is made of. The same one twice: both come from one file.
    splits: Mapping[str, str] = field(default_factory=lambda: {"train": "train", "test": "test"})
    # Hub id (owner/name), used where --input is not given, with its configuration and revision; None: it has no home.
    hub_id: str | None = None
    hub_config: str | None = None
    revision: str | None = None
    # Glob patterns, besides <split>.json and the like, of the files that hold one of our splits.
    files: Mapping[str, Sequence[str]] = field(default_factory=dict)
    # Adds the dataset's own options to the parser; settles and checks them (ValueError: one line for the user).
    add_options: Callable[[argparse.ArgumentParser], None] = _nothing
    check_options: Callable[[argparse.Namespace], None] | None = None
    # Title of the table and first word of the files' source; the name where None.
    label: Callable[[argparse.Namespace], str] | None = None
    # Whether convert draws by --seed; otherwise --seed without --limit would have no effect and is refused.
    uses_seed: bool = False
    on_overlap: str = "refuse-train"
    # A right and a wrong response to a row, where the reward's own (round_trip.RESPONSES) do not fit.
    gold_response: Callable[[Row], str] | None = None
    wrong_response: Callable[[Row], str] | None = None
    # The right response where only the source's record has it, e.g. a solution; goes before gold_response.
    solution: Callable[[Record], str] | None = None
    # Rows of each split whose responses are tried unless --check-rows says otherwise; None: all.
    check_rows: int | None = None
    # Lines of the table that count this row.
    facts: Callable[[Row], Iterable[str]] | None = None
    # (split, options) -> remarks below the table, once all of the split is read.
    remarks: Callable[[str, argparse.Namespace], Iterable[str]] | None = None
    # The dataset as the input at hand has it, where that may be in several forms; asked after check_options.
    for_input: Callable[[argparse.Namespace], "Dataset"] | None = None
    # What --single-question takes besides, for its help.
    question_words: str = ""
    # What extra_info.index is, where it is not the row number at the source; for the table's last line.
    index_meaning: str = ""

    @property
    def has_one_source(self) -> bool:
        """Whether all splits are made of the same upstream split."""
        return len(set(self.splits.values())) == 1


def text_field(record: Record, name: str, *, may_be_missing: bool = False) -> str | None:
    """The text in ``record[name]``, untouched.

    Raises:
        Refused: it is not there, blank or no text; with ``may_be_missing``, absent, null and blank give None.
    """
    value = record.get(name)
    if value is None or (isinstance(value, str) and not value.strip()):
        if may_be_missing:
            return None
        problem = "is null" if name in record and value is None else "is blank" if name in record else "is missing"
        shown = "" if name in record else f"; the record has {', '.join(map(str, list(record)[:12]))}"
        raise Refused(f"{name!r} {problem}{shown}", f"{name!r} {problem}")
    if not isinstance(value, str):
        raise Refused(f"{name!r} must be text, is {type(value).__name__}")
    return value


def identifier_field(record: Record, name: str) -> str | None:
    """The source's own identifier in ``record[name]``, a text or a whole number, as text; None where there is none.

    Raises:
        Refused: it is something else.
    """
    value = record.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text_field(record, name, may_be_missing=True)
