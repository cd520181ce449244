# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Does a row's own gold answer score 1 under its reward, and a wrong one 0?"""

import json
import re
from collections.abc import Callable
from typing import NamedTuple

from data_preprocess.answer_forms import boxed, tagged, tool_call
from data_preprocess.dataset import Dataset, Refused, Row
from verl_sdpo.rewards import compute_score, registered_rewards
from verl_sdpo.rewards.outcome import row_details


class Responses(NamedTuple):
    """How a right and a wrong response to a row read."""

    gold: Callable[[Row], str]
    wrong: Callable[[Row], str]


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
}


def reward_name(data_source: str) -> str | None:
    """The registered reward that ``compute_score`` takes for a data source; None where there is none."""
    known, name = registered_rewards(), data_source
    while name and name not in known:
        name = name.rpartition("/")[0]
    return name or None


def responses_of(dataset: Dataset, row: Row) -> Responses | None:
    """The right and the wrong response to a row of the dataset; None where there is no reward or nothing to try."""
    name = reward_name(row["data_source"])
    if name is None:
        return None
    known = RESPONSES.get(name)
    gold = dataset.gold_response or (known and known.gold)
    wrong = dataset.wrong_response or (known and known.wrong)
    return Responses(gold, wrong) if gold and wrong else None


def check_reward(row: Row, responses: Responses) -> None:
    """Scores both responses.

    Raises:
        Refused: the right one does not score 1, the wrong one does not score 0, or the reward finds the row broken.
    """
    for which, response, wanted in (("gold", responses.gold(row), 1.0), ("wrong", responses.wrong(row), 0.0)):
        truth = row["reward_model"]["ground_truth"]
        try:
            outcome = compute_score(row["data_source"], response, truth, row["extra_info"])
        except ValueError as error:
            raise Refused(f"the reward refuses it: {error}", "the reward refuses it") from error
        if outcome["score"] != wanted:
            kind = f"the {which} answer does not score {wanted:g}"
            told = f": {outcome['feedback'][:200]}" if outcome["feedback"] else ""
            raise Refused(f"{kind} but {outcome['score']:g}{told}", kind)
