# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Each rule: the step that it is about, the nearest one that it is not about, and how often it speaks."""

import math

import pytest

from verl_sdpo.watch import health
from verl_sdpo.watch.health import NUM_FIRST_STEPS, RULES, RunHealth

SD = "self_distillation"
# A step of the quickstart's run (seed 0, step 20), as verl's file logger wrote it.
HEALTHY = {
    "critic/score/min": 0.0,
    "critic/score/max": 1.0,
    f"{SD}/success_group_fraction": 0.8125,
    f"{SD}/feedback_used_fraction": 0.1875,
    f"{SD}/privileged_context_used_fraction": 0.0,
    f"{SD}/reprompt_sample_fraction": 0.9844,
    f"{SD}/divergence": 0.0454,
    f"{SD}/teacher_distance": 0.0286,
    f"{SD}/student_entropy": 0.1898,
    f"{SD}/student_support_mass": 1.0,
    f"{SD}/teacher_support_mass": 1.0,
    "actor/grad_norm": 0.4749,
    "actor/entropy": 0.1931,
    "response_length/mean": 100.0,
}
NOTHING_SHOWN = {f"{SD}/success_group_fraction": 0.0, f"{SD}/feedback_used_fraction": 0.0}
SAME_SCORES = {"critic/score/max": 0.0, f"{SD}/reprompt_sample_fraction": 0.0}
# Rule, what is wrong about the step, a near miss, and words of the message: the metric with its value first.
CASES = [
    ("no_reward_variance", SAME_SCORES, {"critic/score/max": 0.1}, "critic/score/min=0, critic/score/max=0: "),
    ("no_reward_variance", SAME_SCORES, {f"{SD}/reprompt_sample_fraction": 0.5}, "actor_rollout_ref.rollout.n"),
    ("nothing_to_show", NOTHING_SHOWN, {f"{SD}/success_group_fraction": 0.1}, f"{SD}/success_group_fraction=0, "),
    ("nothing_to_show", NOTHING_SHOWN, {f"{SD}/feedback_used_fraction": 0.1}, "let the reward function return"),
    ("nothing_to_show", NOTHING_SHOWN, {f"{SD}/privileged_context_used_fraction": 0.1}, "no attempt succeeded"),
    ("teacher_equals_student", {f"{SD}/divergence": 0.0}, {f"{SD}/divergence": 1e-5}, f"{SD}/divergence=0, "),
    ("teacher_equals_student", {f"{SD}/divergence": -1e-8}, {f"{SD}/divergence": -1e-5}, "ContextWriter"),
    ("little_support", {f"{SD}/student_support_mass": 0.4}, {f"{SD}/student_support_mass": 0.5}, "distillation_topk"),
    (
        "little_support",
        {f"{SD}/teacher_support_mass": 0.4},
        {f"{SD}/teacher_support_mass": 0.5},
        "teacher_support_mass=0.4",
    ),
    ("entropy_collapse", {f"{SD}/student_entropy": 0.004}, {f"{SD}/student_entropy": 0.02}, "student_entropy=0.004"),
    ("gradient_not_finite", {"actor/grad_norm": math.nan}, {"actor/grad_norm": 9e9}, "actor/grad_norm=nan"),
    ("gradient_not_finite", {"actor/grad_norm": math.inf}, {"actor/grad_norm": 9e9}, "optimizer left out"),
    ("gradient_vanished", {"actor/grad_norm": 0.0}, {"actor/grad_norm": 1e-5}, "actor/grad_norm=0: "),
    ("responses_collapse", {"response_length/mean": 19.0}, {"response_length/mean": 21.0}, "100 tokens"),
]


def warmed_up(repeat_every=1000):
    run = RunHealth(repeat_every)
    for step in range(NUM_FIRST_STEPS):
        assert run.check(step, HEALTHY) == []
    return run


@pytest.mark.parametrize(("rule", "wrong", "near_miss", "words"), CASES)
def test_a_degenerate_step_says_so_in_words_and_a_near_miss_does_not(rule, wrong, near_miss, words):
    run = warmed_up()
    [message] = run.check(10, HEALTHY | wrong)
    assert words in message
    assert ". Try: " in message
    assert getattr(health, rule)(HEALTHY | wrong, {"response_length/mean": 100.0}) == message
    assert run.check(11, HEALTHY | wrong | near_miss) == []


def test_every_rule_has_a_case():
    assert {rule.__name__ for rule in RULES} == {case[0] for case in CASES}


def test_a_step_without_metrics_is_no_degenerate_one():
    assert RunHealth(1).check(1, {}) == []


def test_a_live_teachers_distance_of_zero_is_no_fault():
    assert warmed_up().check(10, HEALTHY | {f"{SD}/teacher_distance": 0.0}) == []


def test_equal_scores_are_a_fault_of_a_run_with_a_loss_of_verls():
    [message] = RunHealth(1).check(1, {"critic/score/min": 1.0, "critic/score/max": 1.0})
    assert "advantages are 0" in message


def test_a_run_with_a_loss_of_verls_is_asked_for_verls_entropy():
    [message] = RunHealth(1).check(1, {"actor/entropy": 0.001})
    assert message.startswith("actor/entropy=0.001: ")


def test_a_warning_comes_once_then_every_n_steps_and_again_when_it_comes_back():
    run = warmed_up(repeat_every=10)
    bad = HEALTHY | {"actor/grad_norm": 0.0}
    assert [step for step in range(20, 41) if run.check(step, bad)] == [20, 30, 40]
    assert run.check(41, HEALTHY) == []
    assert len(run.check(42, bad)) == 1
    assert run.check(43, bad) == []


def test_two_faults_are_two_messages_with_a_pace_each():
    run = warmed_up(repeat_every=10)
    assert len(run.check(20, HEALTHY | {"actor/grad_norm": 0.0})) == 1
    assert len(run.check(25, HEALTHY | {"actor/grad_norm": 0.0} | NOTHING_SHOWN)) == 1
    assert len(run.check(30, HEALTHY | {"actor/grad_norm": 0.0} | NOTHING_SHOWN)) == 1


def test_lengths_are_compared_with_the_runs_first_steps_after_resuming_too():
    resumed = RunHealth(1)
    resumed.load_state_dict(warmed_up().state_dict())
    [message] = resumed.check(100, HEALTHY | {"response_length/mean": 5.0})
    assert message.startswith("response_length/mean=5: ")
    assert RunHealth(1).check(100, HEALTHY | {"response_length/mean": 5.0}) == []


def test_a_rule_of_ones_own_is_a_function():
    run = RunHealth(1, rules=(lambda metrics, _first: f"lr={metrics['lr']}",))
    assert run.check(1, {"lr": 0}) == ["lr=0"]
