# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""SciKnowEval's multiple-choice questions (level L3) as rows of the schema.

python -m data_preprocess.sciknoweval --input FOLDER_OR_FILE --output FOLDER
"""

import argparse
import random
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from data_preprocess.records import Record, file_digest, read_records, split_files
from data_preprocess.schema import SPLITS, chat_prompt, check_rows, make_row, write_parquet
from data_preprocess.table import SplitReport, length_facts, render, token_lengths

LETTERS = "ABCDEFGHIJ"
_LABELS = LETTERS + "K"  # one more, to see that a question has too many
NUMBER_WORDS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight", 9: "nine", 10: "ten"}
_STATED_NUMBER = re.compile(rf"\b({'|'.join(NUMBER_WORDS.values())}) options\b")
_STATED_LETTERS = re.compile(r"\(A(?:, [B-J])*,? or [B-J]\)")
_DOMAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def option_letters(question: str) -> str:
    """Letters of the options that end a question, e.g. ``"ABCD"``; an option is a line such as ``B: 1.72``.

    Only the last block that starts with ``A:`` counts: a SMILES string or a table further up may look like an option.

    Raises:
        ValueError: fewer than two options, or more than ten.
    """
    letters = ""
    for line in question.split("\n"):
        if line.startswith("A:"):
            letters = "A"
        elif letters and len(letters) < len(_LABELS) and line.startswith(f"{_LABELS[len(letters)]}:"):
            letters += _LABELS[len(letters)]
    if not 2 <= len(letters) <= len(LETTERS):
        raise ValueError(f"needs 2 to 10 options, lines 'A: ...', 'B: ...'; found {len(letters) or 'none'}")
    return letters


def states_other_number(system: str | None, letters: str) -> bool:
    """Whether the system prompt speaks of another number of options than the question has."""
    stated = _STATED_NUMBER.search(system or "")
    return stated is not None and stated.group(1) != NUMBER_WORDS[len(letters)]


def fit_system_prompt(system: str, letters: str) -> str:
    """The published system prompt with the number of options and their letters made true for this question."""
    *others, last = letters
    choice = f"{others[0]} or {last}" if len(others) == 1 else f"{', '.join(others)}, or {last}"
    return _STATED_LETTERS.sub(f"({choice})", _STATED_NUMBER.sub(f"{NUMBER_WORDS[len(letters)]} options", system))


def convert(record: Mapping[str, Any], *, domain: str, split: str, index: int, fits_system: bool = False) -> dict:
    """One source record as a row; question and system prompt keep their published text unless ``fits_system``.

    Raises:
        ValueError: why this record cannot be a row.
    """
    question, system, answer = (record.get(name) for name in ("prompt", "system", "answer"))
    if not isinstance(question, str) or not question.strip():
        raise ValueError("has no question in 'prompt'")
    if system is not None and not isinstance(system, str):
        raise ValueError(f"'system' must be text, is {type(system).__name__}")
    letters = option_letters(question)
    if not isinstance(answer, str) or len(answer.strip()) != 1 or answer.strip() not in letters:
        raise ValueError(f"answer {answer!r} is not one of its options {', '.join(letters)}")
    if system is not None and fits_system:
        system = fit_system_prompt(system, letters)
    row = make_row(
        data_source=f"sciknoweval/{domain}",
        prompt=chat_prompt(question, system),
        ground_truth=answer.strip(),
        ability="science",
        split=split,
        index=index,
        source_id=None if record.get("idx") is None else str(record["idx"]),
        details={"options": letters},
    )
    if faults := check_rows([row]):
        raise ValueError("; ".join(f"{fault.field}: {fault.problem}" for fault in faults))
    return row


def convert_split(
    records: Sequence[Record],
    *,
    domain: str,
    split: str,
    fits_system: bool = False,
    limit: int | None = None,
    seed: int | None = None,
) -> SplitReport:
    """Every record becomes a row, is refused with its reason, or is beyond ``limit``.

    With ``limit`` the first rows are kept, or, given a ``seed``, a random choice of them in the file's order.
    """
    rows, refused = [], []
    for record in records:
        try:
            if record.value is None:
                raise ValueError(record.problem)
            rows.append(convert(record.value, domain=domain, split=split, index=record.row, fits_system=fits_system))
        except ValueError as error:
            refused.append((record.row, str(error)))
    num_rows = len(rows)
    if limit is not None and limit < num_rows:
        kept = range(limit) if seed is None else sorted(random.Random(seed).sample(range(num_rows), limit))
        rows = [rows[position] for position in kept]
    return SplitReport(split, len(records), rows, refused, num_rows - len(rows), _facts(rows))


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert, write ``train.parquet`` and ``test.parquet``, print the table; exit status 1 where a split is empty."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        _check_options(options)
        files = split_files(Path(options.input), options.split)
        records = {split: read_records(path) for split, path in files.items()}
    except ValueError as error:
        parser.error(str(error))
    reports = [
        convert_split(
            found,
            domain=options.domain,
            split=split,
            fits_system=options.fit_system_prompt,
            limit=options.limit,
            seed=options.seed,
        )
        for split, found in records.items()
    ]
    if options.tokenizer:
        reports = _with_lengths(reports, options.tokenizer)
    for report in reports:
        if report.rows:
            file = files[report.split]
            source = f"sciknoweval/{options.domain} {file.name} {file_digest(file)}"
            write_parquet(report.rows, Path(options.output) / f"{report.split}.parquet", source)
    print(render(f"sciknoweval/{options.domain}", reports))
    return 0 if all(report.rows for report in reports) else 1


def _check_options(options: argparse.Namespace) -> None:
    """Refuse options that would have no effect, and name the domain after the input folder where none is given."""
    if options.seed is not None and options.limit is None:
        raise ValueError("--seed chooses which rows --limit keeps: give --limit too")
    if options.limit is not None and options.limit < 1:
        raise ValueError(f"--limit {options.limit}: must be at least 1")
    source = Path(options.input).resolve()
    options.domain = options.domain or (source.parent if source.is_file() else source).name
    if not _DOMAIN.fullmatch(options.domain):
        raise ValueError(f"domain {options.domain!r} must be letters, digits, '_', '-' or '.': name it with --domain")


def _facts(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Table lines on options and answers."""
    letters = [option_letters(row["prompt"][-1]["content"]) for row in rows]
    systems = [row["prompt"][0]["content"] if row["prompt"][0]["role"] == "system" else None for row in rows]
    facts = {f"questions with {n} options": count for n, count in sorted(Counter(map(len, letters)).items())}
    answers = Counter(row["reward_model"]["ground_truth"] for row in rows)
    facts |= {f"answers {letter}": count for letter, count in sorted(answers.items())}
    facts["rows without a system prompt"] = sum(system is None for system in systems)
    facts["system prompt names another number of options"] = sum(map(states_other_number, systems, letters))
    return facts


def _with_lengths(reports: Sequence[SplitReport], tokenizer_path: str) -> list[SplitReport]:
    from transformers import AutoTokenizer  # heavy, and only wanted with --tokenizer

    tokenizer = AutoTokenizer.from_pretrained(tokenizer_path)
    return [
        replace(report, facts={**report.facts, **length_facts(token_lengths(report.rows, tokenizer))})
        for report in reports
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m data_preprocess.sciknoweval", description=__doc__.split("\n")[0])
    parser.add_argument("--input", required=True, help="folder with train.json and test.json (or .jsonl), or one file")
    parser.add_argument("--output", required=True, help="folder for train.parquet and test.parquet")
    parser.add_argument("--split", choices=SPLITS, help="read only this split")
    parser.add_argument("--domain", help="second half of data_source; default: the input folder's name")
    parser.add_argument("--limit", type=int, help="keep at most this many rows of each split")
    parser.add_argument("--seed", type=int, help="with --limit: keep a random choice instead of the first rows")
    parser.add_argument("--tokenizer", help="folder or name of a tokenizer, to count prompt tokens")
    parser.add_argument(
        "--fit-system-prompt",
        action="store_true",
        help="state each question's own number of options in its system prompt instead of the published 'four'",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
