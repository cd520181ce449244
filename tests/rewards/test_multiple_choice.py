# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import json
import time
from pathlib import Path

import pytest

from verl_sdpo.rewards import compute_score
from verl_sdpo.rewards.multiple_choice import LETTERS

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "reward_golden_mcq.json").read_text())
FOUR = {"details": '{"options": "ABCD"}'}


def score(solution, truth="B", extra_info=FOUR, **options):
    return compute_score("sciknoweval/chemistry", solution, truth, extra_info, **options)


def verdict(solution, truth="B", **options):
    outcome = score(solution, truth, **options)
    return outcome["score"], outcome["incorrect_format"]


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["solution"][:20])
@pytest.mark.parametrize("extra_info", [None, {}, FOUR])
@pytest.mark.parametrize("forms", [("tags",), ("tags", "boxed")])
def test_published_scores_are_matched(case, extra_info, forms):
    outcome = score(case["solution"], case["ground_truth"], extra_info, answer_forms=forms)
    assert outcome["score"] == case["score"]


RIGHT_FORM = [
    "<answer>B</answer>",
    "<answer>\nB\n</answer>   \n\t",
    "<reasoning>A is tempting.</reasoning><answer> B </answer> I am sure.",
    "<ANSWER>b</Answer>",
    "<answer>(B)</answer>",
    "<answer>B.</answer>",
    "<answer>B)</answer>",
    "<answer>[b]:</answer>",
    "<answer>**B**</answer>",
    "<answer>`B`</answer>",
    '<answer>"B"</answer>',
    "<answer>$\\boxed{\\text{B}}$</answer>",
    "<answer>A</answer> no, <answer>B</answer>",
    "<answer>A</answer> no, <answer>B</answer> <answer>",
    "<answer>A<answer>B</answer>",
    "\\boxed{A} <answer>B</answer>",
    "<answer>B</answer> \\boxed{A}",
    "It is \\boxed{B}." + " Checked." * 100,
    "It is \\boxed{B}. That is a wrap, as A, C and D say.",
    "\\boxed{A}, rather \\boxed{ (b) }",
    "\\boxed{\\text{B}} and an open \\boxed{A",
]


@pytest.mark.parametrize("solution", RIGHT_FORM)
def test_the_settled_letter_counts_whatever_surrounds_it(solution):
    assert verdict(solution, "B") == (1.0, 0.0)
    assert verdict(solution, "C") == (0.0, 0.0)


WRONG_FORM = [
    "",
    " \n",
    "B",
    "(B)",
    "The answer is B",
    "<answer>B",
    "B</answer>",
    "</answer>B<answer>",
    "<answer></answer>",
    "<answer>AB</answer>",
    "<answer>A, B</answer>",
    "<answer>A or B</answer>",
    "<answer>(A) (B)</answer>",
    "<answer>B: 1.72</answer>",
    "<answer>Option B</answer>",
    "<answer>E</answer>",
    "<answer>4</answer>",
    "<answer>\u0412</answer>",  # Cyrillic
    "<answer>\uff22</answer>",  # full width
    "<answer>A</answer> no, <answer>none of them</answer>",
    "<answer>none</answer> \\boxed{B}",
    "\\boxed{B or C}",
    "\\boxed{B} or \\boxed{}",
    "<answer>" + " " * 50 + "(" * 100 + "B" + ")" * 100 + "</answer>",
]


@pytest.mark.parametrize("solution", WRONG_FORM)
def test_what_settles_on_no_option_scores_zero_and_is_a_format_fault(solution):
    outcome = score(solution)
    assert (outcome["score"], outcome["incorrect_format"]) == (0.0, 1.0)
    assert outcome["feedback"].startswith("Incorrect format: ")
    assert "A, B, C, D" in outcome["feedback"]


@pytest.mark.parametrize(
    ("forms", "accepted"),
    [
        (("tags",), {"<answer>B</answer>"}),
        (("boxed",), {"\\boxed{B}"}),
        (("letter",), {"B", "(b).\n"}),
        (("tags", "boxed"), {"<answer>B</answer>", "\\boxed{B}"}),
        (("tags", "boxed", "letter"), {"<answer>B</answer>", "\\boxed{B}", "B", "(b).\n"}),
        ("letter", {"B", "(b).\n"}),
    ],
)
def test_only_the_chosen_forms_count(forms, accepted):
    responses = ["<answer>B</answer>", "\\boxed{B}", "B", "(b).\n", "It is B", "B\nC"]
    assert {text for text in responses if score(text, answer_forms=forms)["score"] == 1.0} == accepted


def test_feedback_on_request_names_no_more_than_faults_of_the_form():
    assert score("<answer>A</answer>")["feedback"] == "Your answer A is incorrect."
    assert score("<answer>A</answer>", tell_wrong=False)["feedback"] == ""
    assert score("<answer>B</answer>", tell_wrong=False)["feedback"] == ""
    assert score("A", tell_wrong=False) == score("A")
    told = score("<answer>A</answer>", tell_wrong=False, reveal_answer=True)["feedback"]
    assert told == "The correct answer is B."


