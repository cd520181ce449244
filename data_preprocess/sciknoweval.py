# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""SciKnowEval's multiple-choice questions (level L3) as rows of the schema.

python -m data_preprocess.sciknoweval --input FOLDER_OR_FILE --output FOLDER
python -m data_preprocess.sciknoweval --domain DOMAIN --output FOLDER

Two forms are read, which their fields tell apart: the files of the published splits, and the hub's records.
"""

import argparse
import contextlib
import dataclasses
import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from data_preprocess.answer_prompts import LETTERS, fit_system_prompt, states_other_number
from data_preprocess.command import run
from data_preprocess.dataset import Dataset, Place, Record, Refused, Row, text_field
from data_preprocess.records import read_records
from data_preprocess.schema import UserError, chat_prompt, make_row
from data_preprocess.sciknoweval_raw import NUM_QUESTIONS, PublishedSplit, as_published, is_raw
from data_preprocess.sources import split_files

_LABELS = LETTERS + "K"  # one more, to see that a question has too many
_DOMAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def option_letters(question: str) -> str:
    """Letters of the options that end a question, e.g. ``"ABCD"``; an option is a line such as ``B: 1.72``.

    Only the last block that starts with ``A:`` counts: a SMILES string or a table further up may look like an option.

    Raises:
        Refused: fewer than two options, or more than ten.
    """
    letters = ""
    for line in question.split("\n"):
        if line.startswith("A:"):
            letters = "A"
        elif letters and len(letters) < len(_LABELS) and line.startswith(f"{_LABELS[len(letters)]}:"):
            letters += _LABELS[len(letters)]
    if not 2 <= len(letters) <= len(LETTERS):
        raise Refused(f"needs 2 to 10 options, lines 'A: ...', 'B: ...'; found {len(letters) or 'none'}")
    return letters


def convert(record: Record, place: Place, options: argparse.Namespace) -> Row:
    """One source record as a row; question and system prompt keep their published text unless ``fit_system_prompt``.

    Raises:
        LeftOut: of the hub's records, those that are not of the domain, the level, the type or this split.
        Refused: why this record cannot be a row.
    """
    if options.published is None:
        return _published_row(record, place, options)
    number = options.published.number(record, place)
    row = _published_row(as_published(record, number), place, options)
    options.published.check_split(row, place, number)
    return row


def _published_row(record: Record, place: Place, options: argparse.Namespace) -> Row:
    question, system = text_field(record, "prompt"), record.get("system")
    if system is not None and not isinstance(system, str):
        raise Refused(f"'system' must be text, is {type(system).__name__}")
    letters = option_letters(question)
    answer = record.get("answer")
    if not isinstance(answer, str) or len(answer.strip()) != 1 or answer.strip() not in letters:
        raise Refused(f"answer {answer!r} is not one of its options {', '.join(letters)}", "answer is no option")
    if system is not None and options.fit_system_prompt:
        system = fit_system_prompt(system, letters)
    return make_row(
        data_source=_data_source(options),
        prompt=chat_prompt(question, system),
        ground_truth=answer.strip(),
        ability="science",
        split=place.split,
        index=place.row,
        source_id=None if record.get("idx") is None else str(record["idx"]),
        details={"options": letters},
    )


def _facts(row: Row) -> Iterator[str]:
    """Table lines on options and answers."""
    letters = option_letters(row["prompt"][-1]["content"])
    yield f"questions with {len(letters)} options"
    yield f"answers {row['reward_model']['ground_truth']}"
    system = row["prompt"][0]["content"] if row["prompt"][0]["role"] == "system" else None
    if states_other_number(system, letters):
        yield "system prompt names another number of options"


def _remarks(split: str, options: argparse.Namespace) -> Iterator[str]:
    if options.published is not None:
        yield from options.published.remarks(split)


def _data_source(options: argparse.Namespace) -> str:
    return f"sciknoweval/{options.domain}"


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--domain",
        help=f"second half of data_source, and which of the hub's records are read ({', '.join(NUM_QUESTIONS)}); "
        "default: the input folder's name",
    )
    parser.add_argument(
        "--fit-system-prompt",
        action="store_true",
        help="state each question's own number of options in its system prompt instead of the published 'four'",
    )


def _check_options(options: argparse.Namespace) -> None:
    """Names the domain after the input folder where none is given, and finds out in which form the input is."""
    source = Path(options.input or "").resolve()
    folder = (source.parent if source.is_file() else source).name
    options.published = None
    if not _is_raw_input(options):
        options.domain = options.domain or folder
        if not _DOMAIN.fullmatch(options.domain):
            raise ValueError(
                f"domain {options.domain!r} must be letters, digits, '_', '-' or '.': name it with --domain"
            )
        return
    domain = (options.domain or folder).lower()
    if domain not in NUM_QUESTIONS:
        given = f"--domain {options.domain}: must be" if options.domain else "the input has all domains: give --domain"
        raise ValueError(f"{given} {', '.join(NUM_QUESTIONS)}")
    options.domain = domain
    options.published = PublishedSplit(domain)


def _is_raw_input(options: argparse.Namespace) -> bool:
    """Whether ``--input`` is in the hub's form; not where it cannot be read, which is told later."""
    if options.input is None or not Path(options.input).exists():
        return options.input in (None, DATASET.hub_id)
    for dataset in (DATASET, RAW):
        # A folder with a lone test file may be of either form, so the first record decides.
        with contextlib.suppress(UserError):
            [files] = split_files(dataset, Path(options.input), options.split or "test").values()
            return any(is_raw(record.value) for path in files for record in itertools.islice(read_records(path), 1))
    return False


def _for_input(options: argparse.Namespace) -> Dataset:
    return DATASET if options.published is None else RAW


DATASET = Dataset(
    name="sciknoweval",
    convert=convert,
    hub_id="hicai-zju/SciKnowEval",
    hub_config="v2",
    add_options=_add_options,
    check_options=_check_options,
    label=_data_source,
    facts=_facts,
    remarks=_remarks,
    # The published splits are kept exactly, and material's share a question.
    on_overlap="keep",
    for_input=_for_input,
)
# The hub has one split, called test, of which both of ours are made.
RAW = dataclasses.replace(
    DATASET,
    splits={"train": "test", "test": "test"},
    files=dict.fromkeys(("train", "test"), ["sciknoweval*test*.jsonl", "v2/sciknoweval*test*.jsonl"]),
)


if __name__ == "__main__":
    sys.exit(run(DATASET))
