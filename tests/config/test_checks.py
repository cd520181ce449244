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
from verl_sdpo.config.for_verl import for_verl
from verl_sdpo.config.self_distillation import TEACHERS
from verl_sdpo.preflight.verl_checks import registry_faults

OPTIONS = "actor_rollout_ref.actor.self_distillation"
LOSS_MODE = "actor_rollout_ref.actor.policy_loss.loss_mode"

ESTIMATOR = "algorithm.adv_estimator"

# Settings of verl's that SDPO refuses: a value, and words of the remedy. These, wherever a teacher is asked.
TEACHER_REFUSED = [
    ("actor_rollout_ref.actor.strategy", "fsdp", "set it to fsdp2"),
    ("actor_rollout_ref.actor.strategy", "megatron", "set it to fsdp2"),
    ("actor_rollout_ref.actor.fsdp_config.offload_policy", True, "set it to False"),
    ("actor_rollout_ref.model.use_fused_kernels", True, "set it to False"),
    ("actor_rollout_ref.actor.ulysses_sequence_parallel_size", 2, "set it to 1"),
    ("actor_rollout_ref.actor.fsdp_config.ulysses_sequence_parallel_size", 4, "set it to 1"),
    ("actor_rollout_ref.actor.fsdp_config.pad_to_length", 128, "set it to False"),
    ("actor_rollout_ref.actor.use_prefix_grouper", True, "set it to False"),
    ("actor_rollout_ref.model.lora_rank", "eight", "0 for training all weights"),
    ("actor_rollout_ref.model.lora_rank", True, "0 for training all weights"),
    ("actor_rollout_ref.model.lora_rank", -1, "0 for training all weights"),
    ("actor_rollout_ref.model.lora.rank", 16, "actor_rollout_ref.model.lora_rank instead"),
    ("actor_rollout_ref.model.lora.adapter_path", "adapter", "actor_rollout_ref.model.lora_adapter_path instead"),
    ("actor_rollout_ref.model.lora.dropout", 0.1, "set it to 0"),
    ("actor_rollout_ref.model.lora_adapter_path", "adapter", "set that to the adapter's rank"),
    ("distillation.enabled", True, "set it to False"),
]
# These, with an adapter and what else is named.
LORA = ("actor_rollout_ref.model.lora_rank=8",)
APART = (*LORA, "trainer.v1.trainer_mode=separate_async")
MERGED = (*APART, "actor_rollout_ref.model.lora.merge=True")
LORA_REFUSED = [
    (APART, "actor_rollout_ref.model.lora.merge", False, "set it to True"),
    ((*LORA, "trainer.device=cpu"), "actor_rollout_ref.model.lora.merge", False, "reach vLLM whole"),
    (MERGED, "actor_rollout_ref.rollout.checkpoint_engine.backend", "delta_sharded", "another backend"),
    (
        (*LORA, "actor_rollout_ref.actor.use_kl_loss=True"),
        "actor_rollout_ref.actor.fsdp_config.reshard_after_forward",
        False,
        "set it to True",
    ),
]
# These, where SDPO is the loss and distils only.
LOSS_REFUSED = [
    ("algorithm.use_kl_in_reward", True, "set it to False"),
    ("algorithm.rollout_correction.bypass_mode", True, "set it to False"),
    (ESTIMATOR, "gae", "set it to grpo"),
    ("critic.enable", True, "set it to False"),
    (ESTIMATOR, "sdpo", "set it to grpo, or the loss_mode to vanilla"),
]
REFUSED = TEACHER_REFUSED + LOSS_REFUSED
# Of them, what has something to act on once verl's policy loss has a part in the loss.
LIFTED_BY_A_HYBRID = ["algorithm.use_kl_in_reward", ESTIMATOR, "critic.enable"]
# And these where rollouts are sampled from the teacher's prompt.
BY_TEACHER = (f"{OPTIONS}.generation_by=teacher", f"{OPTIONS}.demonstration_source=dataset")
GENERATION_REFUSED = [
    ("algorithm.rollout_correction.rollout_is", "token", "set it to null"),
    ("algorithm.rollout_correction.rollout_rs", "token_k1", "set it to null"),
    ("reward.reward_model.enable", True, "set it to False"),
    ("actor_rollout_ref.rollout.enable_rollout_routing_replay", True, "set it to False"),
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
    ("model_engine", "megatron", "set it to dp"),
    ("trainer.seed", -1, "at least 0"),
    ("trainer.max_time", "soon", '"5h", "90m"'),
    ("trainer.max_time", 90, '"5h", "90m"'),
    ("trainer.max_generations", 0, "at least 1"),
    ("trainer.max_generations", 1.5, "at least 1"),
    ("algorithm.high_entropy_fraction", 0, "above 0 and at most 1"),
    ("algorithm.high_entropy_fraction", 1.2, "above 0 and at most 1"),
    ("trainer.max_sandbox_error_fraction", 1.5, "to below 1, or null for any"),
    ("trainer.max_bad_test_fraction", "1%", "to below 1, or null for any"),
    ("trainer.max_steps_without_update", 0, "at least 1, or null for any"),
    ("trainer.max_steps_without_update", True, "at least 1, or null for any"),
    ("trainer.max_steps_without_update", 1.5, "at least 1, or null for any"),
    ("trainer.reward_timeout", 0, "above 0, or null for none"),
    ("trainer.reward_timeout", "10m", "above 0, or null for none"),
    ("trainer.watchdog_seconds", -1, "above 0, or null for none"),
    ("trainer.watchdog_seconds", True, "above 0, or null for none"),
    ("trainer.health_check_every", 0, "null for no warnings"),
    ("trainer.health_check_every", True, "null for no warnings"),
    ("trainer.best_checkpoint.mode", "highest", "max, min"),
    ("trainer.best_checkpoint.metric", "val-core/acc/mean@1", "set trainer.save_freq and trainer.test_freq above 0"),
    ("trainer.resume_mode", "typo", "auto, disable, resume_path"),
    ("trainer.resume_mode", "resume_path", "a folder named global_step_<N>"),
    ("trainer.resume_accept_changes", ["datum"], "choose of model, data, template, teacher"),
    ("trainer.resume_accept_changes", "data", "write a list"),
    ("trainer.callbacks", "module.Class", "write a list"),
    ("trainer.callbacks", ["no_such_module.Class"], "is the module installed"),
]