def test_by_default_a_lone_letter_does_not_count():
    assert verdict("B") == (0.0, 1.0)


@pytest.mark.parametrize("num_options", range(2, 11))
def test_every_option_of_two_to_ten_can_be_right_and_the_next_letter_is_no_option(num_options):
    letters = LETTERS[:num_options]
    extra_info = {"details": json.dumps({"options": letters})}
    for letter in letters:
        assert score(f"<answer>{letter}</answer>", letter, extra_info)["score"] == 1.0
    beyond = score(f"<answer>{'ABCDEFGHIJK'[num_options]}</answer>", "A", extra_info)
    assert (beyond["score"], beyond["incorrect_format"]) == (0.0, 1.0)


def test_without_details_every_letter_to_j_is_an_option():
    for letter in "ABCDEFGHIJ":
        assert score(f"<answer>{letter}</answer>", letter, None)["score"] == 1.0
    assert score("<answer>E</answer>", "A", None)["incorrect_format"] == 0.0
    outside = score("<answer>K</answer>", "A", None)
    assert outside["incorrect_format"] == 1.0
    assert "J" not in outside["feedback"]


def test_a_dotless_i_is_not_the_letter_i():
    assert score("<answer>\u0131</answer>", "I", None)["incorrect_format"] == 1.0


def test_feedback_names_the_wrong_choice_and_keeps_the_right_one_to_itself():
    assert score("<answer>c</answer>")["feedback"] == "Your answer C is incorrect."
    told = {score("<answer>C</answer>", truth)["feedback"] for truth in "ABD"}
    assert len(told) == 1


@pytest.mark.parametrize("solution", ["<answer>C</answer>", "no idea", "", "<answer>both</answer>"])
def test_the_right_letter_is_revealed_only_on_request(solution):
    assert "correct answer" not in score(solution)["feedback"]
    assert score(solution, reveal_answer=True)["feedback"].endswith(" The correct answer is B.")
    assert score("<answer>B</answer>", reveal_answer=True)["feedback"] == ""


@pytest.mark.parametrize(
    ("solution", "named"),
    [
        ("", "empty"),
        ("It is B", "does not state"),
        ("<answer>B", "no complete pair"),
        ("<answer>  </answer>", "it was empty"),
        ("<answer>B is heavier</answer>", "'B is heavier'"),
        ("\\boxed{B is heavier}", "\\boxed{}"),
    ],
)
def test_feedback_names_the_fault_of_the_form(solution, named):
    assert named in score(solution)["feedback"]


def test_a_long_answer_is_quoted_briefly():
    feedback = score(f"<answer>{'mercury ' * 5000}</answer>")["feedback"]
    assert "mercury mercury" in feedback
    assert len(feedback) < 300


def test_a_truncated_response_without_an_answer_is_told_so():
    truncated = FOUR | {"truncated": True}
    assert "cut off" in score("Let me think", extra_info=truncated)["feedback"]
    assert "cut off" not in score("<answer>C</answer> and", extra_info=truncated)["feedback"]
    assert score("<answer>B</answer> and", extra_info=truncated)["feedback"] == ""
    assert "cut off" not in score("Let me think")["feedback"]


@pytest.mark.parametrize("truth", ["", "E", "AB", "1", None, 2, "answer B"])
def test_a_broken_ground_truth_is_an_error_whatever_the_response(truth):
    for solution in ("<answer>B</answer>", ""):
        with pytest.raises(ValueError, match="sciknoweval/chemistry.*ground truth"):
            score(solution, truth)


def test_a_ground_truth_may_be_padded_or_lower_case():
    assert verdict("<answer>B</answer>", " b\n") == (1.0, 0.0)


@pytest.mark.parametrize("options", ["A", "ABCDEFGHIJK", "BA", "ACD", "", 4, ["A", "B"]])
def test_broken_options_are_an_error(options):
    with pytest.raises(ValueError, match="options"):
        score("<answer>B</answer>", extra_info={"details": json.dumps({"options": options})})


@pytest.mark.parametrize("details", ["{", "[]", "3", 4])
def test_broken_details_are_an_error(details):
    with pytest.raises(ValueError, match="details"):
        score("<answer>B</answer>", extra_info={"details": details})


@pytest.mark.parametrize("forms", [(), ("tag",), "boxes", ("tags", 3)])
def test_an_unknown_answer_form_is_an_error(forms):
    with pytest.raises(ValueError, match="answer_forms.*tags, boxed, letter"):
        score("<answer>B</answer>", answer_forms=forms)


@pytest.mark.parametrize(
    "unit", ["<answer>", "</answer>", "<answer></answer>", "<", "\\boxed{", "{", "<answer", "<answer ", "(", "$", " "]
)
def test_long_hostile_text_is_scored_in_no_time(unit):
    text = unit * (200_000 // len(unit))
    started = time.process_time()
    for solution in (text, "<" + text, "<answer>" + text, "\\boxed" + text, "<answer>" + text + "</answer>"):
        assert score(solution, answer_forms=("tags", "boxed", "letter"))["score"] == 0.0
    assert time.process_time() - started < 5
