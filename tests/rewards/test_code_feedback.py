# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import re

import pytest

from verl_sdpo.rewards import feedback_texts as texts
from verl_sdpo.rewards.code_feedback import (
    FEEDBACK_TESTS,
    MAX_CODE_FEEDBACK_CHARS,
    TestOutcome,
    code_feedback,
    no_code_feedback,
)
from verl_sdpo.rewards.code_trace import own_trace
from verl_sdpo.rewards.code_truth import CodeTest, CodeTruth
from verl_sdpo.rewards.code_verdict import NOT_THE_PROGRAMS, Verdict

PUBLIC, HIDDEN = CodeTest("1 2\n", "3\n", True), CodeTest("10 20\n", "30\n")
TRACE = b"""debug
Traceback (most recent call last):
  File "/usr/verl_sdpo/sandbox/inside/program.py", line 40, in run
    exec(code, namespace)
  File "/sandbox/solution.py", line 3, in <module>
    main()
  File "/usr/lib/python3.11/json/decoder.py", line 355, in raw_decode
    raise JSONDecodeError("Expecting value", s, err.value) from None
ValueError: invalid literal in /usr/lib/python3.11/json/decoder.py: <object at 0x7f12ab34cd56>
"""


def truth(kind="stdin", checker=None, tests=(PUBLIC, HIDDEN)):
    return CodeTruth(kind, tests, None if kind == "stdin" else "f", "", 1.0, None, checker)


def outcome(verdict, test=PUBLIC, index=0, **more):
    return TestOutcome(verdict, test, index, **more)


def feedback(*outcomes, kind="stdin", checker=None, **options):
    return code_feedback(outcomes, truth(kind, checker), **options)


def test_no_fault_has_no_feedback():
    assert feedback() == ""
    assert feedback(outcome(Verdict.ACCEPTED), outcome(Verdict.ACCEPTED, HIDDEN, 1)) == ""
    # Not even where the expected output reads like an error.
    assert feedback(outcome(Verdict.ACCEPTED, CodeTest("", "Error: Time out"), output=b"Error: Time out")) == ""


@pytest.mark.parametrize("verdict", sorted(NOT_THE_PROGRAMS, key=lambda each: each.value))
def test_the_sandbox_s_and_the_dataset_s_faults_are_not_told(verdict):
    assert feedback(outcome(verdict, reason="/srv/x failed")) == ""
    assert feedback(outcome(verdict), outcome(Verdict.TIME_LIMIT, HIDDEN, 1)).startswith("Time Limit Exceeded\n")


def test_an_error_is_told_with_its_trace_in_the_program_s_lines_and_its_input():
    assert feedback(outcome(Verdict.RUNTIME_ERROR, stderr=TRACE)) == (
        "Runtime Error\n"
        "Traceback (most recent call last):\n"
        '  File "solution.py", line 3, in <module>\n'
        "    main()\n"
        "ValueError: invalid literal in <path>: <object at 0x...>\n"
        "\n"
        "Last Executed Input\n"
        "1 2"
    )


@pytest.mark.parametrize("verdict", [each for each in texts.VERDICTS if each is not Verdict.WRONG_ANSWER])
def test_each_verdict_has_its_words_and_its_reason(verdict):
    told = feedback(outcome(verdict, reason="exit status 3"))
    assert told.startswith(f"{texts.VERDICTS[verdict]}\nexit status 3")
    assert ("Last Executed Input\n1 2" in told) is (verdict is not Verdict.COMPILE_ERROR)


def test_every_verdict_of_the_program_has_words():
    assert set(Verdict) - set(texts.VERDICTS) == NOT_THE_PROGRAMS | {Verdict.ACCEPTED, Verdict.NO_CODE}


