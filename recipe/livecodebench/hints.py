# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What SDPO's teacher would be shown of a model's attempts (paper Table 2), one text a question, for `add_context`.

`python -m recipe.livecodebench.hints --responses DIR --data train.parquet --output hints.jsonl` reads what
`python -m verl_sdpo.evaluate MODEL --data train.parquet --output DIR` wrote. A hint is a successful attempt, or where
there is none the feedback on a failed one, in the words of the default templates; it stands behind the question as it
is, the line end before it included. Of several attempts it is the first that will do, as `demonstration_choice` has it.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data_preprocess.command import Parser, exit_status
from data_preprocess.schema import UserError
from data_preprocess.validate import column_problems, read_footer
from data_preprocess.writer import FINGERPRINT_KEY
from verl_sdpo.algorithm.reprompt import Reprompt, plan_reprompts
from verl_sdpo.algorithm.reprompt_config import RepromptConfig
from verl_sdpo.checkpoint.durable import write_whole
from verl_sdpo.evaluate.write import RESPONSES, RESULTS

COLUMNS = ("file", "row", "attempt", "response", "no_verdict", "score", "feedback")
CONFIG = RepromptConfig(
    # What stands behind the question; the last sentence is the run's own template's.
    reprompt_template="{prompt}{solution}{feedback}",
    # A new answer is asked for, not a verdict on an attempt: an only success is shown as well.
    dont_reprompt_on_self_success=False,
    environment_feedback_on_success=False,
)
_NO_QUESTION = ({"role": "user", "content": ""},)


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the file, whole or not at all, and says how many questions got what.

    Returns:
        Exit status: 0, or 2, with one line on stderr and nothing written, where something does not work.
    """
    with exit_status() as status:
        parser = Parser(prog="python -m recipe.livecodebench.hints", description=__doc__.split("\n")[0])
        add = parser.add_argument
        add("--responses", type=Path, required=True, metavar="DIR", help=f"of an evaluation, or its {RESPONSES}")
        add("--data", type=Path, required=True, metavar="FILE", help="the file that was evaluated on")
        add("--output", type=Path, required=True, metavar="FILE", help="JSON lines with source_id and hint")
        options = parser.parse_args(arguments)
        if options.output.exists():
            raise UserError(f"--output {options.output} exists: remove it, or name another file")
        source_ids = read_source_ids(options.data)
        attempts = read_attempts(options.responses, options.data)
        plans = {row: plan_hint(attempts.get(row, ())) for row in range(len(source_ids))}
        counts = _counts(plans, attempts)
        hints = {row: plan.render()[-1]["content"] for row, plan in plans.items() if plan is not None}
        if not hints:
            raise UserError(
                f"--responses {options.responses}: no question gets a hint: {counts}. Where responses have no verdict, "
                f"mend the reward, delete {RESULTS} there and start again"
            )
        if nameless := [row for row in hints if source_ids[row] is None]:
            raise UserError(f"--data {options.data} row {nameless[0]} has no source_id, which hints are joined by")
        options.output.parent.mkdir(parents=True, exist_ok=True)
        records = [{"source_id": source_ids[row], "hint": hint} for row, hint in hints.items()]
        write_whole(options.output, "".join(json.dumps(record) + "\n" for record in records))
        print(f"{options.output}: {counts}")
    return status.value


def plan_hint(attempts: Sequence[Mapping[str, Any]]) -> Reprompt | None:
    """What the teacher is shown of one question's attempts; None: there is nothing to show.

    Args:
        attempts: rows of the responses, in the order of `attempt`. Those without a verdict are passed over: they have
            neither succeeded nor failed, and their feedback is about the machine.
    """
    judged = [attempt for attempt in attempts if attempt["no_verdict"] is None]
    group = [
        {"uid": None, "prompt": _NO_QUESTION} | {name: attempt[name] for name in ("response", "score", "feedback")}
        for attempt in judged
    ]
    # Where there is a solution, all are shown the same one.
    return next((plan for plan in plan_reprompts(group, CONFIG) if plan.has_target), None)


def read_source_ids(data: Path) -> list[str | None]:
    """Of each row of a file in our schema.

    Raises:
        UserError: it is none.
    """
    _, schema = read_footer(data)
    if problems := column_problems(schema):
        raise UserError(f"--data {data} is not in the row schema: {problems[0]}")
    return [row["extra_info"]["source_id"] for row in _rows("--data", data, ["extra_info.source_id"])]


def read_attempts(responses: Path, data: Path) -> dict[int, list[dict[str, Any]]]:
    """The responses to the rows of a file, by the row, in the order in which they were made.

    Raises:
        UserError: they cannot be read, or are to other rows.
    """
    path = responses / RESPONSES if responses.is_dir() else responses
    _, schema = read_footer(path)
    if missing := [name for name in COLUMNS if name not in schema.names]:
        raise UserError(f"--responses {path} has no column {missing[0]}: make it with python -m verl_sdpo.evaluate")
    names = _names_of(data, path.with_name(RESULTS))
    rows = _rows("--responses", path, COLUMNS)
    attempts: dict[int, list[dict[str, Any]]] = {}
    for attempt in sorted(rows, key=lambda each: (each["row"], each["attempt"])):
        if attempt["file"] in names:
            attempts.setdefault(attempt["row"], []).append(attempt)
    return attempts


def _rows(option: str, path: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    try:
        with pq.ParquetFile(path) as file:
            return file.read(columns=list(columns)).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{option} {path} cannot be read: {error}") from error


def _names_of(data: Path, results: Path) -> set[str]:
    """What the evaluation called the file: a file may have moved, and other rows may have taken its place."""
    try:
        evaluated = json.loads(results.read_text(encoding="utf-8"))["data"]["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{results} of the evaluation is not there, or not whole: evaluate again") from error
    fingerprint = read_footer(data)[0].get(FINGERPRINT_KEY)
    names = {name for name, rows in evaluated.items() if rows is not None and rows == fingerprint}
    if not names:
        raise UserError(f"--data {data} has other rows than were evaluated on ({', '.join(evaluated)}): give that file")
    return names


def _counts(plans: Mapping[int, Reprompt | None], attempts: Mapping[int, Sequence[Mapping[str, Any]]]) -> str:
    def fate(row: int, plan: Reprompt | None) -> str:
        if plan is None:
            return "neither" if row in attempts else "not asked"
        return "solution" if plan.demonstration is not None else "feedback"

    fates = Counter(fate(row, plan) for row, plan in plans.items())
    unjudged = sum(attempt["no_verdict"] is not None for group in attempts.values() for attempt in group)
    return (
        f"of {len(plans)} questions {fates['solution']} with a solution, {fates['feedback']} with feedback, "
        f"{fates['neither']} without either, {fates['not asked']} not asked; {unjudged} responses without a verdict "
        "passed over"
    )


if __name__ == "__main__":
    sys.exit(main())
