# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""SDPO's options: one place for every default, one line for every senseless value."""

import dataclasses

import pytest
from omegaconf import OmegaConf

from verl_sdpo.algorithm.linear_kernels import KERNELS
from verl_sdpo.algorithm.sample_weights import SAMPLE_WEIGHTINGS, TOKEN_WEIGHTINGS
from verl_sdpo.algorithm.token_loss import DISTILLATION_MODES, SUPPORTS, check_distillation_options
from verl_sdpo.config import SelfDistillationConfig, flat_defaults, self_distillation

KEY = "actor_rollout_ref.actor.self_distillation"

# For every option: senseless values, and words of the remedy.
BAD_VALUES = {
    "full_logit_distillation": ([None, 1, "yes"], "true or false"),
    "credit_assignment": (["tokens", 1, ["logit"]], "choose one of logit, token_top1, token, sequence, null"),
    "distillation_topk": ([0, -5, 2.5, 100.0, True, "many", float("inf"), float("nan")], "at least 1, or null"),
    "distillation_support": (["both", None, 100], "choose one of student, teacher, union"),
    "distillation_add_tail": ([None, 0, "no"], "true or false"),
    "alpha": ([-0.1, 1.01, None, True, "0.5", float("nan"), float("inf")], "from 0"),
    "distillation_head": (["fused", None, True], "choose one of chunked, plain"),
    "distillation_chunk_size": ([0, -1, 2.0, True, "64"], "at least 1, or null"),
    "distillation_kernels": (["cuda", True, ["torch"]], "choose one of torch, compiled, triton, null"),
    "recompute_old_log_probs": ([None, 1, "no"], "true or false"),
    "advantage_clip": ([0, -5.0, True, "5", float("nan")], "above 0, or null"),
    "is_clip": ([0, -2.0, True, "2", float("nan")], "above 0, or null"),
    "distillation_weight": ([-0.1, 1.01, None, True, "0.9", float("nan")], "from 0 (policy loss only)"),
    "hybrid_policy_loss": (["sdpo", None, 1], "one of verl's policy losses"),
    "group_advantage_weight": ([-0.1, 1.01, None, False, "0.9", float("nan")], "from 0 (SDPO's advantages only)"),
    "sample_weighting": (["routing", 1, False, ["pass_rate"]], "choose one of null, success_routing, pass_rate"),
    "token_weighting": (["entropy", 1, True], "choose one of null, teacher_confidence"),
    "skip_first_tokens": ([-1, 1.0, None, True, "2"], "at least 0"),
    "teacher_regularization": (["emma", None, 0.05, ["ema"]], "choose one of ema, frozen, live, trust_region"),
    "teacher_update_rate": ([-0.01, 1.5, None, False, "fast", float("nan")], "from 0"),
    "teacher_update_every": ([0, -1, 1.0, None, True, "2"], "at least 1"),
    "teacher_warmup_steps": ([-1, 0.5, None, False, "2"], "at least 0"),
    "trust_region_mix": ([0, 1.0, -0.5, None, True, "0.5", float("nan")], "=frozen and =live"),
    "external_teacher_path": (["", 1, True, ["a"]], "folder or hub id of a checkpoint, or null"),
    "generation_by": (["nobody", None, 1], "choose one of student, teacher"),
    "demonstration_source": (["internet", None, True], "rollouts, dataset"),
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
    "include_own_attempt": ([None, 1], "bool"),
    "privileged_context_use": (["on", False], "off, beside, instead"),
    "reprompt_template": (["no placeholder", "{prompt}{solution}", 3, "{prompt}{solution}{feedback}{feedback}"], "{"),
    "solution_template": (["none here", "{previous_attempt}", None], "{successful_previous_attempt}"),
    "feedback_template": (["none here", "{feedback_rwa}", None], "{feedback_raw}"),
    "privileged_context_template": (["none here", None], "{privileged_context_raw}"),
    "own_attempt_template": (["none here", "{own_attempt}", None], "{own_attempt_raw}"),
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
    # Each option that the published code does not have is at the value that has no effect.
    ours = {
        "full_logit_distillation": True,
        "credit_assignment": None,
        "distillation_support": "student",
        "advantage_clip": None,
        "distillation_weight": 1.0,
        "group_advantage_weight": 0.0,
        "sample_weighting": None,
        "token_weighting": None,
        "skip_first_tokens": 0,
        "teacher_update_every": 1,
        "teacher_warmup_steps": 0,
        "external_teacher_path": None,
        "include_own_attempt": False,
    }
    assert {key: defaults[key] for key in ours} == ours


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
        {"credit_assignment": "token_top1"},
        {"full_logit_distillation": False, "alpha": 1.0},
        {"credit_assignment": "token", "alpha": 1.0},
        {"credit_assignment": "token", "alpha": 1, "distillation_add_tail": False},
        {"credit_assignment": "sequence", "alpha": 1.0, "advantage_clip": 5},
        {"distillation_support": "teacher"},
        {"distillation_support": "union", "distillation_topk": 1},
        {"advantage_clip": 1e-9},
        {"distillation_weight": 0},
        {"distillation_weight": 0.5, "sample_weighting": "success_routing", "hybrid_policy_loss": "gspo"},
        {"sample_weighting": "pass_rate", "token_weighting": "teacher_confidence"},
        {"group_advantage_weight": 1},
        {"group_advantage_weight": 0.9},
        {"skip_first_tokens": 4096},
        {"teacher_update_every": 1000, "teacher_warmup_steps": 50},
        {"teacher_regularization": "frozen"},
        {"teacher_regularization": "live"},
        {"teacher_regularization": "trust_region", "trust_region_mix": 0.999},
        {"teacher_regularization": "external", "external_teacher_path": "some/model"},
        {"generation_by": "teacher", "demonstration_source": "dataset"},
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
        ({"full_logit_distillation": False}, "alpha=0.5 .*full_logit_distillation=false .* set alpha=1.0"),
        ({"credit_assignment": "token"}, "alpha=0.5 .*credit_assignment=token .* set alpha=1.0"),
        (
            {"full_logit_distillation": False, "alpha": 1.0, "credit_assignment": "logit"},
            "credit_assignment='logit' .*full_logit_distillation=false .* this to null",
        ),
        ({"credit_assignment": "sequence", "alpha": 0.0}, "alpha=0.0 .*credit_assignment=sequence .* set alpha=1.0"),
        (
            {"credit_assignment": "token_top1", "distillation_add_tail": False},
            "distillation_add_tail=False .*credit_assignment=token_top1.* set it to true",
        ),
        ({"distillation_topk": 1, "distillation_add_tail": False}, "distillation_add_tail=False .*one outcome"),
        ({"sample_weighting": "success_routing"}, "sample_weighting='success_routing' .* distillation_weight below 1"),
        ({"teacher_regularization": "external"}, "external_teacher_path=None .* only if, teacher_regularization=ext"),
        ({"external_teacher_path": "a/b"}, "external_teacher_path='a/b' .* only if, teacher_regularization=external"),
        ({"generation_by": "teacher"}, "generation_by='teacher' .* set demonstration_source=dataset"),
        (
            {
                "generation_by": "teacher",
                "demonstration_source": "dataset",
                "credit_assignment": "token",
                "alpha": 1.0,
            },
            "generation_by='teacher' .* set credit_assignment=logit",
        ),
        (
            {"generation_by": "teacher", "demonstration_source": "dataset", "distillation_weight": 0.5},
            "generation_by='teacher' .* set distillation_weight=1.0",
        ),
        (
            {"demonstration_source": "dataset", "privileged_context_use": "instead"},
            "privileged_context_use='instead' has no effect with demonstration_source='dataset'",
        ),
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
    ("published", "ours"), [({"full_logit_distillation": True}, "logit"), ({"full_logit_distillation": False}, "token")]
)
def test_the_published_switch_is_two_of_our_values(published, ours):
    reverse_kl = {"alpha": 1.0}
    by_switch = SelfDistillationConfig.from_flat(published | reverse_kl)
    by_name = SelfDistillationConfig.from_flat({"credit_assignment": ours} | reverse_kl)
    assert by_switch.credit == by_name.credit == ours
    assert (by_switch.distillation_mode, by_switch.topk) == (by_name.distillation_mode, by_name.topk)


