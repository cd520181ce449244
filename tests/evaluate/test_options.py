# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The command line: the paper's validation by default, and one line for a value that makes no sense."""

import shlex
from pathlib import Path

import pytest

from verl_sdpo.evaluate.fault import EvaluateError
from verl_sdpo.evaluate.options import parse, parser, powers_of_two

PAGE = Path(__file__).parents[2] / "docs" / "evaluate.md"


def parsed(tmp_path, *arguments):
    return parse(["model", "--data", "a.parquet", "--output", str(tmp_path / "out"), *arguments])


def test_the_defaults_are_the_papers_validation(tmp_path):
    options = parsed(tmp_path)
    assert (options.n, options.temperature, options.top_p, options.max_response_length) == (16, 0.6, 0.95, 8192)
    assert options.k == [1, 2, 4, 8, 16]
    assert not options.greedy


def test_greedy_is_one_response(tmp_path):
    options = parsed(tmp_path, "--greedy")
    assert (options.n, options.temperature, options.k) == (1, 0.0, [1])


@pytest.mark.parametrize(("n", "ks"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (8, [1, 2, 4, 8]), (9, [1, 2, 4, 8, 9])])
def test_pass_at_k_is_of_powers_of_two_and_of_all(n, ks):
    assert powers_of_two(n) == ks


def test_settings_are_words_of_json_or_python(tmp_path):
    given = ["enable_thinking=False", "date=1 May", "depth=3", "tools=[1]", "x=null", "y=true", "z=a=b", "w=NaN"]
    options = parsed(tmp_path, "--apply-chat-template-kwargs", *given)
    expected = {
        "enable_thinking": False,
        "date": "1 May",
        "depth": 3,
        "tools": [1],
        "x": None,
        "y": True,
        "z": "a=b",
        "w": "NaN",
    }
    assert dict(options.apply_chat_template_kwargs) == expected


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--greedy --n 4", "--greedy and --n=4 cannot go together: leave"),
        ("--greedy --temperature 0.5", "--greedy and --temperature=0.5"),
        ("--n 0", "--n=0 must be at least 1: set it to 1"),
        ("--temperature 0", "--temperature=0.0 must be above 0; the likeliest tokens are --greedy's: set it to 0.6"),
        ("--temperature nan", "--temperature=nan must be above 0"),
        ("--top-p 1.5", "--top-p=1.5 must be above 0 and at most 1: set it to 0.95"),
        ("--gpu-memory-utilization 90", "--gpu-memory-utilization=90.0 must be above 0 and at most 1: set it to 0.9"),
        ("--max-response-length 0", "--max-response-length=0 must be at least 1"),
        ("--limit 0", "--limit=0 must be at least 1"),
        ("--seed -1", "--seed=-1 must be at least 0"),
        ("--seed 9999999", "--seed=9999999 must be at most 1048575"),
        ("--level 90", "--level=90.0 must be between 0 and 1: set it to 0.9"),
        ("--n 4 --k 2 8", "--k=8 must be from 1 to --n=4"),
        ("--k 0", "--k=0 must be from 1 to --n=16"),
        ("--reward-timeout 0", "--reward-timeout=0.0 must be above 0 seconds: set it to 600"),
        ("--engine sglang", "--engine=sglang only vLLM makes responses here"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_in_one_line(tmp_path, arguments, said):
    with pytest.raises(EvaluateError) as caught:
        parsed(tmp_path, *arguments.split())
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_results_are_not_written_over(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results.json").touch()
    with pytest.raises(EvaluateError, match="--output=.*has results.json of an earlier evaluation: set it to another"):
        parsed(tmp_path)


def test_every_command_of_the_page_is_one_and_every_option_is_on_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    commands = [line for line in text.splitlines() if line.startswith("python -m verl_sdpo.evaluate ")]
    assert len(commands) > 3
    for command in commands:
        parse(shlex.split(command)[3:])
    options = {flag for action in parser()._actions for flag in action.option_strings} - {"-h", "--help"}
    assert {option for option in options if f"`{option}" not in text} == set()