def test_a_loss_that_depends_on_padding_is_refused_until_its_scale_is_given(compose):
    mode = "actor_rollout_ref.actor.loss_agg_mode=seq-mean-token-sum-norm"
    (fault,) = refusals(compose("sdpo_trainer", mode))
    assert fault.startswith("actor_rollout_ref.actor.loss_scale_factor=None")
    assert "set it to a number" in fault
    check_run(compose("sdpo_trainer", mode, "actor_rollout_ref.actor.loss_scale_factor=512"))


def test_high_entropy_tokens_need_a_policy_gradient_and_entropies(compose):
    fraction = "algorithm.high_entropy_fraction=0.2"
    [fault] = refusals(compose("sdpo_trainer", fraction))
    assert "the loss is sdpo: set it to null" in fault
    check_run(compose("sdpo_trainer", fraction, f"{LOSS_MODE}=vanilla"))
    bypass = "algorithm.rollout_correction.bypass_mode=True"
    [fault] = refusals(compose("sdpo_trainer", fraction, f"{LOSS_MODE}=vanilla", bypass))
    assert "algorithm.rollout_correction.bypass_mode=False" in fault


@pytest.mark.parametrize(
    ("save_freq", "test_freq", "is_fine"), [(5, 10, True), (5, 5, True), (10, 5, False), (5, -1, False)]
)
def test_a_best_checkpoint_needs_every_validated_step_saved(compose, save_freq, test_freq, is_fine):
    given = ("trainer.best_checkpoint.metric=m", f"trainer.save_freq={save_freq}", f"trainer.test_freq={test_freq}")
    config = compose("sdpo_trainer", *given)
    if is_fine:
        check_run(config)
        [fault] = refusals(with_value(config, "actor_rollout_ref.actor.checkpoint.async_save", True))
        assert "actor_rollout_ref.actor.checkpoint.async_save=False" in fault
    else:
        [fault] = refusals(config)
        assert fault.startswith("trainer.best_checkpoint.metric='m' ")


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


