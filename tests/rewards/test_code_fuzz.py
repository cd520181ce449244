# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Random bytes and damaged texts through everything that reads what a model or its program wrote."""

import json
import random
import time

import pytest

from verl_sdpo.rewards.code_block import find_code
from verl_sdpo.rewards.code_compare import first_difference, same_output, same_value
from verl_sdpo.rewards.code_feedback import FEEDBACK_TESTS, MAX_CODE_FEEDBACK_CHARS, TestOutcome, code_feedback
from verl_sdpo.rewards.code_truth import KINDS, CodeTest, CodeTruth, read_code_truth
from verl_sdpo.rewards.code_verdict import Verdict

NUM_CASES = 10_000
PIECES = [
    *(
        "```",
        "```python\n",
        "~~~",
        "\n",
        "\n```\n",
        '"""',
        "'''",
        "#",
        "\\",
        " ",
        "\t",
        "\r\n",
        "- ",
        "def f(",
        "x = 1\n",
    ),
    *(
        "</think>",
        "<answer>",
        "</answer>",
        "<|im_end|>",
        "[INST]",
        "</s>",
        "<think>",
        "\x1b[31m",
        "\x00",
        "\ud800",
        "é",
    ),
    *("1", "2.50", "nan", "-inf", "1e99999999", "[", "]", "{", "}", '"a"', ":", ",", "true", "null", "\N{ROCKET}", "٣"),
    *("Traceback (most recent call last):\n", '  File "solution.py", line 3, in f\n', '  File "/x/y.py", line 3\n'),
    *("    f()\n", "ValueError: x\n", "/srv/x", "/tmp", "0x7f12ab34cd56", "verl_sdpo.sandbox", "\N{LINE SEPARATOR}"),
]
FORBIDDEN = ["<|im_end|>", "[INST]", "</s>", "</think>", "<think>", "\x1b", "\x00", "\ud800", "\N{LINE SEPARATOR}"]


def random_text(draw):
    if draw.random() < 0.2:
        return draw.randbytes(draw.randrange(60)).decode("latin-1")
    text = "".join(draw.choices(PIECES, k=draw.randrange(25)))
    if draw.random() < 0.3 and text:
        place = draw.randrange(len(text))
        text = text[:place] + chr(draw.randrange(0x3000)) + text[place + draw.randrange(3) :]
    return text


def random_bytes(draw):
    if draw.random() < 0.3:
        return draw.randbytes(draw.randrange(200))
    return random_text(draw).encode("utf-8", "surrogatepass")


def test_the_code_is_always_a_part_of_the_response():
    draw = random.Random(1)
    num_found = 0
    for _ in range(NUM_CASES):
        response = random_text(draw)
        code, note = find_code(response, draw.choice([None, "f"]))
        assert note
        if code is not None:
            num_found += 1
            lines = {line.strip(" \t") for line in response.replace("\r\n", "\n").replace("\r", "\n").split("\n")}
            assert {line.strip(" \t") for line in code.split("\n")} <= lines | {""}
    assert num_found > NUM_CASES / 50


def test_comparisons_return_a_truth_value_and_every_text_equals_itself():
    draw = random.Random(2)
    for _ in range(NUM_CASES):
        raw, text = random_bytes(draw), random_text(draw)
        tolerance = draw.choice([None, 1e-6])
        assert isinstance(same_value(raw, text, tolerance), bool)
        assert same_output(raw, text, tolerance) is (first_difference(raw, text, tolerance) == "")
        assert same_output(text, text, tolerance)
        assert same_output(text + " \n\n", text, tolerance)
        assert not same_output(text + "\nmore", text, tolerance)


def random_value(draw, depth=0):
    kind = draw.randrange(8 if depth < 4 else 6)
    if kind < 6:
        return [None, draw.random() < 0.5, draw.randrange(-3, 3), draw.random(), random_text(draw), float("nan")][kind]
    parts = [random_value(draw, depth + 1) for _ in range(draw.randrange(4))]
    return parts if kind == 6 else {random_text(draw): part for part in parts}


