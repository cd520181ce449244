# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""SDPO's options: one place for every default, one line for every senseless value."""

import dataclasses

import pytest
from omegaconf import OmegaConf

from verl_sdpo.config import SelfDistillationConfig, flat_defaults

KEY = "actor_rollout_ref.actor.self_distillation"

# For every option: senseless values, and words of the remedy.
BAD_VALUES = {
    "full_logit_distillation": ([None, 1, "yes"], "true or false"),
    "distillation_topk": ([0, -5, 2.5, 100.0, True, "many", float("inf"), float("nan")], "at least 1, or null"),
    "distillation_add_tail": ([None, 0, "no"], "true or false"),
    "alpha": ([-0.1, 1.01, None, True, "0.5", float("nan"), float("inf")], "from 0"),
    "is_clip": ([0, -2.0, True, "2", float("nan")], "above 0, or null"),
    "teacher_regularization": (["emma", None, 0.05, ["ema"]], "choose one of ema"),
    "teacher_update_rate": ([-0.01, 1.5, None, False, "fast", float("nan")], "from 0"),
    "success_reward_threshold": ([None, "1.0", True, float("nan"), float("inf")], "finite"),
    "dont_reprompt_on_self_success": ([None, "yes", 1], "bool"),
    "own_success_choice": (["never", None], "among_peers"),
    "demonstration_choice": (["last", None, 0], "random, first"),
    "demonstration_seed": ([0.5, None, "0", True], "int"),
    "remove_thinking_from_demonstration": ([None, "all"], "bool"),
    "thinking_removal": (["none", True], "paired, all"),
    "include_environment_feedback": ([None, "yes"], "bool"),
    "environment_feedback_only_without_solution": ([None, 1], "bool"),
    "environment_feedback_on_success": ([None, 0], "bool"),
    "privileged_context_use": (["on", False], "off, beside, instead"),
    "reprompt_template": (["no placeholder", "{prompt}{solution}", 3, "{prompt}{solution}{feedback}{feedback}"], "{"),
    "solution_template": (["none here", "{previous_attempt}", None], "{successful_previous_attempt}"),
    "feedback_template": (["none here", "{feedback_rwa}", None], "{feedback_raw}"),
    "privileged_context_template": (["none here", None], "{privileged_context_raw}"),
    "max_reprompt_len": ([0, -1, None, 10240.0, "long", True], "give a"),
    "reprompt_truncation": (["left", "right", None], "middle, error"),
}
NOT_TEXT_REMEDY = "give a finite value of that type"
CASES = [(key, value, remedy) for key, (values, remedy) in BAD_VALUES.items() for value in values]


@pytest.mark.parametrize("name", ["sdpo_trainer", "sdpo_trainer_cpu"])
def test_the_composed_options_are_the_dataclass_defaults(compose, name):
    composed = OmegaConf.to_container(OmegaConf.select(compose(name), KEY), resolve=True)
    assert composed == flat_defaults()


def test_flat_defaults_are_every_field_once():
    own = {field.name for field in dataclasses.fields(SelfDistillationConfig)} - {"reprompt"}
    reprompt = {field.name for field in dataclasses.fields(SelfDistillationConfig().reprompt)}
    assert own & reprompt == set()
    assert set(flat_defaults()) == own | reprompt
    assert SelfDistillationConfig.from_flat(flat_defaults()) == SelfDistillationConfig()
    assert SelfDistillationConfig.from_flat({}) == SelfDistillationConfig()


def test_the_defaults_are_those_of_the_published_runs():
    defaults = flat_defaults()
    published = {
        "full_logit_distillation": True,
        "distillation_topk": 100,
        "distillation_add_tail": True,
        "alpha": 0.5,
        "is_clip": 2.0,
        "teacher_regularization": "ema",
        "teacher_update_rate": 0.05,
        "success_reward_threshold": 0.5,
        "dont_reprompt_on_self_success": True,
        "max_reprompt_len": 10240,
    }
    assert {key: defaults[key] for key in published} == published


def test_every_option_has_a_value_that_is_refused():
    assert set(BAD_VALUES) == set(flat_defaults())


@pytest.mark.parametrize(("key", "value", "remedy"), CASES, ids=[f"{key}={value!r}" for key, value, _ in CASES])
def test_a_senseless_value_is_one_line_with_key_value_and_remedy(key, value, remedy):
    with pytest.raises(ValueError, match="^" + key) as caught:
        SelfDistillationConfig.from_flat({key: value})
    message = str(caught.value)
    assert message.startswith(f"{key}={value!r} ")
    assert "\n" not in message
    assert remedy in message or message.endswith(NOT_TEXT_REMEDY)


@pytest.mark.parametrize(
    "options",
    [
        {"distillation_topk": None},
        {"distillation_topk": 1},
        {"alpha": 0},
        {"alpha": 1},
        {"is_clip": None},
        {"is_clip": 1},
        {"teacher_update_rate": 0},
        {"teacher_update_rate": 1.0},
        {"success_reward_threshold": 1},
        {"full_logit_distillation": False, "alpha": 1.0},
        {"dont_reprompt_on_self_success": False, "own_success_choice": "always"},
        {"reprompt_template": "{feedback}{solution}{privileged_context}{prompt} 100 % of {x}"},
    ],
    ids=str,
)
def test_values_at_the_edge_are_taken_as_given(options):
    taken = SelfDistillationConfig.from_flat(options)
    flat = dataclasses.asdict(taken)
    flat |= flat.pop("reprompt")
    assert flat == flat_defaults() | options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"full_logit_distillation": False}, "alpha=0.5 .* set alpha=1.0"),
        ({"own_success_choice": "always"}, "own_success_choice='always' has no effect while dont_reprompt"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SelfDistillationConfig.from_flat(options)


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("aplha", "alpha"),
        ("distillation_top_k", "distillation_topk"),
        ("max_reprompt_length", "max_reprompt_len"),
        ("teacher_update_rates", "teacher_update_rate"),
        ("feedback_templates", "feedback_template"),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(key, meant):
    with pytest.raises(ValueError, match=f"^{key}=0.3 .* did you mean {meant}\\?$"):
        SelfDistillationConfig.from_flat({key: 0.3})


def test_a_key_like_none_gets_the_list_of_known_ones():
    with pytest.raises(ValueError, match="^zzz=1 .* known keys are") as caught:
        SelfDistillationConfig.from_flat({"zzz": 1})
    assert all(key in str(caught.value) for key in flat_defaults())


def test_the_nested_field_is_no_key_of_the_configuration():
    with pytest.raises(ValueError, match="^reprompt="):
        SelfDistillationConfig.from_flat({"reprompt": {}})


def test_a_configuration_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        SelfDistillationConfig().alpha = 1.0


@pytest.mark.parametrize(
    ("options", "mode"),
    [
        ({}, "topk_logits"),
        ({"distillation_topk": None}, "full_logits"),
        ({"full_logit_distillation": False, "alpha": 1.0}, "sampled_token"),
        ({"full_logit_distillation": False, "distillation_topk": None, "alpha": 1.0}, "sampled_token"),
    ],
)
def test_two_published_switches_choose_one_of_three_modes(options, mode):
    assert SelfDistillationConfig.from_flat(options).distillation_mode == mode
