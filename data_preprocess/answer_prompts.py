# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What prompts tell the student about the form of its answer, in one place, since the rewards read that form."""

import re
from collections.abc import Sequence

# Of the options of a question.
LETTERS = "ABCDEFGHIJ"
# The system prompt of the published SciKnowEval files, to the character, so that all multiple choice asks alike.
PUBLISHED_CHOICE_PROMPT = """
Given a question and four options, please select the right answer. Respond in the following format:
<reasoning>
...
</reasoning>
<answer>
...
</answer>

For the answer, only output the letter corresponding to the correct option (A, B, C, or D), and nothing else. \
Do not restate the answer text. For example, if the answer is "A", just output:
<answer>
A
</answer>
"""
_NUMBER_WORDS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight", 9: "nine", 10: "ten"}
_STATED_NUMBER = re.compile(rf"\b({'|'.join(_NUMBER_WORDS.values())}) options\b")
_STATED_LETTERS = re.compile(r"\(A(?:, [B-J])*,? or [B-J]\)")
_STEP_BY_STEP = "Please reason step by step."
BOXED_INSTRUCTION = "Please reason step by step, and put your final answer within \\boxed{}."


def states_other_number(system: str | None, letters: str) -> bool:
    """Whether the system prompt speaks of another number of options than the question has."""
    stated = _STATED_NUMBER.search(system or "")
    return stated is not None and stated.group(1) != _NUMBER_WORDS[len(letters)]


def fit_system_prompt(system: str, letters: str) -> str:
    """The published system prompt with the number of options and their letters made true for this question."""
    *others, last = letters
    choice = f"{others[0]} or {last}" if len(others) == 1 else f"{', '.join(others)}, or {last}"
    return _STATED_LETTERS.sub(f"({choice})", _STATED_NUMBER.sub(f"{_NUMBER_WORDS[len(letters)]} options", system))


def choice_system_prompt(num_options: int) -> str:
    """How to answer multiple choice: the published text, with the number of options and their letters made true."""
    return fit_system_prompt(PUBLISHED_CHOICE_PROMPT, LETTERS[:num_options])


def choice_question(question: str, options: Sequence[str]) -> str:
    """A question with its options, one a line such as ``B: 1.72``, as the published SciKnowEval files have it."""
    lines = [f"{letter}: {option}" for letter, option in zip(LETTERS, options)]
    return "\n".join([question, "", *lines, _STEP_BY_STEP])


def boxed_question(problem: str) -> str:
    """A mathematical problem, and that its answer belongs in a box."""
    return f"{problem}\n\n{BOXED_INSTRUCTION}"
