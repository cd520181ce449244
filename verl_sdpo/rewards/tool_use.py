# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Tool use: are the calls that a response makes, in their order, the expected ones?

The published prompts ask for lines ``Action: name``, each followed by ``Action Input:`` and a JSON object with the
arguments. Reasoning up to the last ``</think>`` is not read.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from verl_sdpo.rewards import feedback_texts as texts
from verl_sdpo.rewards.outcome import excerpt, is_truncated

_CALL_FIELDS = ("Action", "Action_Input")
# The lines that the prompts' format knows; bold labels are what chat models make of them.
_LABEL = re.compile(
    r"^[ \t]{0,16}(?:\*\*|__)?(Action Input|Action|Thought|Observation|Question|Final Answer)(?:\*\*|__)?[ \t]{0,4}:"
    r"(?:\*\*|__)?",
    re.MULTILINE,
)
_FENCE = re.compile(r"\s*```(?:json)?[ \t]*\n?")
_MAX_DEPTH = 100
_MAX_REMARKS = 5


class _Call(NamedTuple):
    action: str
    arguments: dict[str, Any]
    written: str  # the arguments as the ground truth has them, for reveal_answer


class _Reading(NamedTuple):
    calls: list[_Call]
    faults: list[str]


def compute_score(
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    *,
    reveal_answer: bool = False,
) -> dict[str, Any]:
    """Score 1 where the whole list of calls is the expected one, else 0 with feedback.

    Args:
        solution_str: the response.
        ground_truth: JSON of a list of ``{"Action": name, "Action_Input": JSON text of an object}``.
        extra_info: the row's; only ``truncated`` is read.
        reveal_answer: end the feedback with the expected calls. Off: an environment that does not hand out answers.

    Returns:
        ``score``, ``feedback``, ``incorrect_format`` (1.0 where a call cannot be read, or there is none).

    Raises:
        ValueError: the ground truth is no such list.
    """
    expected = _expected_calls(ground_truth)
    calls, faults = _read_calls(solution_str)
    remarks = [texts.incorrect_format(fault) for fault in faults] or _differences(calls, expected)
    if not remarks:
        return {"score": 1.0, "feedback": "", "incorrect_format": 0.0}
    if len(remarks) > _MAX_REMARKS:
        remarks = [*remarks[:_MAX_REMARKS], texts.more_faults(len(remarks) - _MAX_REMARKS)]
    if faults and is_truncated(extra_info):
        remarks.insert(0, texts.CUT_OFF)
    if reveal_answer:
        remarks.append(texts.expected_calls((call.action, call.written) for call in expected))
    return {"score": 0.0, "feedback": "\n".join(remarks), "incorrect_format": float(bool(faults))}


def check_ground_truth(ground_truth: Any, extra_info: Mapping[str, Any] | None = None) -> None:
    """Whether a row can be scored, whatever the response; `extra_info` does not matter.

    Raises:
        ValueError: the ground truth is no list of calls.
    """
    _expected_calls(ground_truth)


def _expected_calls(ground_truth: Any) -> list[_Call]:
    remedy = "correct the row's reward_model.ground_truth"
    calls = _decoded(ground_truth) if isinstance(ground_truth, str) else None
    if not isinstance(calls, list) or not calls:
        raise ValueError(f"ground truth {str(ground_truth)[:80]!r} must be a JSON list of at least one call; {remedy}")
    expected = []
    for number, call in enumerate(calls):
        if not isinstance(call, dict) or set(call) != set(_CALL_FIELDS):
            raise ValueError(f"ground truth, call {number}: must have {' and '.join(_CALL_FIELDS)} only; {remedy}")
        action, written = (call[name] for name in _CALL_FIELDS)
        arguments = _decoded(written) if isinstance(written, str) else None
        if not isinstance(action, str) or not action.strip() or not isinstance(arguments, dict):
            raise ValueError(f"ground truth, call {number}: must be a name and the text of a JSON object; {remedy}")
        if _is_deep(arguments):
            raise ValueError(f"ground truth, call {number}: is nested over {_MAX_DEPTH} levels; {remedy}")
        expected.append(_Call(action.strip(), arguments, written))
    return expected


def _decoded(text: str) -> Any:
    """The JSON value that ``text`` is; None where it is none."""
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [part for item in level if isinstance(item, dict | list) for part in _parts(item)]
        if not level:
            return False
    return True


