# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import concurrent.futures
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from verl_sdpo.rewards import OUTCOME_FIELDS, compute_score, outcome, register_reward, registered_rewards, score
from verl_sdpo.rewards.code_truth import CodeTest, truth_text

CODE = truth_text("stdin", [CodeTest("1 2", "3", is_public=True)], time_limit=2)
ROWS = {  # data source -> (right response, ground truth)
    "sciknoweval/chemistry": ("<answer>B</answer>", "B"),
    "multiple_choice": ("<answer>J</answer>", "J"),
    "gpqa/diamond": ("<answer>C</answer>", "C"),
    "mmlu_pro/law": ("<answer>J</answer>", "J"),
    "gsm8k": ("\\boxed{1,234}", "1234"),
    "math/math_500": ("\\boxed{\\frac12}", "0.5"),
    "tooluse": ("Action: f\nAction Input: {}", '[{"Action": "f", "Action_Input": "{}"}]'),
    "code/livecodebench_v6": ("```python\nprint(sum(map(int, input().split())))\n```", CODE),
    "quickstart/passphrase": ("red fox", "red fox"),
}


@pytest.fixture
def registry(monkeypatch):
    """A copy that a test may add to."""
    monkeypatch.setattr(score, "_REWARDS", dict(score._REWARDS))


def test_every_registered_reward_has_a_row_here():
    # "none" has no right answer: test_no_reward.py.
    assert {name.split("/")[0] for name in registered_rewards()} == {source.split("/")[0] for source in ROWS} | {"none"}


@pytest.mark.parametrize("source", ROWS)
@pytest.mark.parametrize("extra_info", [None, {}, {"truncated": True}, {"truncated": None, "num_turns": 2}])
def test_all_data_sources_return_the_same_fields_and_types(source, extra_info):
    right, truth = ROWS[source]
    for solution in (right, "something else", ""):
        result = compute_score(source, solution, truth, extra_info)
        assert tuple(result) == OUTCOME_FIELDS
        assert {name for name, value in result.items() if type(value) is not float} == {"feedback"}
        assert type(result["feedback"]) is str
        assert (result["feedback"] == "") == (result["acc"] == 1.0) == (result["score"] == 1.0) == (solution == right)
        assert result["truncated"] == float(bool(extra_info and extra_info.get("truncated")))
        assert result["timed_out"] == 0.0


@pytest.mark.parametrize("source", ROWS)
@given(solution=st.text(alphabet=st.characters(), max_size=80))
@example(solution="\ud800")
@example(solution="<answer>\ud800\x00</answer>")
@example(solution="<answer>%s {0} \\boxed{</answer>")
def test_any_text_gets_a_storable_result(source, solution):
    result = compute_score(source, solution, ROWS[source][1])
    assert result["score"] in (0.0, 1.0)
    assert json.loads(json.dumps(result)) == result
    assert result["feedback"].encode("utf-8").decode("utf-8") == result["feedback"]
    # verl stores the texts of a batch in one array, which cannot hold NULs at the end of a text.
    assert list(np.array([result["feedback"], "longer " * 20])) == [result["feedback"], "longer " * 20]


def test_surrogates_and_nuls_of_the_response_are_replaced_in_the_feedback():
    feedback = compute_score("sciknoweval", "<answer>x\ud800y\x00z</answer>", "B")["feedback"]
    assert "x?y\N{REPLACEMENT CHARACTER}z" in feedback


@pytest.mark.parametrize("source", ROWS)
@pytest.mark.parametrize("blank", ["", " \n", "<answer></answer>", "\x00", "\N{ZERO WIDTH SPACE}"])
def test_a_response_that_says_nothing_scores_nothing_and_hears_why(source, blank):
    result = compute_score(source, blank, ROWS[source][1])
    assert (result["score"], result["acc"]) == (0.0, 0.0)
    assert result["feedback"].strip()
    assert result["incorrect_format"] == 1.0


def test_threads_agree_with_the_main_thread():
    jobs = [(source, text, truth) for source, (right, truth) in ROWS.items() for text in (right, "x", "\ud800")] * 40
    expected = [compute_score(*job) for job in jobs]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda job: compute_score(*job), jobs)) == expected


@pytest.mark.parametrize("source", ["", "maths", "sciknowevals/chemistry", "sciknoweva", "/sciknoweval", "quickstar"])
def test_an_unknown_data_source_is_an_error_that_lists_the_known_ones(source):
    with pytest.raises(ValueError, match="multiple_choice.*sciknoweval"):
        compute_score(source, "<answer>B</answer>", "B")