@pytest.mark.parametrize(("key", "value", "_remedy"), REFUSED + GENERATION_REFUSED)
def test_with_verls_own_losses_verls_settings_are_verls_business(compose, key, value, _remedy):
    check_run(with_value(compose("sdpo_trainer", f"{LOSS_MODE}=vanilla"), key, value))


@pytest.mark.parametrize(("key", "value", "remedy"), TEACHER_REFUSED)
def test_what_the_teacher_cannot_do_is_refused_for_the_estimator_too(compose, key, value, remedy):
    config = compose("sdpo_trainer", f"{LOSS_MODE}=vanilla", f"{ESTIMATOR}=sdpo")
    check_run(config)
    [fault] = refusals(with_value(config, key, value))
    assert fault.startswith(f"{key}={value!r} is not supported with {ESTIMATOR}=sdpo: ")
    assert remedy in fault


@pytest.mark.parametrize(
    "more",
    [
        ("algorithm.use_kl_in_reward=True",),
        ("algorithm.rollout_correction.bypass_mode=True",),
        ("actor_rollout_ref.actor.loss_agg_mode=seq-mean-token-sum-norm",),
        (f"{OPTIONS}.advantage_clip=5.0",),
    ],
    ids=str,
)
def test_what_only_the_loss_cannot_do_is_fine_for_the_estimator(compose, more):
    check_run(compose("sdpo_trainer", f"{LOSS_MODE}=vanilla", f"{ESTIMATOR}=sdpo", *more))


@pytest.mark.parametrize(("key", "value", "_remedy"), LOSS_REFUSED)
@pytest.mark.parametrize("weight", [0.0, 0.999])
def test_a_hybrid_reads_rewards_and_advantages(compose, key, value, _remedy, weight):
    config = with_value(compose("sdpo_trainer", f"{OPTIONS}.distillation_weight={weight}"), key, value)
    if key in LIFTED_BY_A_HYBRID:
        check_run(config)
    else:
        [fault] = refusals(config)
        assert fault.startswith(f"{key}={value!r} is not supported with {LOSS_MODE}=sdpo: ")


def test_options_are_read_for_the_estimator_too(compose):
    config = compose("sdpo_trainer", f"{LOSS_MODE}=vanilla", f"{ESTIMATOR}=sdpo", f"{OPTIONS}.alpha=7")
    [fault] = refusals(config)
    assert fault.startswith(f"{OPTIONS}.alpha=7 ")
    check_run(compose("sdpo_trainer", f"{LOSS_MODE}=vanilla", f"{OPTIONS}.alpha=7"))


@pytest.mark.parametrize(
    ("loss_mode", "estimator", "expected"),
    [("sdpo", "grpo", True), ("vanilla", "sdpo", True), ("sdpo", "sdpo", True), ("vanilla", "grpo", False)],
)
def test_a_run_is_sdpos_by_its_loss_or_by_its_estimator(compose, loss_mode, estimator, expected):
    assert uses_sdpo(compose("sdpo_trainer", f"{LOSS_MODE}={loss_mode}", f"{ESTIMATOR}={estimator}")) is expected


@pytest.mark.parametrize("credit", ["logit", "token_top1"])
def test_a_bound_on_advantages_needs_a_loss_that_has_them(compose, credit):
    clipped = (f"{OPTIONS}.advantage_clip=5.0", f"{OPTIONS}.credit_assignment={credit}")
    [fault] = refusals(compose("sdpo_trainer", *clipped))
    assert fault.startswith(f"{OPTIONS}.advantage_clip=5.0 ")
    assert "set alpha=1.0, or advantage_clip=null" in fault
    check_run(compose("sdpo_trainer", *clipped, f"{OPTIONS}.alpha=1.0"))
    check_run(compose("sdpo_trainer", *clipped, f"{OPTIONS}.alpha=1"))