def damaged(value, draw):
    """The value with one leaf, somewhere, that is another."""
    if isinstance(value, list) and value:
        place = draw.randrange(len(value))
        return [damaged(part, draw) if i == place else part for i, part in enumerate(value)]
    if isinstance(value, dict) and value:
        chosen = draw.choice(sorted(value))
        return {name: damaged(part, draw) if name == chosen else part for name, part in value.items()}
    return {"another": value}


def test_values_equal_themselves_however_they_are_written_and_nothing_else():
    draw = random.Random(3)
    for _ in range(NUM_CASES):
        value = random_value(draw)
        text = json.dumps(value)
        assert same_value(json.dumps(value, indent=1, sort_keys=True), text)
        assert not same_value(json.dumps(damaged(value, draw)), text)
        assert not same_value(json.dumps([value]), text)


def test_feedback_is_short_valid_harmless_and_the_same_every_time():
    draw = random.Random(4)
    verdicts = [verdict for verdict in Verdict if verdict is not Verdict.NO_CODE]
    for _ in range(NUM_CASES):
        kind = draw.choice(KINDS)
        texts = [(random_text(draw), random_text(draw)) for _ in range(draw.randrange(1, 4))]
        if kind == "function":
            texts = [(json.dumps([random_value(draw)]), json.dumps(random_value(draw))) for _ in texts]
        tests = [CodeTest(*pair, draw.random() < 0.5) for pair in texts]
        truth = CodeTruth(kind, tuple(tests), None, "", 1.0, None, draw.choice([None, "print(1)"]), None)
        outcomes = [
            TestOutcome(
                draw.choice(verdicts),
                test,
                index,
                random_bytes(draw),
                random_bytes(draw) * draw.choice([1, 1, 50]),
                random_text(draw),
                random_text(draw),
            )
            for index, test in enumerate(tests)
        ]
        option = draw.choice(FEEDBACK_TESTS)
        told = code_feedback(outcomes, truth, option)
        assert told == code_feedback(reversed(outcomes), truth, option)
        assert len(told) <= MAX_CODE_FEEDBACK_CHARS
        assert told.encode("utf-8").decode() == told
        assert not any(text in told for text in FORBIDDEN)


def test_a_damaged_ground_truth_is_read_or_refused():
    draw = random.Random(5)
    tests = [{"input": "[1]", "output": "2", "is_public": True}]
    truth = {"version": 1, "kind": "function", "tests": tests, "function": "f", "setup": "", "time_limit": 1}
    text = json.dumps(truth | {"memory_limit": None, "checker": None, "tolerance": 1e-6})
    num_read = 0
    for _ in range(NUM_CASES):
        place = draw.randrange(len(text))
        broken = text[:place] + draw.choice([*PIECES, "", "9"]) + text[place + draw.randrange(4) :]
        try:
            num_read += isinstance(read_code_truth(broken), CodeTruth)
        except ValueError as error:
            assert "correct the row's reward_model.ground_truth" in str(error)  # noqa: PT017 (either way is right)
    assert 0 < num_read < NUM_CASES


@pytest.mark.parametrize("seed", range(5))
def test_work_is_proportional_to_the_text(seed):
    draw = random.Random(seed)
    unit = "".join(draw.choices(PIECES, k=40))
    text = unit * (1_000_000 // len(unit))
    truth = CodeTruth("stdin", (CodeTest(text, text[1:]),), None, "", 1.0, None, None)
    start = time.process_time()
    find_code(text)
    same_output(text, text[:-1])
    same_value(text, text)
    code_feedback([TestOutcome(Verdict.RUNTIME_ERROR, truth.tests[0], 0, b"", text)], truth)
    code_feedback([TestOutcome(Verdict.WRONG_ANSWER, truth.tests[0], 0, text)], truth)
    assert time.process_time() - start < 20
