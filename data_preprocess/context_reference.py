# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A row's own reference solution: its ground truth as a response would state it, or a field of its details."""

import json
from collections.abc import Callable, Sequence

from data_preprocess.answer_forms import boxed, tagged, tool_call
from data_preprocess.context_source import NoContext, Survey
from data_preprocess.dataset import Row
from data_preprocess.schema import UserError
from verl_sdpo.rewards.outcome import row_details


def _tool_calls(truth: str) -> str:
    try:
        calls = json.loads(truth)
        return "\n".join(map(tool_call, calls))
    except (ValueError, LookupError, TypeError) as error:
        raise NoContext("the ground truth is no list of calls") from error


def _tests(_: str) -> str:
    raise NoContext("the ground truth is tests, not a solution")


def _plain(truth: str) -> str:
    try:
        is_structure = isinstance(json.loads(truth), list | dict)
    except (ValueError, RecursionError):
        is_structure = False
    if is_structure:
        # What only a reward can read would be taken for the form that a response should have.
        raise NoContext("the ground truth is JSON for the reward, not a solution")
    return truth


# By ability; all others are taken as they are, unless they are JSON.
RENDERED: dict[str, Callable[[str], str]] = {"math": boxed, "tool_use": _tool_calls, "code": _tests}


def rendered_truth(row: Row) -> str:
    """The ground truth in the form that the prompts of its ability ask for.

    Raises:
        NoContext: there is none, or it is nothing that a response could state.
    """
    truth = row["reward_model"]["ground_truth"]
    if not truth:
        raise NoContext("the row has no ground truth")
    if "options" in row_details(row["extra_info"]):
        return tagged(truth)
    return RENDERED.get(row["ability"], _plain)(truth)


class ReferenceSolution:
    """Contexts from the rows themselves.

    Args:
        details_field: the field of ``extra_info.details`` that holds the solution; None: the ground truth is used.
    """

    num_failed = 0

    def __init__(self, details_field: str | None) -> None:
        self._field = details_field

    def description(self) -> str:
        """One line for the files' metadata."""
        return f"--details-field {self._field}" if self._field else "--reference-solution"

    def prepare(self, survey: Survey) -> None:
        """Looks for the field.

        Raises:
            UserError: no row has it.
        """
        if self._field is None:
            return
        fields: dict[str, None] = {}
        has_rows = False
        for row in survey.rows():
            has_rows = True
            details = row_details(row["extra_info"])
            if self._field in details:
                return
            if len(fields) < 12:
                fields |= dict.fromkeys(details)
        if has_rows:
            known = f"they have {', '.join(fields)}" if fields else "they have none at all"
            raise UserError(f"--details-field {self._field}: no row's details have this field; {known}")

    def context(self, row: Row) -> str:
        """The row's solution.

        Raises:
            NoContext: it has none.
        """
        if self._field is None:
            return rendered_truth(row)
        value = row_details(row["extra_info"]).get(self._field)
        if not isinstance(value, str) or not value.strip():
            raise NoContext(f"no text in details.{self._field}")
        return value

    def lines(self) -> Sequence[str]:
        """Nothing to remark."""
        return ()

    def close(self) -> None:
        """Nothing to give free."""
