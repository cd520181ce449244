# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The records of one split to rows of one file: each becomes a row, is refused with its reason, or is left out."""

import argparse
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tqdm import tqdm

from data_preprocess.dataset import Dataset, LeftOut, Place, Refused, Row
from data_preprocess.records import Record
from data_preprocess.report import ChatTokenizer, SplitReport, prompt_tokens
from data_preprocess.round_trip import RoundTrip
from data_preprocess.schema import check_row
from data_preprocess.sources import SplitSource
from data_preprocess.uniqueness import SeenRows
from data_preprocess.writer import RowWriter

# What code written for sound records raises at odd ones: a number where text should be, a list that is too short.
_ODD_RECORD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class Conversion(NamedTuple):
    """What the splits of one run share."""

    dataset: Dataset
    options: argparse.Namespace
    seen: SeenRows
    tokenizer: ChatTokenizer | None
    found_ids: set[str]  # those of --single-question that some row has


def convert_split(run: Conversion, source: SplitSource, writer: RowWriter, avoid: str | None = None) -> SplitReport:
    """Reads, converts, checks and writes one split.

    Args:
        run: the dataset and its options.
        source: the split.
        writer: takes the rows.
        avoid: a split already converted, whose questions are refused here; None: none are.

    Raises:
        UserError: the source cannot be read or the file cannot be written.
    """
    report = SplitReport(source.split, lengths=None if run.tokenizer is None else Counter())
    round_trip = RoundTrip(run.dataset, run.options)
    chosen = _drawn_positions(run, source)
    position = 0
    for record in _shown(source.records(), source.split):
        report.num_in += 1
        try:
            row = to_row(run.dataset, record, source.split, run.options)
            if not _is_asked_for(run, row):
                report.left_out["--single-question"] += 1
                continue
            is_kept = report.num_out < (run.options.limit or report.num_in) if chosen is None else position in chosen
            position += 1
            if not is_kept:
                report.left_out["--limit"] += 1
            else:
                # Here and not earlier: it costs most.
                checked = round_trip.tried(row, record.value)
                _take(run, row, writer, report, avoid)
                report.facts.update(checked)
        except LeftOut as choice:
            report.left_out[str(choice)] += 1
        except Refused as refusal:
            report.refused.add(record.row, str(refusal), refusal.kind)
        if run.options.streaming and chosen is None and report.num_out == run.options.limit:
            report.notes.append(f"read no further than row {record.row}, where --limit was reached")
            break
    else:
        if run.dataset.remarks is not None:
            report.notes.extend(run.dataset.remarks(source.split, run.options))
    report.notes.extend(round_trip.remarks())
    return report


def to_row(dataset: Dataset, record: Record, split: str, options: argparse.Namespace) -> Row:
    """One record as a sound row.

    Raises:
        Refused: why it cannot be one.
    """
    if record.value is None:
        raise Refused(record.problem, "unreadable")
    try:
        row = dataset.convert(record.value, Place(split, record.row), options)
    except Refused:
        raise
    except KeyError as error:
        raise Refused(f"has no {error}") from error
    except _ODD_RECORD as error:
        kind = "cannot be converted"
        raise Refused(f"{kind}: {type(error).__name__}: {error}", kind) from error
    if faults := check_row(row):
        fields = ", ".join(dict.fromkeys(field for field, _ in faults))
        raise Refused("; ".join(f"{field}: {problem}" for field, problem in faults), f"fault in {fields}")
    return row


def _take(run: Conversion, row: Row, writer: RowWriter, report: SplitReport, avoid: str | None) -> None:
    """Makes the last checks, which depend on other rows, and writes the row."""
    if avoid and run.seen.has_prompt(avoid, row):
        raise Refused(f"asks what {avoid} asks too (--on-overlap)")
    earlier = run.seen.add(report.split, row)
    if earlier is not None:
        raise Refused(f"index {row['extra_info']['index']} is already that of another row", "repeats an index")
    writer.write(row)
    report.num_out += 1
    report.facts.update(_filled_fields(row))
    if run.dataset.facts is not None:
        report.facts.update(run.dataset.facts(row))
    if report.lengths is not None:
        report.lengths[prompt_tokens(row, run.tokenizer)] += 1


def _filled_fields(row: Row) -> Iterator[str]:
    names = {"privileged_context": row["privileged_context"], "ground truth": row["reward_model"]["ground_truth"]}
    names |= {name: row["extra_info"][name] for name in ("source_id", "details")}
    if row["prompt"][0]["role"] == "system":
        yield "rows with a system prompt"
    yield from (f"rows with {name}" for name, value in names.items() if value is not None)


def _is_asked_for(run: Conversion, row: Row) -> bool:
    wanted = run.options.single_question
    if not wanted:
        return True
    matched = {row["extra_info"]["source_id"], str(row["extra_info"]["index"])} & set(wanted)
    run.found_ids.update(matched)
    return bool(matched)


def _drawn_positions(run: Conversion, source: SplitSource) -> set[int] | None:
    """Which of the rows that could be written are to be, where ``--seed`` draws them; None where it does not.

    Drawing needs their number, and holding them all would need memory: so the source is read twice.
    """
    limit, seed = run.options.limit, run.options.seed
    if limit is None or seed is None:
        return None
    number = 0
    for record in source.records():
        try:
            number += _is_asked_for(run, to_row(run.dataset, record, source.split, run.options))
        except Refused:
            continue
    return set(random.Random(seed).sample(range(number), min(limit, number)))


def _shown(records: Iterable[Record], split: str) -> Iterator[Record]:
    # disable=None: no bar where stderr is no terminal.
    yield from tqdm(records, desc=split, unit=" rows", disable=None)
