# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Every sentence that a reward says to the model.

Feedback becomes a part of the teacher's prompt, and so of what is learned: a changed word changes training. Whatever of
the model's own text these functions are given has to be shortened before.
"""

from collections.abc import Iterable

from verl_sdpo.rewards.code_verdict import Verdict

# All rewards

# On a response whose answer may have been cut away.
CUT_OFF = "Your response was cut off at the maximum response length."
EMPTY_RESPONSE = "the response was empty"
NO_ANSWER_IN_FORM = "the response does not state its answer in the required form"


def incorrect_format(problem: str) -> str:
    return f"Incorrect format: {problem}"


def with_correct_answer(feedback: str, right: str) -> str:
    return f"{feedback} The correct answer is {right}."


# Multiple choice

TAGGED_TEXT = "the text between <answer> and </answer>"
BOXED_TEXT = "the text in \\boxed{}"
CHOICE_PLACES = {
    "tags": "between <answer> and </answer>",
    "boxed": "in \\boxed{}",
    "letter": "as the whole response",
}
INCOMPLETE_TAGS = "the response has an <answer> or </answer> tag but no complete pair"
ANY_LETTER = "the letter of one option"


def wrong_letter(letter: str) -> str:
    return f"Your answer {letter} is incorrect."


def not_one_letter(place: str, wanted: str, quoted: str) -> str:
    was = f"it was '{quoted}'" if quoted else "it was empty"
    return incorrect_format(f"{place} must be {wanted}; {was}.")


def missing_letter(problem: str, wanted: str, place: str) -> str:
    return incorrect_format(f"{problem}. Give {wanted} {place}.")


def one_letter_of(options: Iterable[str]) -> str:
    return f"one letter out of {', '.join(options)}"


# Mathematics

MATH_PLACES = {
    "boxed": "in \\boxed{}",
    "answer_line": "on a last line 'Answer: ...'",
    "hashes": "on a last line '#### ...'",
    "tags": "between <answer> and </answer>",
}
EMPTY_ANSWER = "the answer is empty"
INCOMPLETE_BOX = "the response has no complete \\boxed{}"
NO_FINAL_ANSWER = "the response does not state its final answer in the required form"


def wrong_answer(quoted: str) -> str:
    return f"Your answer '{quoted}' is incorrect."


def missing_answer(problem: str, place: str) -> str:
    return incorrect_format(f"{problem}. Give the final answer {place}.")


# Tool use

NO_CALL = "the response makes no call"
NO_ACTION = "an 'Action Input:' has no 'Action:' before it."
NO_ACTION_NAME = "the name of the action is missing."
NO_ACTION_INPUT = "the action input is missing; give a JSON object, {} where there are no arguments."
DEEP_ACTION_INPUT = "the action input is nested too deeply."


def no_calls(problem: str) -> str:
    return f"{problem}. Give lines 'Action: <name>' and 'Action Input: <JSON object>'."


def action_without_input(quoted: str) -> str:
    return f"the action '{quoted}' has no 'Action Input:' after it."


def call_fault(number: int, fault: str) -> str:
    return f"call {number}: {fault}"


def input_not_json(reason: str, quoted: str) -> str:
    return f"the action input is not valid JSON ({reason}): '{quoted}'."


def input_no_object(quoted: str) -> str:
    return f"the action input must be a JSON object: '{quoted}'."


def text_after_input(quoted: str) -> str:
    return f"there is text after the JSON object of the action input: '{quoted}'."


def more_faults(count: int) -> str:
    return f"There are {count} more faults."


def expected_calls(calls: Iterable[tuple[str, str]]) -> str:
    lines = [f"Action: {action}\nAction Input: {written}" for action, written in calls]
    return "The expected calls are:\n" + "\n".join(lines)


def in_call(number: int, quoted: str, remark: str) -> str:
    return f"Call {number} ({quoted}): {remark}"


WRONG_ACTION = "this is the wrong action."


def wrong_number_of_calls(made: int, wanted: int) -> str:
    calls = "1 call" if made == 1 else f"{made} calls"
    missing = wanted - made
    if missing > 0:
        told = "a call is missing" if missing == 1 else f"{missing} calls are missing"
    else:
        told = "there is a call too many" if missing == -1 else f"there are {-missing} calls too many"
    return f"You made {calls}: {told}."


def unexpected_argument(quoted: str) -> str:
    return f"the argument '{quoted}' is not expected."


def wrong_argument(quoted: str) -> str:
    return f"the argument '{quoted}' is wrong."


def missing_arguments(count: int) -> str:
    return "an argument is missing." if count == 1 else f"{count} arguments are missing."


# The quickstart's passphrase


def wrong_passphrase(echo: str, expected: str) -> str:
    return f"The passphrase is wrong. Your answer: {echo or 'nothing'}. Expected answer: {expected}."


# Programs

NO_CODE = "Incorrect Format: Put your code inside a ```python ... ``` block."
TRUNCATED_ATTEMPT = (
    "Truncated Attempt: Your previous response was too long and truncated because it reached the maximum response "
    "length. Try again with a shorter response."
)
VERDICTS = {
    Verdict.WRONG_ANSWER: "Wrong Answer",
    Verdict.RUNTIME_ERROR: "Runtime Error",
    Verdict.TIME_LIMIT: "Time Limit Exceeded",
    Verdict.MEMORY_LIMIT: "Memory Limit Exceeded",
    Verdict.OUTPUT_LIMIT: "Output Limit Exceeded",
    Verdict.COMPILE_ERROR: "Compile Error",
}
INPUT = "Input"
OUTPUT = "Output"
EXPECTED = "Expected"
# Beside a checker, which accepts others too.
EXPECTED_FOR_EXAMPLE = "Expected (for example)"
DIFFERENCE = "First Difference"
FAILED_ASSERTION = "Failed Assertion"
LAST_INPUT = "Last Executed Input"
# In place of what a program did not write.
NOTHING = "(nothing)"
# Of an assertion without a message of its own.
ASSERTION_ERROR = "AssertionError: "
# Between the ends of what is too long.
GAP = " ... "


def case_heading(number: int, verdict: Verdict) -> str:
    return f"Test Case {number}: {VERDICTS[verdict]}"