def test_the_first_error_is_told_before_wrong_answers():
    told = feedback(
        outcome(Verdict.MEMORY_LIMIT, CodeTest("third", ""), 2),
        outcome(Verdict.WRONG_ANSWER, PUBLIC, 0, output=b"4"),
        outcome(Verdict.TIME_LIMIT, CodeTest("second and long", ""), 1),
    )
    assert told == "Time Limit Exceeded\n\nLast Executed Input\nsecond and long"


def test_two_wrong_answers_at_most_are_told_those_with_the_shortest_inputs():
    tests = [CodeTest("1" * length, "x") for length in (5, 3, 4, 3)]
    told = feedback(*(outcome(Verdict.WRONG_ANSWER, test, index, output=b"y") for index, test in enumerate(tests)))
    assert re.findall(r"^Test Case .*$", told, re.MULTILINE) == [
        "Test Case 2: Wrong Answer",
        "Test Case 4: Wrong Answer",
    ]


def test_a_wrong_answer_shows_leading_space_nothing_and_that_others_may_be_right():
    assert feedback(
        outcome(Verdict.WRONG_ANSWER, CodeTest("", "  x\n y \n\n"), 4, output=b" \n"), checker="print(0)"
    ) == ("Test Case 5: Wrong Answer\n\nInput\n(nothing)\n\nOutput\n(nothing)\n\nExpected (for example)\n  x\n y")


def test_arguments_stand_on_lines_of_their_own_and_values_look_alike():
    test = CodeTest('[[1,2],"a b",null]', '{"x":[1, 2]}')
    assert feedback(outcome(Verdict.WRONG_ANSWER, test, output=b'{"x":[1,3]}'), kind="function") == (
        'Test Case 1: Wrong Answer\n\nInput\n[1, 2]\n"a b"\nnull\n\nOutput\n{"x": [1, 3]}\n\nExpected\n{"x": [1, 2]}'
    )


def test_a_failed_assertion_is_an_error_and_is_named_among_others():
    test = CodeTest("assert f(1) == 2\nassert f(2) == 3", "")
    assert feedback(outcome(Verdict.WRONG_ANSWER, test, assertion="assert f(2) == 3"), kind="asserts") == (
        "Runtime Error\nAssertionError: \n\nFailed Assertion\nassert f(2) == 3\n\n"
        "Last Executed Input\nassert f(1) == 2\nassert f(2) == 3"
    )
    trace = b'Traceback (most recent call last):\n  File "test.py", line 1, in <module>\nAssertionError: no\n'
    alone = outcome(Verdict.WRONG_ANSWER, CodeTest("assert f(1)\n", ""), assertion="assert f(1)", stderr=trace)
    assert feedback(alone, kind="asserts") == ("Runtime Error\nAssertionError: no\n\nLast Executed Input\nassert f(1)")


def test_long_texts_keep_both_ends_and_say_where_they_differ():
    middle = "\n".join(map(str, range(5000)))
    test = CodeTest(middle, middle)
    told = feedback(outcome(Verdict.WRONG_ANSWER, test, output=middle.replace("\n2500\n", "\n2501\n").encode()))
    assert "Input\n0\n1\n2\n" in told
    assert told.count("\n4998\n4999\n\n") == 3
    assert told.endswith("First Difference\nline 2501, character 4: '1' instead of '0'")
    assert told.count(texts.GAP) == 3


LONG = ["x" * 10**6, "\x1b" * 10**6, "\U000e0041" * 10**5, "<|im_end|>" * 10**5, "</think>" * 10**5, "\n" * 10**6]


@pytest.mark.parametrize("text", LONG, ids=range(len(LONG)))
@pytest.mark.parametrize("kind", ["stdin", "function", "asserts"])
@pytest.mark.parametrize("verdict", list(texts.VERDICTS))
def test_feedback_is_never_longer_than_stated(text, kind, verdict):
    test = CodeTest(text, text)
    each = {"output": text.encode(), "stderr": text, "reason": text, "assertion": text[:-1]}
    outcomes = [outcome(verdict, test, index + 9990, **each) for index in range(3)]
    told = feedback(*outcomes, kind=kind)
    assert 0 < len(told) <= MAX_CODE_FEEDBACK_CHARS
    assert told == feedback(*reversed(outcomes), kind=kind)


