# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""When a question is over, which attempts come next, and what counts as a generation."""

import random

import pytest

from verl_sdpo.test_time.turns import Question, Questions, Rules, Turn


def turn(attempt, success=False, judged=True):
    return Turn(attempt, f"response {attempt}", float(success), success, "" if success else "wrong", judged)


def play(rules, outcomes):
    """The question after its batches were answered by these outcomes: "." wrong, "S" right, "?" not judged."""
    question, answers, batches = Question("q", rules), iter(outcomes), []
    while attempts := question.next_attempts():
        marks = [next(answers) for _ in attempts]
        question.add([turn(n, mark == "S", mark != "?") for n, mark in zip(attempts, marks)])
        batches.append(len(attempts))
    return question, batches


def test_the_last_batch_has_what_is_left_of_the_budget():
    question, batches = play(Rules(budget=10, per_step=4), "." * 10)
    assert batches == [4, 4, 2]
    assert question.result() == {"first_success": None, "generations": 10, "successes": 0, "unjudged": 0}


def test_the_batch_with_the_first_success_is_the_last_and_counts_whole():
    question, batches = play(Rules(budget=100, per_step=4), ".....S.S")
    assert batches == [4, 4]
    assert question.result() == {"first_success": 6, "generations": 8, "successes": 2, "unjudged": 0}


def test_it_may_go_on_after_the_first_success_to_the_end_of_the_budget():
    question, batches = play(Rules(budget=6, per_step=4, stop_at_first_success=False), ".S...S")
    assert batches == [4, 2]
    assert question.result() == {"first_success": 2, "generations": 6, "successes": 2, "unjudged": 0}


def test_an_attempt_that_nobody_judged_costs_nothing_and_moves_no_success():
    question, batches = play(Rules(budget=6, per_step=4), "?.?." + "?..S")
    assert batches == [4, 4]
    # Judged are numbers 2, 4, 6, 7, 8.
    assert question.result() == {"first_success": 5, "generations": 5, "successes": 1, "unjudged": 3}
    # Of the budget's attempts each was judged, however many were not.
    question, _ = play(Rules(budget=6, per_step=4), "?.?." + "?..." + ".")
    assert question.generations == 6


def test_an_environment_that_judges_nothing_ends_the_question_too():
    question, batches = play(Rules(budget=6, per_step=4), "?" * 100)
    assert sum(batches) == 8
    assert question.result() == {"first_success": None, "generations": 0, "successes": 0, "unjudged": 8}


@pytest.mark.parametrize("seed", range(30))
def test_the_first_success_is_the_place_of_the_first_success_among_the_judged(seed):
    rng = random.Random(seed)
    outcomes = "".join(rng.choice("...S?") for _ in range(60))
    rules = Rules(rng.randint(1, 20), rng.randint(1, 6), rng.random() < 0.5)
    question, batches = play(rules, outcomes)
    made = outcomes[: sum(batches)].replace("?", "")
    assert question.first_success == (made.index("S") + 1 if "S" in made else None)
    assert question.generations == len(made) <= rules.budget


def test_attempts_are_taken_in_any_order_and_without_gaps_only():
    question = Question("q", Rules(10, 3))
    question.add([turn(2), turn(1), turn(3)])
    assert [each.attempt for each in question.turns] == [1, 2, 3]
    for wrong in ([turn(5)], [turn(3)], [turn(4), turn(4)]):
        with pytest.raises(ValueError, match="do not go on from 3"):
            question.add(wrong)


def test_questions_are_asked_in_their_order_and_finished_ones_are_left_out():
    history = {"7": [turn(1), turn(2)], "3": [turn(1)]}
    questions = Questions(["3", "7", "1"], Rules(5, 2), history, {"3": {}})
    assert [question.name for question in questions.current(2)] == ["7", "1"]
    assert questions["7"].next_attempts() == range(3, 5)
    questions.close("7")
    assert [question.name for question in questions.current(2)] == ["1"]
    assert questions.num_waiting == 1