@pytest.mark.parametrize("credit", ["token", "sequence"])
def test_losses_of_sampled_tokens_have_them_always(compose, credit):
    config = compose("sdpo_trainer", f"{OPTIONS}.advantage_clip=5.0", f"{OPTIONS}.credit_assignment={credit}")
    [fault] = refusals(config)
    assert fault.startswith(f"{OPTIONS}.alpha=0.5 ")
    check_run(with_value(config, f"{OPTIONS}.alpha", 1.0))


@pytest.mark.parametrize(("key", "value", "remedy"), GENERATION_REFUSED)
def test_what_the_teachers_own_rollouts_cannot_do_is_refused(compose, key, value, remedy):
    without_weights = "algorithm.rollout_correction.rollout_is=null"
    [fault] = refusals(with_value(compose("sdpo_trainer", *BY_TEACHER, without_weights), key, value))
    assert fault.startswith(f"{key}={value!r} is not supported with {OPTIONS}.generation_by=teacher: ")
    assert remedy in fault
    check_run(compose("sdpo_trainer", *BY_TEACHER, without_weights))


@pytest.mark.parametrize("setting", ["entropy_coeff=0.01", "use_kl_loss=True"])
@pytest.mark.parametrize("weight", [1.0, 0.5])
def test_verls_other_terms_stand_beside_the_distillation(compose, setting, weight):
    check_run(compose("sdpo_trainer", f"actor_rollout_ref.actor.{setting}", f"{OPTIONS}.distillation_weight={weight}"))


@pytest.mark.parametrize("kind", TEACHERS)
def test_a_kl_to_a_reference_stands_beside_every_teacher(compose, kind):
    path = "some/model" if kind == "external" else "null"
    teacher = (f"{OPTIONS}.teacher_regularization={kind}", f"{OPTIONS}.external_teacher_path={path}")
    check_run(compose("sdpo_trainer", "actor_rollout_ref.actor.use_kl_loss=True", *teacher))


@pytest.mark.parametrize("name", ["sdpo_trainer", "sdpo_trainer_cpu"])
def test_by_default_tokens_are_weighted_for_the_rollout_engine_and_for_older_weights(compose, name):
    config = compose(name)
    assert config.actor_rollout_ref.rollout.calculate_log_probs
    correction = config.algorithm.rollout_correction
    assert (correction.rollout_is, correction.rollout_is_threshold, correction.bypass_mode) == ("token", 2.0, False)
    assert OmegaConf.select(config, f"{OPTIONS}.is_clip") == 2.0


def test_the_other_loss_of_a_hybrid_is_one_of_verls(compose):
    from verl.trainer.ppo.core_algos import POLICY_LOSS_REGISTRY

    def named(name, *more):
        return compose("sdpo_trainer", f"{OPTIONS}.hybrid_policy_loss={name}", *more)

    for name in POLICY_LOSS_REGISTRY:
        assert registry_faults(named(name)) == []
    for more in [(), (f"{LOSS_MODE}=vanilla", f"{ESTIMATOR}=sdpo")]:
        [fault] = map(str, registry_faults(named("vanila", *more)))
        assert fault.startswith(f"{OPTIONS}.hybrid_policy_loss='vanila' ")
        assert "gspo" in fault
        assert "vanilla" in fault
    assert registry_faults(named("vanila", f"{LOSS_MODE}=vanilla")) == []


@pytest.mark.parametrize(("key", "value", "remedy"), ALWAYS_REFUSED)
def test_what_the_entry_point_cannot_do_is_refused_for_every_loss(compose, key, value, remedy):
    [fault] = refusals(with_value(compose("sdpo_trainer", f"{LOSS_MODE}=vanilla"), key, value))
    assert fault.startswith(f"{key}={value!r} ")


