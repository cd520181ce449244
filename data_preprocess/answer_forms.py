# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Answers in the forms that prompts ask for and rewards read."""

from collections.abc import Mapping


def boxed(answer: str) -> str:
    """A mathematical answer."""
    return f"\\boxed{{{answer}}}"


def tagged(letter: str) -> str:
    """The letter of an option."""
    return f"<answer>\n{letter}\n</answer>"


def program(code: str) -> str:
    """Python source."""
    return f"```python\n{code}\n```"


def tool_call(call: Mapping[str, str]) -> str:
    """One call of a ground truth of tool use."""
    return f"Action: {call['Action']}\nAction Input: {call['Action_Input']}"
