# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The checks before a run, and what verl gets to see of a checked configuration."""

import ast
import inspect
import os
import re
import resource
import subprocess
import sys

import pytest
from omegaconf import OmegaConf

from verl_sdpo.config import SelfDistillationConfig, checks
from verl_sdpo.config.checks import ConfigError, check_run, uses_sdpo
from verl_sdpo.main_sdpo import for_verl

OPTIONS = "actor_rollout_ref.actor.self_distillation"
LOSS_MODE = "actor_rollout_ref.actor.policy_loss.loss_mode"

# Settings of verl's that SDPO refuses: a value, and words of the remedy.
REFUSED = [
    ("actor_rollout_ref.actor.strategy", "fsdp", "set it to fsdp2"),
    ("actor_rollout_ref.actor.strategy", "megatron", "set it to fsdp2"),
    ("actor_rollout_ref.actor.fsdp_config.offload_policy", True, "set it to False"),
    ("actor_rollout_ref.model.use_fused_kernels", True, "set it to False"),
    ("actor_rollout_ref.actor.ulysses_sequence_parallel_size", 2, "set it to 1"),
    ("actor_rollout_ref.actor.fsdp_config.ulysses_sequence_parallel_size", 4, "set it to 1"),
    ("actor_rollout_ref.actor.fsdp_config.pad_to_length", 128, "set it to False"),
    ("actor_rollout_ref.actor.use_prefix_grouper", True, "set it to False"),
    ("actor_rollout_ref.actor.entropy_coeff", 0.01, "set it to 0"),
    ("actor_rollout_ref.actor.use_kl_loss", True, "set it to False"),
    ("algorithm.use_kl_in_reward", True, "set it to False"),
    ("algorithm.rollout_correction.bypass_mode", True, "set it to False"),
    ("actor_rollout_ref.model.lora_rank", 8, "set it to 0"),
    ("actor_rollout_ref.model.lora_rank", "eight", "set it to 0"),
    ("actor_rollout_ref.model.lora.rank", 16, "set it to 0"),
    ("actor_rollout_ref.model.lora_adapter_path", "adapter", "set it to null"),
    ("distillation.enabled", True, "set it to False"),
    ("algorithm.adv_estimator", "gae", "set it to grpo"),
]
# What this entry point refuses whatever the loss is.
ALWAYS_REFUSED = [
    ("trainer.v1.trainer_mode", "asynchronous", "sync, colocate_async, separate_async"),
    ("trainer.v1.trainer_mode", None, "sync, colocate_async, separate_async"),
    ("trainer.v1.replay_poll_interval", 0, "above 0"),
    ("trainer.v1.replay_poll_interval", -1.0, "above 0"),
    ("trainer.v1.replay_poll_interval", None, "above 0"),
    ("trainer.v1.replay_poll_interval", True, "above 0"),
    ("trainer.v1.replay_poll_interval", "often", "above 0"),
    ("trainer.v1.replay_poll_interval", float("nan"), "above 0"),
    ("trainer.v1.replay_poll_interval", float("inf"), "above 0"),
    ("trainer.use_v1", False, "set it to True"),
]


def test_a_loss_that_depends_on_padding_is_refused_until_its_scale_is_given(compose):
    mode = "actor_rollout_ref.actor.loss_agg_mode=seq-mean-token-sum-norm"
    (fault,) = refusals(compose("sdpo_trainer", mode))
    assert fault.startswith("actor_rollout_ref.actor.loss_scale_factor=None")
    assert "set it to a number" in fault
    check_run(compose("sdpo_trainer", mode, "actor_rollout_ref.actor.loss_scale_factor=512"))


def refusals(config):
    with pytest.raises(ConfigError) as caught:
        check_run(config)
    assert str(caught.value).splitlines() == caught.value.faults
    return caught.value.faults


def with_value(config, key, value):
    OmegaConf.update(config, key, value, force_add=True)
    return config


@pytest.mark.parametrize("name", ["sdpo_trainer", "sdpo_trainer_cpu"])
@pytest.mark.parametrize("mode", checks.TRAINER_MODES)
def test_the_shipped_configurations_pass_in_every_mode(compose, name, mode):
    config = compose(name, f"trainer.v1.trainer_mode={mode}")
    assert config.trainer.v1.trainer_mode == mode
    assert uses_sdpo(config)
    check_run(config)


def test_the_default_is_one_of_verls_modes(compose):
    assert compose("sdpo_trainer").trainer.v1.trainer_mode in checks.TRAINER_MODES


@pytest.mark.parametrize(("key", "value", "remedy"), REFUSED + ALWAYS_REFUSED)
def test_each_setting_is_refused_on_one_line_with_key_value_and_remedy(compose, key, value, remedy):
    [fault] = refusals(with_value(compose("sdpo_trainer"), key, value))
    assert fault.startswith(f"{key}={value!r} ")
    assert remedy in fault


@pytest.mark.parametrize(("key", "value", "_remedy"), REFUSED)
def test_with_verls_own_losses_verls_settings_are_verls_business(compose, key, value, _remedy):
    check_run(with_value(compose("sdpo_trainer", f"{LOSS_MODE}=vanilla"), key, value))


@pytest.mark.parametrize(("key", "value", "remedy"), ALWAYS_REFUSED)
def test_what_the_entry_point_cannot_do_is_refused_for_every_loss(compose, key, value, remedy):
    [fault] = refusals(with_value(compose("sdpo_trainer", f"{LOSS_MODE}=vanilla"), key, value))
    assert fault.startswith(f"{key}={value!r} ")


