# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What happened to a dataset's rows: counted while they stream by, and set as a table for the terminal."""

import itertools
import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from data_preprocess.uniqueness import SameRows, SeenRows
from data_preprocess.writer import Written

# Prompt length of the published runs (arXiv 2601.20802, Table 12); verl drops longer prompts when told to filter.
PAPER_MAX_PROMPT_TOKENS = 2048
# Examples below the table, of each kind.
MOST_SHOWN = 5
_MOST_KINDS = 20
OTHER_KINDS = "for other reasons"
_NUMBERING = "Row numbers count from 0 in the source, through all of its parts."
_NUMBERING_OF_INDICES = " Those of duplicates and overlaps are the rows' indices: {}."


class ChatTokenizer(Protocol):
    """The two calls that counting needs of a Hugging Face tokenizer."""

    def apply_chat_template(self, conversation, **kwargs) -> str: ...

    def __call__(self, text: str, **kwargs) -> Mapping[str, list[int]]: ...


@dataclass
class Refusals:
    """Refused rows by the kind of reason: how many, and the first few; of bounded size whatever the reasons say."""

    counts: Counter = field(default_factory=Counter)
    first: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    def add(self, row: int, reason: str, kind: str) -> None:
        """Takes in one row by its number in the source."""
        if kind not in self.counts and len(self.counts) >= _MOST_KINDS:
            kind = OTHER_KINDS
        self.counts[kind] += 1
        shown = self.first.setdefault(kind, [])
        if len(shown) < MOST_SHOWN:
            shown.append((row, reason if len(reason) <= 500 else f"{reason[:500]}..."))

    def lines(self, split: str) -> list[str]:
        """The first rows of each kind in the order of the source, and how many more there are."""
        shown = sorted(itertools.chain.from_iterable(self.first.values()))
        lines = [f"refused: {split} row {row}: {' '.join(reason.split())}" for row, reason in shown]
        more = {kind: count - len(self.first[kind]) for kind, count in self.counts.items()}
        return lines + [f"refused: {split}: {count} more: {kind}" for kind, count in more.items() if count]


@dataclass
class SplitReport:
    """The fate of one split's rows: ``num_in == num_out + num_left_out + refused.counts.total()``."""

    split: str
    num_in: int = 0
    num_out: int = 0
    left_out: Counter = field(default_factory=Counter)  # by the option that did it
    refused: Refusals = field(default_factory=Refusals)
    facts: Counter = field(default_factory=Counter)  # lines of the table
    lengths: Counter | None = None  # prompt tokens; None where they are not counted
    notes: list[str] = field(default_factory=list)
    written: Written | None = None

    @property
    def num_left_out(self) -> int:
        """Rows left out by options."""
        return self.left_out.total()


def prompt_tokens(row: Mapping[str, Any], tokenizer: ChatTokenizer) -> int:
    """Tokens of a row's prompt as the student sees it: chat template with generation prompt."""
    text = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, tokenize=False)
    return len(tokenizer(text, add_special_tokens=False)["input_ids"])


def length_facts(lengths: Mapping[int, int]) -> dict[str, Any]:
    """Table lines for prompt lengths, given as number of rows by length.

    Nearest-rank percentiles, so each number is the length of a real prompt.
    """
    if not lengths:
        return {}
    ordered = sorted(lengths)
    ends = list(itertools.accumulate(lengths[length] for length in ordered))
    ranks = [math.ceil(share * ends[-1]) for share in (0.5, 0.95)]
    picks = [next(length for length, end in zip(ordered, ends) if end >= rank) for rank in ranks]
    return {
        "prompt tokens (min / median / 95 % / max)": f"{ordered[0]} / {picks[0]} / {picks[1]} / {ordered[-1]}",
        f"prompts over {PAPER_MAX_PROMPT_TOKENS} tokens": sum(
            number for length, number in lengths.items() if length > PAPER_MAX_PROMPT_TOKENS
        ),
    }


def render(
    title: str, reports: Sequence[SplitReport], seen: SeenRows, overlap_fate: str, index_meaning: str = ""
) -> str:
    """The table, one column a split, followed by lines for refused rows, duplicates, overlaps and files.

    Args:
        title: over the first column.
        reports: one a split.
        seen: all rows that were written, by split.
        overlap_fate: what became of training rows that the test split shares, e.g. ``kept in both``.
        index_meaning: of ``extra_info.index``, e.g. ``problems of the window, from 0``; the row number where empty.
    """
    repeated = {report.split: seen.repeated(report.split, MOST_SHOWN) for report in reports}
    columns = [_column(report, repeated[report.split][0]) for report in reports]
    labels = list(dict.fromkeys(label for column in columns for label in column))
    grid = [[title, *(report.split for report in reports)]]
    grid += [[label, *(str(column.get(label, 0)) for column in columns)] for label in labels]
    widths = [max(len(line[position]) for line in grid) for position in range(len(grid[0]))]
    lines = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in grid]
    lines.insert(1, "-" * len(lines[0]))
    lines.append("")
    for report in reports:
        lines += report.refused.lines(report.split)
        lines += [f"note: {report.split}: {note}" for note in report.notes]
    for count, groups in repeated.values():
        lines += _listed("duplicate", count, groups)
    lines += _overlap_lines(reports, seen, overlap_fate)
    lines += [_file_line(report) for report in reports]
    return "\n".join([*lines, _NUMBERING + (_NUMBERING_OF_INDICES.format(index_meaning) if index_meaning else "")])


def show(text: str) -> None:
    """Prints what may quote a record: characters that the terminal cannot show, half a surrogate pair say, escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def _column(report: SplitReport, num_repeated: int) -> dict[str, Any]:
    kinds = {f"  {kind}": count for kind, count in report.refused.counts.items()}
    left_out = {"rows left out by --limit": 0} | {f"rows left out by {k}": n for k, n in report.left_out.items()}
    size = f"{report.written.num_bytes:,}" if report.written else "not written"
    return {
        "rows in": report.num_in,
        "rows refused": report.refused.counts.total(),
        **kinds,
        **left_out,
        "rows out": report.num_out,
        **dict(sorted(report.facts.items())),
        **length_facts(report.lengths or {}),
        "questions asked more than once": num_repeated,
        "file size in bytes": size,
    }


def _listed(what: str, count: int, groups: Sequence[SameRows]) -> list[str]:
    more = [f"{what}: {count - len(groups)} more"] if count > len(groups) else []
    return [f"{what}: {group}" for group in groups] + more


def _overlap_lines(reports: Sequence[SplitReport], seen: SeenRows, fate: str) -> list[str]:
    if len(reports) < 2:
        return ["overlap between splits: not looked for, only one split was read"]
    count, groups = seen.shared(reports[0].split, reports[1].split, MOST_SHOWN)
    return [*_listed("overlap", count, groups), f"questions in both splits: {count} ({fate})"]


def _file_line(report: SplitReport) -> str:
    if report.written is None:
        return f"{report.split}: no rows, not written"
    return f"{report.written.path}: {report.written.num_rows} rows, fingerprint {report.written.fingerprint}"