def test_the_longest_registered_name_decides(registry):
    @register_reward("sciknoweval/biology")
    def lenient(solution_str, ground_truth, extra_info=None):
        return {"score": 0.5}

    assert compute_score("sciknoweval/biology", "", "B")["score"] == 0.5
    assert compute_score("sciknoweval/biology/part", "", "B")["score"] == 0.5
    assert compute_score("sciknoweval/biologyx", "", "B")["score"] == 0.0


def test_options_reach_the_rewards_that_have_them_and_no_others(registry):
    seen = []

    @register_reward("mine")
    def mine(solution_str, ground_truth, extra_info=None, *, bonus=0.0):
        seen.append(bonus)
        return {"score": bonus}

    options = {"bonus": 0.25, "reveal_answer": True}
    assert compute_score("mine", "", "x", **options)["score"] == 0.25
    assert seen == [0.25]
    assert "The correct answer is B" in compute_score("sciknoweval", "", "B", **options)["feedback"]


def test_an_option_of_no_reward_is_an_error_and_verl_s_own_extras_are_not():
    with pytest.raises(ValueError, match=r"\['reveal_anser'\].*reveal_answer"):
        compute_score("sciknoweval", "", "B", reveal_anser=True)
    extras = {"reward_router_address": "host:1", "reward_model_tokenizer": None}
    assert compute_score("sciknoweval", "<answer>B</answer>", "B", **extras)["score"] == 1.0


def test_a_name_belongs_to_one_function_but_may_be_registered_again_by_it(registry):
    def build(value):
        def mine(solution_str, ground_truth, extra_info=None):
            return {"score": value}

        return mine

    register_reward("mine")(build(0.1))
    register_reward("mine")(build(0.2))  # the same code run a second time
    assert compute_score("mine", "", "")["score"] == 0.2
    with pytest.raises(ValueError, match="already.*mine"):
        register_reward("mine")(lambda solution_str, ground_truth, extra_info=None: {"score": 0.0})
    with pytest.raises(ValueError, match="already.*multiple_choice"):
        register_reward("sciknoweval")(build(0.0))


@pytest.mark.parametrize("name", ["", "/x", "x/", " x"])
def test_a_name_that_no_data_source_could_match_is_refused(registry, name):
    with pytest.raises(ValueError, match="reward name"):
        register_reward(name)(lambda solution_str, ground_truth, extra_info=None: {"score": 0.0})


def test_a_function_with_other_arguments_is_refused_when_registered(registry):
    with pytest.raises(ValueError, match="solution_str, ground_truth, extra_info"):
        register_reward("mine")(lambda data_source, solution_str, ground_truth: {"score": 0.0})
    assert "mine" not in registered_rewards()


@pytest.mark.parametrize("raw", [{}, {"acc": 1.0}, {"score": 1.0, "pred": "B"}, {"score": float("nan")}])
def test_a_reward_that_breaks_the_common_fields_is_named(raw):
    with pytest.raises(ValueError, match="'mine'"):
        outcome.complete_outcome(raw, None, "mine")


def test_missing_fields_are_filled_and_feedback_of_right_answers_is_dropped():
    assert outcome.complete_outcome({"score": 1}, None, "mine") == {
        "score": 1.0,
        "acc": 1.0,
        "feedback": "",
        "incorrect_format": 0.0,
        "truncated": 0.0,
        "timed_out": 0.0,
        "sandbox_error": 0.0,
        "bad_test": 0.0,
    }
    assert outcome.complete_outcome({"score": 0.5, "feedback": "half"}, None, "mine")["acc"] == 0.0
    assert outcome.complete_outcome({"score": 0.5, "acc": 1, "feedback": "half"}, None, "mine")["feedback"] == ""
    assert outcome.complete_outcome({"score": 0, "timed_out": True}, None, "mine")["timed_out"] == 1.0


def test_long_feedback_keeps_its_head_and_its_tail():
    cut = outcome.clean_text("head" + "x" * 10**6 + "tail")
    assert len(cut) <= outcome.MAX_FEEDBACK_CHARS
    assert cut.startswith("headx")
    assert cut.endswith("xtail")
    assert "[...]" in cut


def test_importing_the_rewards_loads_neither_torch_nor_verl():
    heavy = "{'torch', 'verl', 'ray', 'vllm', 'transformers', 'numpy', 'omegaconf'}"
    check = f"import sys, verl_sdpo.rewards; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