def test_what_no_option_shows_is_not_told():
    secrets = {"output": b"SECRET4", "stderr": b"ValueError: SECRET2", "reason": "SECRET3", "assertion": b"SECRET5"}
    for verdict in set(texts.VERDICTS) - {Verdict.COMPILE_ERROR}:
        for options in ({"feedback_tests": "public"}, {"feedback_tests": "none"}):
            hidden = [outcome(verdict, CodeTest(f"SECRET{index}", "SECRET1"), index, **secrets) for index in range(3)]
            for kind in ("stdin", "function", "asserts"):
                told = feedback(*hidden, kind=kind, **options)
                assert "SECRET" not in told
                assert texts.VERDICTS[verdict] in told
        told = feedback(hidden[0]._replace(test=PUBLIC), feedback_tests="none")
        assert "SECRET" not in told
        assert "1 2" not in told


def test_a_public_failure_is_told_before_a_hidden_one():
    hidden = outcome(Verdict.RUNTIME_ERROR, CodeTest("SECRET", ""), 0, stderr=b"ValueError: SECRET")
    public = outcome(Verdict.WRONG_ANSWER, PUBLIC, 1, output=b"4")
    assert feedback(hidden, public, feedback_tests="public") == (
        "Test Case 2: Wrong Answer\n\nInput\n1 2\n\nOutput\n4\n\nExpected\n3"
    )
    assert feedback(hidden, feedback_tests="public") == "Runtime Error"
    assert feedback(hidden, public, feedback_tests="none") == "Runtime Error"
    assert feedback(hidden, public).startswith("Runtime Error\nValueError: SECRET")


def test_what_is_no_python_is_told_whatever_the_test():
    trace = b'  File "solution.py", line 1\n    def f(:\n          ^\nSyntaxError: invalid syntax\n'
    told = 'Compile Error\n  File "solution.py", line 1\n    def f(:\n          ^\nSyntaxError: invalid syntax'
    for option in FEEDBACK_TESTS:
        assert feedback(outcome(Verdict.COMPILE_ERROR, HIDDEN, stderr=trace), feedback_tests=option) == told


def test_an_unknown_option_is_refused():
    with pytest.raises(ValueError, match="feedback_tests 'some': choose one of all, public, none"):
        feedback(feedback_tests="some")


def test_a_response_without_code_is_told_so():
    assert no_code_feedback() == texts.NO_CODE == feedback(outcome(Verdict.NO_CODE))
    assert no_code_feedback(is_truncated=True) == texts.TRUNCATED_ATTEMPT


CHAIN = """Traceback (most recent call last):
  File "solution.py", line 2, in f
    g()
KeyError: 'a'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "solution.py", line 5, in <module>
    f()
  File "solution.py", line 4, in f
    f()
  [Previous line repeated 996 more times]
ValueError: b
    and a second line"""


@pytest.mark.parametrize(
    ("errors", "shown"),
    [
        ("", ""),
        ("just text\n", "just text"),
        (CHAIN + "\n", CHAIN),
        ("before\n" + CHAIN, CHAIN),
        (CHAIN + "\nbetween\n" + CHAIN, CHAIN),
        (CHAIN.replace('"solution.py"', '"/a/b/solution.py"'), CHAIN),
        (
            CHAIN.replace('"solution.py"', '"lib.py"'),
            "KeyError: 'a'\n\nDuring handling of the above exception, another exception occurred:\n\n"
            "ValueError: b\n    and a second line",
        ),
        ('Traceback (most recent call last):\n  File "x.py", line 1, in f\n    f()\nE: m', "E: m"),
        ("Traceback (most recent call last):", ""),
    ],
)
def test_only_the_program_s_own_lines_stay_in_a_trace(errors, shown):
    assert own_trace(errors) == shown
