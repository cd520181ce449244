# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import concurrent.futures
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verl_sdpo.rewards import compute_score

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "reward_golden_tool_use.json").read_text())
PUBLISHED = Path(os.environ.get("VERL_SDPO_DATA", "no-data")) / "tooluse" / "test.json"


def truth_of(*calls):
    return json.dumps([{"Action": name, "Action_Input": json.dumps(arguments)} for name, arguments in calls])


def response_of(*calls):
    return "\n".join(f"Thought: t\nAction: {name}\nAction Input: {json.dumps(given)}" for name, given in calls)


def score(solution, truth, extra_info=None, **options):
    return compute_score("tooluse", solution, truth, extra_info, **options)


SEARCH = truth_of(("search", {"query": "x"}))
TWO = (("a", {"x": 1}), ("b", {"x": 2, "y": {"z": ["}", {"w": None}]}}))


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["solution"][:20])
def test_published_scores_are_matched(case):
    outcome = score(case["solution"], case["ground_truth"])
    assert outcome["score"] == case["score"]
    assert outcome["feedback"] == case.get("feedback", outcome["feedback"])


@pytest.mark.parametrize(
    ("given", "wanted", "is_same"),
    [
        (1, 1.0, True), (1, "1", False), (1, True, False), (0, False, False), (None, "", False),
        ([1, 2], [2, 1], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True), ({"a": {"b": [1.0]}}, {"a": {"b": [1]}}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False), ("X", "x", False), ("}", "}", True), ([], {}, False), (0.9, 0.9, True),
    ],
)  # fmt: skip
def test_arguments_are_compared_as_json_values(given, wanted, is_same):
    assert score(response_of(("f", {"v": given})), truth_of(("f", {"v": wanted})))["score"] == float(is_same)


@pytest.mark.parametrize(
    "calls",
    [
        TWO[::-1],
        TWO[:1],
        (*TWO, TWO[1]),
        (TWO[0], TWO[0]),
        (("a", TWO[1][1]), ("b", TWO[0][1])),
        (("b", TWO[0][1]), ("a", TWO[1][1])),
    ],
)
def test_order_pairing_and_number_of_calls_count(calls):
    assert score(response_of(*TWO), truth_of(*TWO))["score"] == 1.0
    outcome = score(response_of(*calls), truth_of(*TWO))
    assert (outcome["score"], outcome["incorrect_format"]) == (0.0, 0.0)


@pytest.mark.parametrize(
    "solution",
    [
        'Action: search\nAction Input: {\n  "query": "x"\n}',
        'Action: search\nAction Input:\n```json\n{"query": "x"}\n```\nDone.',
        '**Action:** `search`\n**Action Input:** {"query": "x"}\nObservation: ok',
        '<think>\nAction: find\nAction Input: {}\n</think>\nAction: search\nAction Input: {"query": "x"}',
        'I take action: none of these.\n  Action: search\n  Action Input: {"query": "x"}  \n\nThat is it.',
    ],
)
def test_calls_are_read_from_what_chat_models_write(solution):
    assert score(solution, SEARCH)["feedback"] == ""


def test_a_name_may_have_brackets_and_an_argument_what_looks_like_an_end():
    gold = (("[Optional]updateUserProfile", {"a": {"b": {}}, "c": "} {", "d": "\nAction: f"}), ("g", {}))
    assert score(response_of(*gold), truth_of(*gold))["score"] == 1.0
    assert score(response_of(("updateUserProfile", gold[0][1]), gold[1]), truth_of(*gold))["score"] == 0.0


@pytest.mark.parametrize(
    ("solution", "named"),
    [
        ("", "response was empty"),
        ("nothing", "makes no call"),
        ("Action: f", "no 'Action Input:' after"),
        ("Action: f\nAction: f\nAction Input: {}", "no 'Action Input:' after"),
        ("Action Input: {}", "no 'Action:' before"),
        ("Action:\nAction Input: {}", "name of the action is missing"),
        ("Action: f\nAction Input:", "input is missing"),
        ("Action: f\nAction Input: {'a': 1}", "not valid JSON"),
        ('Action: f\nAction Input: {"a": 1', "not valid JSON"),
        ('Action: f\nAction Input: {"a": NaN}', "not valid JSON"),
        ('Action: f\nAction Input: {"a": 1, "a": 1}', "given twice"),
        ("Action: f\nAction Input: none", "not valid JSON"),
        ("Action: f\nAction Input: []", "must be a JSON object"),
        ("Action: f\nAction Input: {} {}", "text after the JSON"),
        ("Action: f\nAction Input: " + "[" * 100_000, "nested too deeply"),
    ],
)
def test_faults_of_the_form_are_named(solution, named):
    for truth in (truth_of(("f", {})), truth_of(("f", {"a": 1}))):
        outcome = score(solution, truth)
        assert (outcome["score"], outcome["incorrect_format"]) == (0.0, 1.0)
        assert named in outcome["feedback"]