def _parts(item: dict[str, Any] | list[Any]) -> Any:
    return item.values() if isinstance(item, dict) else item


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are all different: of two values of one argument, neither is what is meant."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an argument is given twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def _read_calls(solution: str) -> _Reading:
    """Every call of the response in order, and what is wrong with those that cannot be read."""
    text = solution.rpartition("</think>")[2]
    labels = list(_LABEL.finditer(text))
    calls: list[_Call] = []
    faults: list[str] = []
    action: str | None = None
    ends = [label.start() for label in labels[1:]] + [len(text)]
    for label, end in zip(labels, ends, strict=False):
        # No label can stand inside an argument: at the start of a line it is no part of JSON. So each piece is read
        # once, which keeps the work proportional to the text.
        piece = text[label.end() : end]
        if label.group(1) == "Action":
            if action is not None:
                faults.append(texts.action_without_input(excerpt(action)))
            action = _name(piece)
        elif label.group(1) == "Action Input":
            if action is None:
                faults.append(texts.NO_ACTION)
                continue
            arguments, fault = _arguments(piece)
            if not action or fault:
                faults.append(texts.call_fault(len(calls) + 1, fault or texts.NO_ACTION_NAME))
            calls.append(_Call(action, arguments, ""))
            action = None
    if action is not None:
        faults.append(texts.action_without_input(excerpt(action)))
    if not calls and not faults:
        problem = texts.EMPTY_RESPONSE if not solution.strip() else texts.NO_CALL
        faults.append(texts.no_calls(problem))
    return _Reading(calls, faults)


def _name(piece: str) -> str:
    lines = piece.split("\n", 2)[:2]
    # A name on the line after its label is still a name.
    return next((line for line in lines if line.strip()), "").strip().strip("`*\"'").strip()


def _arguments(piece: str) -> tuple[dict[str, Any], str]:
    """The arguments that a piece begins with, and what is wrong with them, empty where nothing is."""
    fence = _FENCE.match(piece)
    text = (piece[fence.end() :] if fence else piece).lstrip()
    if not text:
        return {}, texts.NO_ACTION_INPUT
    try:
        value, end = _DECODER.raw_decode(text)
    except RecursionError:
        return {}, texts.DEEP_ACTION_INPUT
    except ValueError as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        # Other errors quote what Python could not convert.
        return {}, texts.input_not_json(excerpt(reason), excerpt(text))
    if not isinstance(value, dict):
        return {}, texts.input_no_object(excerpt(text))
    rest = text[end:].split("\n", 1)[0].strip().strip("`")
    if rest:
        return {}, texts.text_after_input(excerpt(rest))
    return value, ""


def _differences(calls: list[_Call], expected: list[_Call]) -> list[str]:
    """What distinguishes the calls from the expected ones, without saying what was expected."""
    remarks = []
    for number, (call, wanted) in enumerate(zip(calls, expected, strict=False), 1):
        if call.action != wanted.action:
            found = [texts.WRONG_ACTION]
        else:
            found = _argument_differences(call.arguments, wanted.arguments)
        remarks += [texts.in_call(number, excerpt(call.action), remark) for remark in found]
    if len(calls) != len(expected):
        remarks.append(texts.wrong_number_of_calls(len(calls), len(expected)))
    return remarks


def _argument_differences(given: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    remarks = [texts.unexpected_argument(excerpt(name)) for name in given if name not in wanted]
    remarks += [
        texts.wrong_argument(excerpt(name))
        for name, value in given.items()
        if name in wanted and not _is_same(value, wanted[name])
    ]
    # Their names would be a part of the answer.
    if missing := len(set(wanted) - set(given)):
        remarks.append(texts.missing_arguments(missing))
    return remarks


def _is_same(given: Any, wanted: Any) -> bool:
    """Whether two JSON values are the same: 1 is 1.0, but neither "1" nor true. As deep as the wanted one at most."""
    if isinstance(wanted, bool) or isinstance(given, bool):
        return given is wanted
    if isinstance(wanted, int | float):
        return isinstance(given, int | float) and given == wanted
    if type(given) is not type(wanted):
        return False
    if isinstance(wanted, dict):
        return given.keys() == wanted.keys() and all(_is_same(given[name], value) for name, value in wanted.items())
    if isinstance(wanted, list):
        return len(given) == len(wanted) and all(map(_is_same, given, wanted))
    return given == wanted
