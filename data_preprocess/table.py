# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What happened to a dataset's rows, counted and set as a table for the terminal."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

# Prompt length of the published runs (arXiv 2601.20802, Table 12); verl drops longer prompts when told to filter.
PAPER_MAX_PROMPT_TOKENS = 2048

Rows = Sequence[Mapping[str, Any]]


class ChatTokenizer(Protocol):
    """The two calls that counting needs of a Hugging Face tokenizer."""

    def apply_chat_template(self, conversation, **kwargs) -> str: ...

    def __call__(self, text: str, **kwargs) -> Mapping[str, list[int]]: ...


@dataclass(frozen=True)
class SplitReport:
    """The fate of one split's rows: ``num_in == len(rows) + len(refused) + num_left_out``."""

    split: str
    num_in: int
    rows: Rows
    refused: Sequence[tuple[int, str]] = ()  # (row number in the source, why)
    num_left_out: int = 0  # rows beyond --limit
    facts: Mapping[str, Any] = field(default_factory=dict)  # further lines of the table


def question_text(row: Mapping[str, Any]) -> str:
    """The last message's text with runs of white space as one space: what makes two questions the same."""
    return " ".join(row["prompt"][-1]["content"].split())


def duplicates(rows: Rows) -> list[list[Mapping[str, Any]]]:
    """Groups of two or more rows that ask the same question, in order of first appearance."""
    return [group for group in _by_question(rows).values() if len(group) > 1]


def overlaps(rows: Rows, others: Rows) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Pairs (row, other row) that ask the same question in both splits."""
    theirs = _by_question(others)
    return [(row, other) for row in rows for other in theirs.get(question_text(row), ())]


def token_lengths(rows: Rows, tokenizer: ChatTokenizer) -> list[int]:
    """Tokens of each row's prompt as the student sees it: chat template with generation prompt, one int a row."""
    lengths = []
    for row in rows:
        text = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, tokenize=False)
        lengths.append(len(tokenizer(text, add_special_tokens=False)["input_ids"]))
    return lengths


def length_facts(lengths: Sequence[int]) -> dict[str, Any]:
    """Table lines for prompt lengths; nearest-rank percentiles, so each number is the length of a real prompt."""
    if not lengths:
        return {}
    ordered = sorted(lengths)
    picks = [ordered[math.ceil(share * len(ordered)) - 1] for share in (0.5, 0.95)]
    return {
        "prompt tokens (min / median / 95 % / max)": f"{ordered[0]} / {picks[0]} / {picks[1]} / {ordered[-1]}",
        f"prompts over {PAPER_MAX_PROMPT_TOKENS} tokens": sum(n > PAPER_MAX_PROMPT_TOKENS for n in ordered),
    }


def render(title: str, reports: Sequence[SplitReport]) -> str:
    """The table, one column a split, followed by one line for every refused row, duplicate and overlap."""
    columns = [_column(report) for report in reports]
    labels = list(dict.fromkeys(label for column in columns for label in column))
    grid = [[title, *(report.split for report in reports)]]
    grid += [[label, *(str(column.get(label, 0)) for column in columns)] for label in labels]
    widths = [max(len(line[position]) for line in grid) for position in range(len(grid[0]))]
    lines = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in grid]
    lines.insert(1, "-" * len(lines[0]))
    return "\n".join([*lines, "", *_remarks(reports), "Row numbers count from 0 in the source file."])


def _column(report: SplitReport) -> dict[str, Any]:
    counts = {
        "rows in": report.num_in,
        "rows refused": len(report.refused),
        "rows left out by --limit": report.num_left_out,
        "rows out": len(report.rows),
    }
    return {**counts, **report.facts, "questions asked more than once": len(duplicates(report.rows))}


def _remarks(reports: Sequence[SplitReport]) -> list[str]:
    lines = [f"refused: {report.split} row {row}: {why}" for report in reports for row, why in report.refused]
    for report in reports:
        lines += [f"duplicate: {_named(group)}" for group in duplicates(report.rows)]
    if len(reports) < 2:
        return [*lines, "overlap between splits: not looked for, only one split was read"]
    pairs = overlaps(reports[0].rows, reports[1].rows)
    lines += [f"overlap: {_named(pair)}" for pair in pairs]
    return [*lines, f"questions in both splits: {len(pairs)} (kept in both)"]


def _named(rows: Iterable[Mapping[str, Any]]) -> str:
    return " = ".join(
        f"{row['extra_info']['split']} row {row['extra_info']['index']} (answer {row['reward_model']['ground_truth']})"
        for row in rows
    )


def _by_question(rows: Rows) -> dict[str, list[Mapping[str, Any]]]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(question_text(row), []).append(row)
    return groups
