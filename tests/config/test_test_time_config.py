# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The options of test-time runs: every senseless value and every combination that cannot be is refused by name."""

import pytest
from omegaconf import OmegaConf

from verl_sdpo.config.test_time import TestTimeConfig as Options
from verl_sdpo.config.test_time import defaults
from verl_sdpo.config.test_time import test_time_faults as faults_of

NAMES = ["sdpo_test_time", "sdpo_test_time_cpu"]


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_configurations_are_sound_and_have_the_defaults_of_the_class(compose, name):
    config = compose(name)
    assert faults_of(config) == []
    assert OmegaConf.to_container(config.test_time) == defaults()
    assert Options.of(config) == Options()


def test_the_papers_test_time_settings(compose):
    # Paper, Table 12, column of section 5; section 5 for the budget.
    config = compose("sdpo_test_time")
    actor, rollout = config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout
    distillation = actor.self_distillation
    assert (config.data.train_batch_size, actor.ppo_mini_batch_size, rollout.n) == (1, 1, 16)
    assert (config.data.max_prompt_length, config.data.max_response_length) == (2048, 8192)
    assert (distillation.alpha, distillation.distillation_topk, distillation.advantage_clip) == (1.0, 20, 5.0)
    assert (distillation.teacher_regularization, distillation.teacher_update_rate) == ("ema", 0.01)
    assert (distillation.is_clip, config.algorithm.rollout_correction.rollout_is_threshold) == (2.0, 2.0)
    optim = actor.optim
    assert (optim.lr, optim.lr_warmup_steps, optim.lr_scheduler_type) == (1e-6, 0, "constant")
    assert (optim.weight_decay, optim.clip_grad) == (0.01, 1.0)
    assert (rollout.temperature, config.test_time.budget) == (1.0, 2750)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("method", "grpo"),
        ("method", None),
        ("budget", 0),
        ("budget", 2.5),
        ("budget", True),
        ("questions", []),
        ("questions", [-1]),
        ("questions", [1, 1]),
        ("questions", ["1"]),
        ("questions", 3),
        ("output_dir", ""),
        ("output_dir", None),
        ("stop_at_first_success", "yes"),
        ("context", "everything"),
        ("max_prompt_tokens", 0),
        ("max_prompt_tokens", "32k"),
        ("concurrent_questions", 0),
        ("concurrent_questions", 2),
    ],
)
def test_a_senseless_value_is_refused_with_key_value_and_remedy(compose, key, value):
    config = compose("sdpo_test_time")
    config.test_time[key] = value
    [fault] = faults_of(config)
    assert fault.startswith(f"test_time.{key}={value!r} is not possible: ")


def test_an_unknown_option_is_named_with_the_nearest(compose):
    config = compose("sdpo_test_time", "+test_time.budgets=3")
    [fault] = faults_of(config)
    assert "did you mean budget?" in fault


def test_a_configuration_without_the_section_is_told_where_it_is(compose):
    [fault] = faults_of(compose("sdpo_trainer"))
    assert "sdpo_test_time" in fault


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("actor_rollout_ref.actor.policy_loss.loss_mode", "vanilla"),
        ("trainer.v1.trainer_mode", "colocate_async"),
        ("actor_rollout_ref.rollout.agent.agent_loop_manager_class", "mine.Manager"),
        ("trainer.test_freq", 5),
        ("trainer.val_before_train", True),
        ("trainer.max_generations", 100),
        ("data.train_max_samples", 10),
        ("algorithm.filter_groups.enable", True),
        ("reward.reward_model.enable", True),
        ("actor_rollout_ref.actor.self_distillation.generation_by", "teacher"),
    ],
)
def test_a_setting_that_a_test_time_run_cannot_honour_is_refused(compose, key, value):
    config = compose("sdpo_test_time")
    OmegaConf.update(config, key, value, force_add=True)
    [fault] = faults_of(config)
    assert fault.startswith(f"{key}={value!r} is not supported with test_time: ")


@pytest.mark.parametrize("method", ["best_of_k", "multi_turn"])
def test_a_baseline_has_its_batch_from_the_number_of_questions(compose, method):
    sound = (f"test_time.method={method}", "test_time.concurrent_questions=4")
    assert faults_of(compose("sdpo_test_time", *sound)) == []
    [fault] = faults_of(compose("sdpo_test_time", *sound, "data.train_batch_size=4"))
    assert fault.startswith("data.train_batch_size=4")


def test_with_sdpo_the_question_may_stand_in_a_batch_several_times(compose):
    assert faults_of(compose("sdpo_test_time", "data.train_batch_size=4")) == []


def test_a_window_beyond_what_the_rollout_takes_is_refused(compose):
    window = ("test_time.method=multi_turn", "test_time.max_prompt_tokens=32768")
    [fault] = faults_of(compose("sdpo_test_time", *window))
    assert "actor_rollout_ref.rollout.prompt_length=2048" in fault
    assert faults_of(compose("sdpo_test_time", *window, "actor_rollout_ref.rollout.prompt_length=32768")) == []
    # Only this method has a window.
    assert faults_of(compose("sdpo_test_time", "test_time.max_prompt_tokens=32768")) == []