def test_no_rule_is_without_a_case_here():
    tree = ast.parse(inspect.getsource(checks))
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    keys = {
        text
        for text in strings
        if re.fullmatch(r"(actor_rollout_ref|algorithm|critic|distillation|reward|trainer)(\.\w+)+|model_engine", text)
    }
    # The scale of a loss that depends on padding has a test of its own, above.
    own_test = {"actor_rollout_ref.actor.loss_scale_factor", "actor_rollout_ref.actor.loss_agg_mode"}
    # So have what a best checkpoint needs.
    own_test |= {"trainer.save_freq", "trainer.test_freq", "actor_rollout_ref.actor.checkpoint.async_save"}
    # What a way to resume needs is said with that.
    own_test |= {"trainer.resume_from_path"}
    # And what an adapter cannot do.
    own_test |= {key for _, key, _, _ in LORA_REFUSED} | {"actor_rollout_ref.actor.use_kl_loss", "trainer.device"}
    cases = REFUSED + ALWAYS_REFUSED + GENERATION_REFUSED
    assert keys - {LOSS_MODE} - own_test == {key for key, _, _ in cases}


@pytest.mark.parametrize(("given", "key", "value", "remedy"), LORA_REFUSED)
def test_what_an_adapter_cannot_do_is_refused_where_there_is_one(compose, given, key, value, remedy):
    [fault] = refusals(with_value(compose("sdpo_trainer", *given), key, value))
    assert fault.startswith(f"{key}={value!r} ")
    assert remedy in fault
    check_run(with_value(compose("sdpo_trainer", *given, "actor_rollout_ref.model.lora_rank=0"), key, value))


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("actor_rollout_ref.model.lora_adapter_path=adapter",),
        ("actor_rollout_ref.model.lora.merge=True",),
        ("actor_rollout_ref.actor.use_kl_loss=True",),
        ("actor_rollout_ref.actor.fsdp_config.reshard_after_forward=False",),
        MERGED,
    ],
    ids=str,
)
def test_an_adapter_is_fine(compose, more):
    check_run(compose("sdpo_trainer", *LORA, *more))


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
    config = compose("sdpo_trainer", f"{OPTIONS}.credit_assignment=token")
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


@pytest.mark.parametrize(
    ("loss_mode", "estimator"), [("sdpo", "grpo"), ("vanilla", "grpo"), ("vanilla", "sdpo"), ("gspo", "sdpo")]
)
def test_verl_converts_the_actors_section_for_every_loss(compose, loss_mode, estimator):
    from verl.utils.config import omega_conf_to_dataclass
    from verl.workers.config import FSDPActorConfig

    from verl_sdpo.worker.actor_config import SdpoActorConfig

    sizes = ("actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=2", f"{OPTIONS}.alpha=1.0")
    config = compose("sdpo_trainer", f"{LOSS_MODE}={loss_mode}", f"{ESTIMATOR}={estimator}", *sizes)
    stock_target = config.actor_rollout_ref.actor._target_
    for_verl(config)
    actor = omega_conf_to_dataclass(config.actor_rollout_ref.actor)
    if "sdpo" in (loss_mode, estimator):
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
    overrides = [f"{OPTIONS}.alpha=7", "trainer.use_v1=False", "actor_rollout_ref.model.use_fused_kernels=True"]
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
    keys = [fault.removeprefix("config error: ").split("=")[0] for fault in faults]
    # What else is wrong with a run of which nothing was said comes after them.
    assert keys[:3] == ["trainer.use_v1", f"{OPTIONS}.alpha", "actor_rollout_ref.model.use_fused_kernels"]
    assert "Traceback" not in run.stderr
    # verl logs there which platform it takes.
    assert all("[verl." in line for line in run.stdout.splitlines())
    # Ray writes its session there before anything else.
    assert list(ray_files.iterdir()) == []