# How the options are called in `verl_sdpo.algorithm.distill_tokens`.
MODES = [
    ({}, "topk_logits", 100),
    ({"distillation_topk": 20}, "topk_logits", 20),
    ({"distillation_topk": None}, "full_logits", None),
    ({"credit_assignment": "token_top1"}, "topk_logits", 1),
    ({"credit_assignment": "token_top1", "distillation_topk": None}, "topk_logits", 1),
    ({"full_logit_distillation": False, "alpha": 1.0}, "sampled_token", 100),
    ({"credit_assignment": "token", "alpha": 1.0}, "sampled_token", 100),
    ({"credit_assignment": "token", "distillation_topk": None, "alpha": 1.0}, "sampled_token", None),
    ({"credit_assignment": "sequence", "alpha": 1.0}, "sampled_sequence", 100),
]


@pytest.mark.parametrize(("options", "mode", "topk"), MODES)
def test_the_credit_assignment_chooses_a_mode_of_the_loss_and_its_support(options, mode, topk):
    config = SelfDistillationConfig.from_flat(options)
    assert (config.distillation_mode, config.topk) == (mode, topk)
    check_distillation_options(
        mode, topk, config.alpha, support=config.distillation_support, advantage_clip=config.advantage_clip
    )


def test_every_credit_assignment_and_every_mode_is_reached():
    assert {SelfDistillationConfig.from_flat(options).credit for options, _, _ in MODES} == set(
        self_distillation.CREDIT_ASSIGNMENTS
    )
    assert {mode for _, mode, _ in MODES} == set(DISTILLATION_MODES)


def test_the_ablation_of_section_4_2_is_three_values_of_one_key():
    names = ("logit", "token_top1", "sequence")
    runs = [SelfDistillationConfig.from_flat({"alpha": 1.0, "credit_assignment": name}) for name in names]
    assert len({run.distillation_mode + str(run.topk) for run in runs}) == 3
    assert len({dataclasses.replace(run, credit_assignment="logit") for run in runs}) == 1


@pytest.mark.parametrize("support", SUPPORTS)
def test_every_support_of_the_loss_is_a_value_of_its_option(support):
    assert SelfDistillationConfig.from_flat({"distillation_support": support}).distillation_support == support


def test_the_names_are_those_of_the_code_that_they_choose():
    from verl_sdpo.worker.teacher_choice import BUILDERS

    assert self_distillation.SUPPORTS == SUPPORTS
    assert self_distillation.KERNELS == KERNELS
    assert set(self_distillation.TEACHERS) == set(BUILDERS)
    assert len(self_distillation.TEACHERS) == len(BUILDERS)


@pytest.mark.parametrize("name", SAMPLE_WEIGHTINGS)
def test_every_sample_weighting_is_a_value_of_its_option(name):
    config = SelfDistillationConfig.from_flat({"sample_weighting": name, "distillation_weight": 0.5})
    assert config.sample_weighting == name


@pytest.mark.parametrize("name", TOKEN_WEIGHTINGS)
def test_every_token_weighting_is_a_value_of_its_option(name):
    assert SelfDistillationConfig.from_flat({"token_weighting": name}).token_weighting == name
