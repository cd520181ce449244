# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What the options of the teacher's prompt accept, what they refuse, and what they are when nobody sets them."""

import re
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest
import yaml

from verl_sdpo.algorithm.reprompt import build_teacher_messages
from verl_sdpo.algorithm.reprompt_config import PUBLISHED_DATACLASS_TEMPLATES, RECOMMENDED_BEHAVIOUR, RepromptConfig


@pytest.mark.parametrize(
    ("key", "template", "named"),
    [
        ("reprompt_template", "{prompt}{solution}", "{feedback}"),
        ("reprompt_template", "{solution}{feedback}", "{prompt}"),
        ("reprompt_template", "{prompt}{prompt}{solution}{feedback}", "{prompt} 2 times"),
        ("reprompt_template", "{prompt}{solution}{feedback}{solutions}", "{solutions}"),
        ("reprompt_template", "{prompt}{solution}{ feedback }", "{ feedback }"),
        ("reprompt_template", "{prompt}{solution}{feedback_raw}", "{feedback_raw}"),
        ("reprompt_template", "{Prompt}{solution}{feedback}", "{Prompt}"),
        ("solution_template", "no place", "{successful_previous_attempt}"),
        ("feedback_template", "{feedbak_raw}", "{feedbak_raw}"),
        ("feedback_template", "{feedback_raw} {feedbak_raw}", "{feedbak_raw}"),
        ("feedback_template", "{feedback_raw!r}", "{feedback_raw}"),
        ("privileged_context_template", "{privileged_context}", "{privileged_context_raw}"),
        ("own_attempt_template", "no place", "{own_attempt_raw}"),
    ],
)
def test_a_template_with_a_missing_or_misspelled_placeholder_is_refused(key, template, named):
    with pytest.raises(ValueError, match=key) as error:
        RepromptConfig(**{key: template})
    assert named in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("success_reward_threshold", "high"),
        ("success_reward_threshold", float("nan")),
        ("success_reward_threshold", True),
        ("dont_reprompt_on_self_success", "false"),
        ("include_environment_feedback", 1),
        ("demonstration_choice", "last"),
        ("demonstration_seed", 0.5),
        ("demonstration_seed", None),
        ("thinking_removal", "some"),
        ("own_success_choice", "never"),
        ("privileged_context_use", True),
        ("reprompt_template", None),
        ("max_reprompt_len", 0),
        ("max_reprompt_len", 1e4),
        ("reprompt_truncation", "right"),
    ],
)
def test_a_senseless_value_is_refused_in_one_line_with_key_and_value(key, value):
    with pytest.raises(ValueError, match=key) as error:
        RepromptConfig(**{key: value})
    assert repr(value) in str(error.value) or str(value) in str(error.value)
    assert "\n" not in str(error.value)


def test_own_success_choice_is_refused_where_it_has_no_effect():
    with pytest.raises(ValueError, match="dont_reprompt_on_self_success=False"):
        RepromptConfig(own_success_choice="when_alone")


def test_an_unknown_option_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match="did you mean success_reward_threshold"):
        build_teacher_messages([], success_reward_treshold=0.5)
    with pytest.raises(ValueError, match="zzz=1 is no reprompt option: known keys are success_reward_threshold"):
        build_teacher_messages([], zzz=1)


def test_config_is_frozen_and_every_option_has_an_accepted_default():
    config = RepromptConfig()
    with pytest.raises(FrozenInstanceError):
        config.max_reprompt_len = 1
    assert RepromptConfig.from_keywords(**{f.name: f.default for f in fields(config)}) == config


# Named sets of options


def test_the_options_that_are_not_published_default_to_what_the_published_code_does():
    config = RepromptConfig()
    assert config.demonstration_choice == "first"
    assert config.thinking_removal == "paired"
    assert config.environment_feedback_on_success is True
    assert config.own_success_choice == "among_peers"


@pytest.mark.parametrize("named_set", [PUBLISHED_DATACLASS_TEMPLATES, RECOMMENDED_BEHAVIOUR])
def test_a_named_set_of_options_is_accepted_differs_from_the_defaults_and_cannot_be_changed(named_set):
    config = RepromptConfig(**named_set)
    assert all(getattr(config, key) != getattr(RepromptConfig(), key) for key in named_set)
    for key in named_set:
        with pytest.raises(TypeError):
            named_set[key] = getattr(RepromptConfig(), key)


def test_the_override_in_the_docs_gives_the_recommended_behaviour():
    text = (Path(__file__).parents[2] / "docs" / "deviations.md").read_text(encoding="utf-8")
    override = re.findall(r"^actor_rollout_ref\.actor\.self_distillation\.(\w+)=(\S+)( \\)?$", text, flags=re.MULTILINE)
    assert len(override) == 3
    assert {key: yaml.safe_load(value) for key, value, _ in override} == RECOMMENDED_BEHAVIOUR
