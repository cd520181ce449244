# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What the environment says about a program that failed, in the form that people know from judges of programs.

The first test at which the program did not end by itself, with its error and its input; else at most two wrong answers,
those with the shortest inputs. Built from verdicts and sanitised texts only, so the same outcomes give the same bytes.
"""

import json
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from verl_sdpo.rewards import feedback_texts as texts
from verl_sdpo.rewards.code_compare import first_difference
from verl_sdpo.rewards.code_trace import own_trace
from verl_sdpo.rewards.code_truth import CodeTest, CodeTruth
from verl_sdpo.rewards.code_verdict import NOT_THE_PROGRAMS, Verdict
from verl_sdpo.rewards.untrusted_text import shown

FEEDBACK_TESTS = ("all", "public", "none")
MAX_CODE_FEEDBACK_CHARS = 4000
MAX_CASES = 2
# Two cases have six such texts and two lines of difference; an error has one trace, input and assertion.
_MAX_FIELD_CHARS = 550
_MAX_TRACE_CHARS = 2000
_MAX_INPUT_CHARS = 1000
_MAX_LINE_CHARS = 200
_MAX_JSON_CHARS = 100_000


class TestOutcome(NamedTuple):
    """What came of one test."""

    __test__ = False  # it is no test of pytest's

    verdict: Verdict
    test: CodeTest
    index: int  # of the test in the ground truth, from 0
    output: bytes | str = b""  # what is compared: standard output, or the returned value as JSON
    stderr: bytes | str = b""  # where a traceback is the last that stands there
    reason: str = ""  # one line for limits, exit statuses and signals, where the verdict does not say it all
    assertion: str | bytes = ""  # the source of the assertion that failed, where it is known


def no_code_feedback(is_truncated: bool = False) -> str:
    """On a response without a complete block of Python; ``is_truncated`` where it was cut off."""
    return texts.TRUNCATED_ATTEMPT if is_truncated else texts.NO_CODE


def code_feedback(outcomes: Iterable[TestOutcome], truth: CodeTruth, feedback_tests: str = "all") -> str:
    """Feedback on a program, of at most 4,000 characters; empty where no test tells a fault of it.

    Args:
        outcomes: of the tests that were run, in any order.
        truth: what the tests are a part of.
        feedback_tests: whose input, outputs and errors are shown: of ``all`` tests, as the paper does it, of ``public``
            ones, or of ``none``. Of another test only the verdict is told. What is shown reaches the teacher, so that
            its tests no longer measure what was learned without them.

    Raises:
        ValueError: ``feedback_tests`` is none of these.
    """
    if feedback_tests not in FEEDBACK_TESTS:
        raise ValueError(f"feedback_tests {feedback_tests!r}: choose one of {', '.join(FEEDBACK_TESTS)}")
    failed = sorted(
        (each for each in outcomes if each.verdict is not Verdict.ACCEPTED and each.verdict not in NOT_THE_PROGRAMS),
        key=lambda each: each.index,
    )
    if any(each.verdict is Verdict.NO_CODE for each in failed):
        return no_code_feedback()
    told = [each for each in failed if _is_shown(each, feedback_tests)]
    errors = [each for each in told or failed if each.verdict is not Verdict.WRONG_ANSWER]
    wrong = sorted(told or failed, key=lambda each: len(each.test.input))[:MAX_CASES]
    if not told:
        return "\n\n".join(_verdict_alone(each) for each in errors[:1] or wrong)
    if errors:
        return _error(errors[0], truth)
    if truth.kind == "asserts":
        return _error(wrong[0], truth)
    return "\n\n".join(_wrong_answer(each, truth) for each in wrong)


def _is_shown(outcome: TestOutcome, feedback_tests: str) -> bool:
    # What is no Python is so whatever the test.
    is_free = outcome.verdict is Verdict.COMPILE_ERROR
    return is_free or feedback_tests == "all" or (feedback_tests == "public" and outcome.test.is_public)


def _verdict_alone(outcome: TestOutcome) -> str:
    if outcome.verdict is Verdict.WRONG_ANSWER:
        return texts.case_heading(outcome.index + 1, outcome.verdict)
    return texts.VERDICTS[outcome.verdict]


def _wrong_answer(outcome: TestOutcome, truth: CodeTruth) -> str:
    test, is_json = outcome.test, truth.kind == "function"
    output = _spaced_json(outcome.output) if is_json else outcome.output
    expected = _spaced_json(test.output) if is_json else test.output
    sections = [
        texts.case_heading(outcome.index + 1, outcome.verdict),
        _section(texts.INPUT, _input(test, truth, _MAX_FIELD_CHARS)),
        _section(texts.OUTPUT, shown(output, _MAX_FIELD_CHARS, (test.input, test.output))),
        _section(texts.EXPECTED_FOR_EXAMPLE if truth.checker else texts.EXPECTED, shown(expected, _MAX_FIELD_CHARS)),
    ]
    # The ends of two long texts may look alike.
    if not is_json and truth.checker is None and max(len(output), len(expected)) > _MAX_FIELD_CHARS:
        difference = first_difference(output, expected, truth.tolerance)
        sections.append(_section(texts.DIFFERENCE, shown(difference, _MAX_LINE_CHARS, (test.input, test.output))))
    return "\n\n".join(sections)


def _error(outcome: TestOutcome, truth: CodeTruth) -> str:
    # A failed assertion is an error to those who know Python.
    is_assertion = outcome.verdict is Verdict.WRONG_ANSWER
    verdict = Verdict.RUNTIME_ERROR if is_assertion else outcome.verdict
    lines = [texts.VERDICTS[verdict]]
    if outcome.reason:
        lines.append(shown(outcome.reason, _MAX_LINE_CHARS, _task(outcome)))
    if verdict in (Verdict.RUNTIME_ERROR, Verdict.COMPILE_ERROR):
        lines += filter(None, [_trace(outcome, is_assertion)])
    sections = ["\n".join(lines)]
    if outcome.verdict is Verdict.COMPILE_ERROR:
        # Nothing was executed.
        return sections[0]
    if outcome.assertion and len(outcome.assertion) < len(outcome.test.input.strip()):
        sections.append(_section(texts.FAILED_ASSERTION, shown(outcome.assertion, _MAX_FIELD_CHARS)))
    sections.append(_section(texts.LAST_INPUT, _input(outcome.test, truth, _MAX_INPUT_CHARS)))
    return "\n\n".join(sections)


def _trace(outcome: TestOutcome, is_assertion: bool) -> str:
    errors = outcome.stderr.decode("utf-8", "backslashreplace") if isinstance(outcome.stderr, bytes) else outcome.stderr
    trace = own_trace(errors)
    if is_assertion:
        bare = texts.ASSERTION_ERROR.rstrip(": ")
        if not trace:
            return texts.ASSERTION_ERROR
        if trace == bare or trace.endswith("\n" + bare):
            trace = trace[: -len(bare)] + texts.ASSERTION_ERROR
    return shown(trace, _MAX_TRACE_CHARS, _task(outcome))


def _task(outcome: TestOutcome) -> tuple[str, str]:
    return outcome.test.input, outcome.test.output


def _input(test: CodeTest, truth: CodeTruth, max_chars: int) -> str:
    text = test.input
    if truth.kind == "function" and len(text) <= _MAX_JSON_CHARS:
        # One argument a line.
        with suppress(ValueError, RecursionError):
            text = "\n".join(json.dumps(argument, ensure_ascii=False) for argument in json.loads(text))
    return shown(text, max_chars)


def _spaced_json(text: bytes | str) -> bytes | str:
    """The same JSON with a space after each comma, so that both sides look alike; anything else as it is."""
    if len(text) > _MAX_JSON_CHARS:
        return text
    with suppress(ValueError, RecursionError):
        return json.dumps(json.loads(text), ensure_ascii=False)
    return text


def _section(title: str, body: str) -> str:
    return f"{title}\n{body.rstrip() or texts.NOTHING}"
