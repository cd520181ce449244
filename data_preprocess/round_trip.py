# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Does a row's own gold answer score 1 under its reward, and a wrong one 0?"""

import argparse
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from data_preprocess.answer_forms import boxed, tagged, tool_call
from data_preprocess.code_answers import expected_outputs, other_output
from data_preprocess.dataset import Dataset, NotTried, Record, Refused, Row
from verl_sdpo.rewards import compute_score, registered_rewards
from verl_sdpo.rewards.outcome import row_details
from verl_sdpo.sandbox import SandboxRefused

_NO_RESPONSES = "none is registered, or no response is known"
_OVER_BOUND = "more rows than --check-rows"
_NO_SANDBOX = "programs cannot be run here"
_SANDBOX_FAILED = "the sandbox failed"


class Responses(NamedTuple):
    """How a right and a wrong response to a row read."""

    gold: Callable[[Row], str]
    wrong: Callable[[Row], str]
    # What is tried, for the table.
    told: str = "gold answer scores 1, a wrong one 0"


def _tagged(letter: str) -> str:
    return f"<reasoning>\nBecause.\n</reasoning>\n{tagged(letter)}"


def _other_letter(row: Row) -> str:
    truth = row["reward_model"]["ground_truth"].strip().upper()
    return next(letter for letter in row_details(row["extra_info"]).get("options", "AB") if letter != truth)


def _boxed(answer: str) -> str:
    return f"Because.\n\n{boxed(answer)}"


def other_number(row: Row) -> str:
    """A number that is not the row's ground truth: the next one where that is a whole number."""
    truth = row["reward_model"]["ground_truth"]
    is_whole = re.fullmatch(r"-?\d{1,100}", truth, re.ASCII)
    return str(int(truth) + 1) if is_whole else next(number for number in ("-98765", "-98764") if number not in truth)


def _calls(row: Row) -> list[dict[str, str]]:
    return json.loads(row["reward_model"]["ground_truth"])


def _wrong_calls(row: Row) -> list[dict[str, str]]:
    *others, last = _calls(row)
    return [*others, last | {"Action": f"not_{last['Action']}"}]


def _calls_text(calls: list[dict[str, str]]) -> str:
    return "\n".join(f"Thought: a call.\n{tool_call(call)}" for call in calls)


_CHOICE = Responses(lambda row: _tagged(row["reward_model"]["ground_truth"]), lambda row: _tagged(_other_letter(row)))
_BOXED = Responses(lambda row: _boxed(row["reward_model"]["ground_truth"]), lambda row: _boxed(other_number(row)))
_CALLS = Responses(lambda row: _calls_text(_calls(row)), lambda row: _calls_text(_wrong_calls(row)))
# By the reward's name; a dataset whose rows need others has them in its Dataset.
RESPONSES = {
    **dict.fromkeys(("multiple_choice", "sciknoweval", "gpqa", "mmlu_pro"), _CHOICE),
    **dict.fromkeys(("gsm8k", "math"), _BOXED),
    "tooluse": _CALLS,
    "code": Responses(expected_outputs, other_output, "expected outputs score 1, others 0"),
}


def reward_name(data_source: str) -> str | None:
    """The registered reward that ``compute_score`` takes for a data source; None where there is none."""
    known, name = registered_rewards(), data_source
    while name and name not in known:
        name = name.rpartition("/")[0]
    return name or None


def responses_of(dataset: Dataset, row: Row, record: Record) -> Responses | None:
    """The right and the wrong response to a row of the dataset; None where there is no reward or nothing to try."""
    name = reward_name(row["data_source"])
    if name is None:
        return None
    known = RESPONSES.get(name)
    gold = dataset.gold_response or (known and known.gold)
    wrong = dataset.wrong_response or (known and known.wrong)
    if dataset.solution is not None:
        return Responses(lambda _: dataset.solution(record), wrong) if wrong else None
    return Responses(gold, wrong, known.told if known else Responses.told) if gold and wrong else None


def check_reward(row: Row, responses: Responses) -> None:
    """Scores both responses.

    Raises:
        Refused: the right one does not score 1, the wrong one does not score 0, or the reward finds the row broken.
        NotTried: there is no response, or programs cannot be run.
    """
    for which, outcome, wanted in zip(("gold", "wrong"), _outcomes(row, responses), (1.0, 0.0), strict=True):
        if outcome["sandbox_error"]:
            raise NotTried(_SANDBOX_FAILED)
        if outcome["bad_test"]:
            kind = "a test, or its checker, is broken"
            raise Refused(f"{kind}: no verdict on the {which} answer", kind)
        if outcome["score"] != wanted:
            kind = f"the {which} answer does not score {wanted:g}"
            told = f": {outcome['feedback'][:200]}" if outcome["feedback"] else ""
            raise Refused(f"{kind} but {outcome['score']:g}{told}", kind)


def _outcomes(row: Row, responses: Responses) -> Iterator[dict[str, Any]]:
    """What the right and the wrong response score. In this thread: another one could not be interrupted."""
    truth, about = row["reward_model"]["ground_truth"], row["extra_info"]
    try:
        for response in (responses.gold, responses.wrong):
            yield compute_score(row["data_source"], response(row), truth, about)
    except ValueError as error:
        # The rewards' front door makes one kind of error of all.
        for refusal in (error, error.__cause__):
            if isinstance(refusal, SandboxRefused):
                raise refusal from None
        raise Refused(f"the reward refuses it: {error}", "the reward refuses it") from error


class RoundTrip:
    """The round trip of the rows of one split, as far as options and machine allow."""

    def __init__(self, dataset: Dataset, options: argparse.Namespace) -> None:
        self._dataset = dataset
        self._is_wanted, self._most = options.check_reward, options.check_rows
        self._num_tried = 0
        self._refusal = ""

    def tried(self, row: Row, record: Record) -> tuple[str, ...]:
        """Lines of the table that count this row.

        Raises:
            Refused: the answers do not score as they should.
        """
        if not self._is_wanted:
            return ()
        try:
            return (f"reward: {self._try(row, record)}",)
        except NotTried as reason:
            return (f"reward not tried: {reason}",)

    def _try(self, row: Row, record: Record) -> str:
        responses = responses_of(self._dataset, row, record)
        if responses is None:
            raise NotTried(_NO_RESPONSES)
        if self._most is not None and self._num_tried >= self._most:
            raise NotTried(_OVER_BOUND)
        if self._refusal:
            raise NotTried(_NO_SANDBOX)
        self._num_tried += 1
        try:
            check_reward(row, responses)
        except SandboxRefused as refusal:
            self._refusal = str(refusal)
            raise NotTried(_NO_SANDBOX) from refusal
        return responses.told

    def remarks(self) -> list[str]:
        """What to say below the table: why programs could not be run."""
        # "e.g. a file" ends no sentence.
        first_sentence = re.split(r"\. (?=[A-Z])", self._refusal, maxsplit=1)[0]
        return [f"WARNING: {_NO_SANDBOX}, so no answers were tried: {first_sentence}"] if self._refusal else []
