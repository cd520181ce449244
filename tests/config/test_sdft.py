# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The options of docs/sdft.md in a run's configuration: what goes together, and what is refused with a remedy."""

import pytest
from omegaconf import OmegaConf

from verl_sdpo.config import SelfDistillationConfig, flat_defaults
from verl_sdpo.config.checks import ConfigError, check_run

KEY = "actor_rollout_ref.actor.self_distillation"
IS = "algorithm.rollout_correction.rollout_is"
OFFLINE = (f"{KEY}.demonstration_source=dataset", f"{KEY}.include_environment_feedback=False")
BY_TEACHER = (*OFFLINE, f"{KEY}.generation_by=teacher", f"{IS}=null")


def refusals(config):
    with pytest.raises(ConfigError) as caught:
        check_run(config)
    return caught.value.faults


def with_value(config, key, value):
    OmegaConf.update(config, key, value, force_add=True)
    return config


def test_the_defaults_are_rollouts_of_the_student_and_their_successes():
    assert flat_defaults()["generation_by"] == "student"
    assert flat_defaults()["demonstration_source"] == "rollouts"


@pytest.mark.parametrize("name", ["sdpo_trainer", "sdpo_trainer_cpu"])
@pytest.mark.parametrize("mode", ["sync", "colocate_async", "separate_async"])
@pytest.mark.parametrize("given", [OFFLINE, BY_TEACHER], ids=["by student", "by teacher"])
def test_both_ways_of_generation_pass_the_checks(compose, name, mode, given):
    check_run(compose(name, *given, f"trainer.v1.trainer_mode={mode}"))


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        (IS, "token", "set it to null"),
        (IS, "sequence", "set it to null"),
        ("algorithm.rollout_correction.rollout_rs", "token_k1", "set it to null"),
        ("reward.reward_model.enable", True, "set it to False"),
        ("actor_rollout_ref.rollout.enable_rollout_routing_replay", True, "set it to False"),
    ],
)
def test_what_speaks_of_the_rollouts_own_prompt_is_refused_with_the_teachers_rollouts_only(compose, key, value, remedy):
    [fault] = refusals(with_value(compose("sdpo_trainer", *BY_TEACHER), key, value))
    assert fault.startswith(f"{key}={value!r} is not supported with {KEY}.generation_by=teacher: ")
    assert fault.endswith(remedy)
    check_run(with_value(compose("sdpo_trainer", *OFFLINE), key, value))


def test_the_shipped_rollout_correction_has_to_be_switched_off(compose):
    [fault] = refusals(compose("sdpo_trainer", *BY_TEACHER[:-1]))
    assert fault.startswith(f"{IS}='token' ")


def test_sdpos_advantages_are_about_samples_of_the_student(compose):
    given = ("actor_rollout_ref.actor.policy_loss.loss_mode=vanilla", "algorithm.adv_estimator=sdpo")
    [fault] = refusals(compose("sdpo_trainer", *BY_TEACHER, *given))
    assert fault.startswith("algorithm.adv_estimator='sdpo' ")
    check_run(compose("sdpo_trainer", *OFFLINE, *given))


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"demonstration_source": "rollouts"}, "set demonstration_source=dataset"),
        ({"credit_assignment": "token", "alpha": 1.0}, "set credit_assignment=logit"),
        ({"credit_assignment": "sequence", "alpha": 1.0}, "set credit_assignment=logit"),
        ({"distillation_weight": 0.5}, "set distillation_weight=1.0"),
    ],
)
def test_contradictions_among_the_options(options, remedy):
    given = {"demonstration_source": "dataset"} | options
    with pytest.raises(ValueError, match=f"^generation_by='teacher' makes no sense: .*{remedy}$"):
        SelfDistillationConfig.from_flat(given | {"generation_by": "teacher"})
    SelfDistillationConfig.from_flat(given)


@pytest.mark.parametrize("value", ["both", None, True, ["teacher"]])
def test_an_unknown_generator_is_refused_on_one_line(compose, value):
    [fault] = refusals(with_value(compose("sdpo_trainer", *OFFLINE), f"{KEY}.generation_by", value))
    assert fault.startswith(f"{KEY}.generation_by={value!r} ")
    assert "choose one of student, teacher" in fault