def test_no_rule_is_without_a_case_here():
    tree = ast.parse(inspect.getsource(checks))
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    keys = {
        text for text in strings if re.fullmatch(r"(actor_rollout_ref|algorithm|distillation|trainer)(\.\w+)+", text)
    }
    # The scale of a loss that depends on padding has a test of its own, above.
    own_test = {"actor_rollout_ref.actor.loss_scale_factor", "actor_rollout_ref.actor.loss_agg_mode"}
    assert keys - {LOSS_MODE} - own_test == {key for key, _, _ in REFUSED + ALWAYS_REFUSED}


@pytest.mark.parametrize("value", [None, 1])
def test_sequence_parallelism_of_one_or_unset_is_fine(compose, value):
    check_run(with_value(compose("sdpo_trainer"), "actor_rollout_ref.actor.ulysses_sequence_parallel_size", value))


def test_all_faults_are_reported_together(compose):
    config = compose("sdpo_trainer")
    given = {key: value for key, value, _ in REFUSED + ALWAYS_REFUSED}
    given |= {f"{OPTIONS}.alpha": 7, f"{OPTIONS}.max_reprompt_len": 0, f"{OPTIONS}.aplha": 0.1}
    for key, value in given.items():
        with_value(config, key, value)
    faults = refusals(config)
    assert sorted(fault.split("=")[0] for fault in faults) == sorted(given)


def test_a_contradiction_of_options_is_reported_once(compose):
    config = compose("sdpo_trainer", f"{OPTIONS}.full_logit_distillation=False")
    [fault] = refusals(config)
    assert fault.startswith(f"{OPTIONS}.alpha=0.5 ")


def test_a_misspelt_option_on_the_command_line_names_the_right_one(compose):
    [fault] = refusals(compose("sdpo_trainer", f"+{OPTIONS}.distillation_top_k=50"))
    assert fault == f"{OPTIONS}.distillation_top_k=50 is no option of SDPO: did you mean distillation_topk?"


def test_missing_options_are_one_fault(compose):
    [fault] = refusals(with_value(compose("sdpo_trainer"), OPTIONS, None))
    assert fault.startswith(f"{OPTIONS} is missing")


def test_checking_changes_nothing(compose):
    config = compose("sdpo_trainer")
    check_run(config)
    assert config == compose("sdpo_trainer")


def test_an_entropy_that_is_only_logged_is_no_entropy_term(compose):
    check_run(compose("sdpo_trainer", "actor_rollout_ref.actor.calculate_entropy=True"))


@pytest.mark.parametrize("loss_mode", ["sdpo", "vanilla"])
def test_verl_converts_the_actors_section_for_either_loss(compose, loss_mode):
    from verl.utils.config import omega_conf_to_dataclass
    from verl.workers.config import FSDPActorConfig

    from verl_sdpo.worker.actor_config import SdpoActorConfig

    sizes = ("actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=2", f"{OPTIONS}.alpha=1.0")
    config = compose("sdpo_trainer", f"{LOSS_MODE}={loss_mode}", *sizes)
    stock_target = config.actor_rollout_ref.actor._target_
    for_verl(config)
    actor = omega_conf_to_dataclass(config.actor_rollout_ref.actor)
    if loss_mode == "sdpo":
        assert type(actor) is SdpoActorConfig
        assert actor.self_distillation == SelfDistillationConfig(alpha=1.0)
    else:
        assert "self_distillation" not in config.actor_rollout_ref.actor
        assert config.actor_rollout_ref.actor._target_ == stock_target
        assert type(actor) is FSDPActorConfig
    assert actor.ppo_micro_batch_size_per_gpu == 2
    assert actor.policy_loss.loss_mode == loss_mode
    assert actor.strategy == "fsdp2"


def test_verls_own_validation_takes_the_default(compose):
    from verl.utils.config import validate_config

    config = compose(
        "sdpo_trainer",
        "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=1",
        "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=1",
    )
    for_verl(config)
    validate_config(config=config, use_reference_policy=False, use_critic=False)


def test_the_command_refuses_a_bad_run_in_seconds_and_starts_no_ray(tmp_path):
    ray_files = tmp_path / "ray"
    ray_files.mkdir()
    overrides = [f"{OPTIONS}.alpha=7", "trainer.use_v1=False", "actor_rollout_ref.actor.entropy_coeff=0.1"]
    overrides += [f"hydra.run.dir={tmp_path / 'hydra'}"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    run = subprocess.run(
        [sys.executable, "-m", "verl_sdpo.main_sdpo", "--config-name", "sdpo_trainer_cpu", *overrides],
        env=os.environ | {"RAY_TMPDIR": str(ray_files), "HYDRA_FULL_ERROR": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    # Seconds of computing, which do not depend on what else the machine does; nearly all of them are imports.
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 30
    assert run.returncode == 2
    faults = [line for line in run.stderr.splitlines() if line.startswith("config error: ")]
    assert [fault.removeprefix("config error: ").split("=")[0] for fault in faults] == [
        "trainer.use_v1",
        f"{OPTIONS}.alpha",
        "actor_rollout_ref.actor.entropy_coeff",
    ]
    assert "Traceback" not in run.stderr
    assert run.stdout == ""
    # Ray writes its session there before anything else.
    assert list(ray_files.iterdir()) == []