@pytest.mark.parametrize(
    ("given", "feedback"),
    [
        ([("find", {"query": "x"})], "Call 1 (find): this is the wrong action."),
        ([("search", {"query": "y"})], "Call 1 (search): the argument 'query' is wrong."),
        ([("search", {})], "Call 1 (search): an argument is missing."),
        ([("search", {"query": "x", "n": 1})], "Call 1 (search): the argument 'n' is not expected."),
        ([("search", {"query": "x"})] * 3, "You made 3 calls: there are 2 calls too many."),
    ],
)
def test_feedback_names_the_fault_and_not_the_expected_call(given, feedback):
    assert score(response_of(*given), SEARCH)["feedback"] == feedback
    told = score(response_of(*given), SEARCH, reveal_answer=True)["feedback"]
    assert told == f'{feedback}\nThe expected calls are:\nAction: search\nAction Input: {{"query": "x"}}'


def test_a_cut_off_call_is_told_so():
    assert "cut off" in score("Action: search\nAction Input: {", SEARCH, {"truncated": True})["feedback"]
    assert "cut off" not in score("Action: search\nAction Input: {}", SEARCH, {"truncated": True})["feedback"]


@pytest.mark.parametrize(
    "truth",
    [
        None, "", "[", "[]", "{}", "[1]", '[{"Action": "f"}]', '[{"Action": " ", "Action_Input": "{}"}]', "[" * 10**5,
        '[{"Action": "f", "Action_Input": {}}]', '[{"Action": "f", "Action_Input": "[]"}]',
        json.dumps([{"Action": "f", "Action_Input": '{"a":' + "[" * 200 + "]" * 200 + "}"}]),
    ],
)  # fmt: skip
def test_a_broken_ground_truth_is_an_error_whatever_the_response(truth):
    for solution in ("Action: f\nAction Input: {}", ""):
        with pytest.raises(ValueError, match="tooluse.*ground truth"):
            score(solution, truth)


HOSTILE = [
    "Action: a\n", "Action Input: {\n", "Action: a\nAction Input: {\"a\":[\n", "Action: a\nAction Input: {}\n",
    "**Action",
    "Action: a\nAction Input: \"", " ", "\n", "{\"a\":", "[", "9", "```", "</think>",
]  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", HOSTILE)
def test_a_megabyte_of_hostile_text_is_scored(unit):
    text = unit * (1_000_000 // len(unit))
    for solution in (text, "Action: search\nAction Input: " + text, 'Action: search\nAction Input: {"query": ' + text):
        outcome = score(solution, SEARCH)
        assert outcome["score"] == 0.0
        assert len(outcome["feedback"]) < 2000


def test_threads_agree_with_the_main_thread():
    jobs = [(case["solution"], case["ground_truth"]) for case in GOLDEN] * 50
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        in_threads = list(pool.map(lambda job: score(*job), jobs))
    assert in_threads == [score(*job) for job in jobs]


PIECES = st.sampled_from(
    ["Action:", "Action Input:", "Thought:", "\n", " ", "search", '{"query": "x"}', "{", "}", "1", '"']
)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=80), st.lists(PIECES, max_size=20).map("".join)))
def test_any_text_gets_a_score(solution):
    assert score(solution, SEARCH)["score"] in (0.0, 1.0)


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="set VERL_SDPO_DATA to a folder with tooluse/test.json")
def test_every_published_question_scores_1_with_its_answer_and_0_with_others():
    rows = [json.loads(line)["answer"] for line in PUBLISHED.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 68
    for truth in rows:
        calls = [(call["Action"], json.loads(call["Action_Input"])) for call in json.loads(truth)]
        assert score(response_of(*calls), truth)["score"] == 1.0
        assert score(response_of(*calls, calls[0]), truth)["score"] == 0.0
        assert score(response_of(*calls[:-1], (calls[-1][0], {**calls[-1][1], "other": 1})), truth)["score"] == 0.0
