# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""SDPO's trainers, built from their configurations as verl builds its own, without Ray: no actor is started."""

import inspect
import logging

import numpy as np
import pytest
import torch
from tensordict import NonTensorStack
from transfer_queue import KVBatchMeta
from transformers import Qwen3Config
from verl.trainer.ppo.core_algos import get_adv_estimator_fn
from verl.trainer.ppo.utils import Role
from verl.trainer.ppo.v1 import PPOTrainer, get_trainer_cls, trainer_base

from verl_sdpo import main_sdpo
from verl_sdpo.config import SelfDistillationConfig
from verl_sdpo.config.checks import TRAINER_MODES, check_run
from verl_sdpo.trainer import choice
from verl_sdpo.trainer.advantage_estimator import ESTIMATOR
from verl_sdpo.trainer.prompt_renderer import PromptRenderer
from verl_sdpo.trainer.sdpo_trainers import SDPO_TRAINERS, _SelfDistillation, learns_without_targets

# What verl itself asks of a configuration of each mode.
NEEDED = {
    "sync": [],
    "colocate_async": [],
    "separate_async": [
        "data.train_batch_size=8",
        "actor_rollout_ref.actor.ppo_mini_batch_size=4",
        "trainer.v1.separate_async.parameter_sync_step=2",
        "actor_rollout_ref.rollout.nnodes=1",
        "actor_rollout_ref.rollout.n_gpus_per_node=1",
        "actor_rollout_ref.rollout.checkpoint_engine.backend=nccl",
    ],
}
EVERY_MODE = pytest.mark.parametrize("mode", TRAINER_MODES)


@pytest.fixture
def config_of(compose):
    return lambda mode, *more: compose("sdpo_trainer_cpu", f"trainer.v1.trainer_mode={mode}", *NEEDED[mode], *more)


def worker_classes(trainer):
    """Role to worker class, out of Ray's wrapping."""
    trainer._init_resource_pool_mgr()
    return {role: ours.__ray_metadata__.modified_class.__mro__[1] for role, ours in trainer.role_worker_mapping.items()}


def test_there_is_a_trainer_for_each_of_verls_modes():
    assert set(SDPO_TRAINERS) == set(TRAINER_MODES) == set(trainer_base.TRAINER_REGISTRY)


@EVERY_MODE
def test_a_trainer_is_verls_of_its_mode_with_sdpos_steps_before_it(mode):
    ours, verls = SDPO_TRAINERS[mode], get_trainer_cls(mode)
    assert issubclass(ours, verls)
    assert not inspect.isabstract(ours)
    order = ours.__mro__
    assert order.index(_SelfDistillation) < order.index(verls) < order.index(PPOTrainer)
    own = {name for name in vars(_SelfDistillation) if inspect.isfunction(vars(_SelfDistillation)[name])}
    assert {"_init_resource_pool_mgr", "_init_tokenizer", "_compute_advantage", "_update_actor"} <= own
    for name in own:
        assert getattr(ours, name) is vars(_SelfDistillation)[name]
    for name, method in vars(verls).items():
        if inspect.isfunction(method) and name not in own:
            assert getattr(ours, name) is method


@EVERY_MODE
def test_a_trainer_is_made_from_its_configuration(config_of, mode):
    config = config_of(mode)
    check_run(config)
    trainer = SDPO_TRAINERS[mode](config)
    assert trainer.trainer_mode == mode
    assert not trainer.use_critic
    assert not trainer.use_reference_policy


@pytest.mark.parametrize("more", [[], ["actor_rollout_ref.actor.use_kl_loss=True"]], ids=["no reference", "reference"])
@pytest.mark.parametrize(("mode", "hybrid"), [(mode, True) for mode in TRAINER_MODES] + [("separate_async", False)])
def test_the_actors_worker_is_sdpos_and_can_all_that_verls_can(config_of, mode, hybrid, more):
    config = config_of(mode, f"actor_rollout_ref.hybrid_engine={hybrid}", *more)
    verls = worker_classes(get_trainer_cls(mode)(config))
    ours = worker_classes(SDPO_TRAINERS[mode](config))
    assert ours.keys() == verls.keys()
    actor_roles = set(ours) - {Role.RefPolicy}
    [actor_role] = actor_roles
    assert ours[actor_role].actor_worker_cls.__name__ == "SdpoTrainingWorker"
    assert issubclass(ours[actor_role], verls[actor_role])
    assert {role: ours[role] for role in ours if role not in actor_roles} == {
        role: verls[role] for role in verls if role not in actor_roles
    }


@pytest.fixture
def model_path(tmp_path, tokenizer):
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    sizes |= {"vocab_size": len(tokenizer), "num_key_value_heads": 1, "head_dim": 8}
    Qwen3Config(architectures=["Qwen3ForCausalLM"], **sizes).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return tmp_path


def test_the_run_configures_the_teachers_prompt(config_of, model_path, student_prompt):
    options = "actor_rollout_ref.actor.self_distillation"
    config = config_of(
        "sync",
        f"actor_rollout_ref.model.path={model_path}",
        f"{options}.alpha=1.0",
        f"{options}.max_reprompt_len=77",
        "+data.apply_chat_template_kwargs.enable_thinking=False",
    )
    trainer = SDPO_TRAINERS["sync"](config)
    trainer._init_tokenizer()
    assert trainer.self_distillation.alpha == 1.0
    assert trainer.self_distillation.reprompt.max_reprompt_len == 77
    messages = [{"role": "user", "content": "Hi"}]
    assert trainer.prompt_renderer(messages) == student_prompt(config, trainer.tokenizer, "qwen3", messages)
    assert trainer.tokenizer.decode(trainer.prompt_renderer(messages)).endswith("</think>\n\n")


def jagged(rows, dtype=torch.int64):
    return torch.nested.as_nested_tensor([torch.tensor(row, dtype=dtype) for row in rows], layout=torch.jagged)


@pytest.fixture
def step(compose, tokenizer, put_in_queue, monkeypatch):
    """`step(scores, feedback)`: advantages and update of a group of rollouts, with verl's replaced by records."""

    def run(scores, feedback, prompt_ids=None, padding=(), overrides=(), options=None, num_ranks=1):
        trainer = object.__new__(SDPO_TRAINERS["sync"])
        trainer.config = compose("sdpo_trainer_cpu", *overrides)
        trainer.tokenizer, trainer.timing_raw, trainer.global_steps = tokenizer, {}, 5
        trainer.self_distillation = SelfDistillationConfig.from_flat(options or {})
        trainer.row_metrics = {"data/train_rows": 4}
        trainer.prompt_renderer = PromptRenderer(trainer.config, tokenizer, "qwen3")
        messages = [{"role": "user", "content": "Q"}]
        prompt_ids = prompt_ids or trainer.prompt_renderer(messages)
        num_samples = len(scores)
        # verl's padding: the messages of a real sample, ends of text for tokens.
        prompts = [[tokenizer.eos_token_id] * 127 if number in padding else prompt_ids for number in range(num_samples)]
        keys = [f"q_{number}" for number in range(num_samples)]
        tags = [{"is_padding": number in padding, "seq_len": len(ids) + 2} for number, ids in enumerate(prompts)]
        queue = put_in_queue(
            {
                "uid": NonTensorStack(*["q"] * num_samples),
                "raw_prompt": NonTensorStack(*[messages] * num_samples),
                "prompts": jagged(prompts),
                "responses": jagged([[64, 65]] * num_samples),
                "loss_mask": jagged([[1, 1]] * num_samples),
                "rm_scores": jagged([[0.0, score] for score in scores], torch.float32),
                "old_log_probs": jagged([[-1.0, -2.0]] * num_samples, torch.float32),
                "extra_fields": NonTensorStack(*[{"reward_extra_info": {"feedback": text}} for text in feedback]),
            },
            dict(zip(keys, tags, strict=True)),
        )
        trainer.calls, updates = [], []

        class Workers:
            # As verl's `_balance_batch` leaves it: for each worker which part of a batch it gets.
            _dispatch_info = {"actor": list(range(num_ranks))}  # noqa: RUF012

            def compute_teacher_log_prob(self, batch):
                trainer.calls.append(("teacher", batch, set(queue.columns) | set(queue.written.keys())))
                mask = [[int(m)] * 2 for m in queue.written["self_distillation_mask"]]
                queue.columns["teacher_target_mask"] = jagged(mask)
                queue.columns["teacher_log_probs"] = jagged([[-0.5, -4.0]] * num_samples, torch.float32)

        trainer.actor_rollout_wg = Workers()

        def advantages(self, batch, metrics):
            made = None
            if self.config.algorithm.adv_estimator == "sdpo":
                ones = torch.ones(num_samples, 2)
                rewards = torch.tensor([[0.0, score] for score in scores])
                index = np.array(["q"] * num_samples, dtype=object)
                estimator = get_adv_estimator_fn("sdpo")
                made, _ = estimator(token_level_rewards=rewards, response_mask=ones, config={}, index=index)
            trainer.calls.append(("advantages", batch, made))
            return batch

        def update(self, batch, metrics):
            trainer.calls.append(("update", batch, None))
            updates.append(batch)
            metrics |= {"actor/self_distillation/loss": 0.5, "actor/grad_norm": 2.0, "perf/mfu/actor": 0.1}
            return batch

        monkeypatch.setattr(PPOTrainer, "_compute_advantage", advantages)
        monkeypatch.setattr(PPOTrainer, "_update_actor", update)
        batch = KVBatchMeta(keys=keys, tags=tags, partition_id="train")
        metrics = {"critic/score/mean": 0.25}
        batch = trainer._compute_advantage(batch, metrics=metrics)
        returned = trainer._update_actor(batch, metrics=metrics)
        return returned, metrics, updates, queue, trainer

    return run


def test_without_a_target_verl_updates_nothing_and_the_run_says_so(step, caplog):
    with caplog.at_level(logging.WARNING, logger="verl_sdpo"):
        returned, metrics, updates, _, _ = step([0.0, 0.0], [None, None])
    assert updates == []
    assert returned.keys == ["q_0", "q_1"]
    assert metrics["self_distillation/empty_target_batch"] == 1.0
    assert metrics["self_distillation/target_sample_fraction"] == 0.0
    assert metrics["critic/score/mean"] == 0.25
    assert metrics["data/train_rows"] == 4
    [record] = [record for record in caplog.records if record.name.startswith("verl_sdpo")]
    assert record.levelno == logging.WARNING
    assert "step 5: no sample has a target" in record.getMessage()


def test_a_lone_success_is_no_target(step):
    _, metrics, updates, _, _ = step([1.0, 0.0], [None, None], padding=(1,))
    assert updates == []
    assert metrics["self_distillation/success_group_fraction"] == 1.0


def test_with_a_target_verl_updates_on_the_batch_that_names_the_teachers_fields(step, caplog):
    with caplog.at_level(logging.WARNING, logger="verl_sdpo"):
        returned, metrics, updates, queue, trainer = step([1.0, 0.0], [None, None])
    [updated] = updates
    assert returned is updated
    assert {"teacher_input_ids", "self_distillation_mask"} <= set(updated.fields)
    assert queue.written["self_distillation_mask"].tolist() == [0.0, 1.0]
    assert "Correct solution" in trainer.tokenizer.decode(queue.written["teacher_input_ids"].unbind()[1])
    assert metrics["self_distillation/empty_target_batch"] == 0.0
    assert metrics["self_distillation/target_sample_fraction"] == 0.5
    assert "reprompt" in trainer.timing_raw
    assert [record for record in caplog.records if record.name.startswith("verl_sdpo")] == []


def test_sdpos_metrics_of_the_ranks_lose_verls_prefix_and_verls_own_keep_it(step):
    _, metrics, _, _, _ = step([1.0, 0.0], [None, None])
    assert metrics["self_distillation/loss"] == 0.5
    assert metrics["actor/grad_norm"] == 2.0
    assert metrics["perf/mfu/actor"] == 0.1
    assert not [name for name in metrics if name.startswith("actor/self_distillation")]


def test_samples_with_a_target_are_shared_by_the_ranks_in_the_update(step):
    # Only the last two have feedback: as the batch stands, the second rank has all targets.
    sizes = ("actor_rollout_ref.actor.ppo_mini_batch_size=4", "actor_rollout_ref.rollout.n=1")
    feedback = [None, None, "Wrong.", "Wrong."]
    _, metrics, [updated], queue, trainer = step([0.0] * 4, feedback, overrides=sizes, num_ranks=2)
    has_target = dict(zip(["q_0", "q_1", "q_2", "q_3"], queue.written["self_distillation_mask"].tolist(), strict=True))
    assert [sum(has_target[key] for key in part) for part in (updated.keys[:2], updated.keys[2:])] == [1, 1]
    assert {"teacher_input_ids", "self_distillation_mask"} <= set(updated.fields)
    # Advantages were made in verl's order.
    [advantages] = [batch.keys for name, batch, _ in trainer.calls if name == "advantages"]
    assert advantages == ["q_0", "q_1", "q_2", "q_3"]
    lengths = [len(row) for row in queue.written["teacher_input_ids"].unbind()][2:]
    assert metrics["self_distillation/global_seqlen/max"] == sum(lengths)
    assert metrics["self_distillation/global_seqlen/balanced_max"] == max(lengths)


def test_the_estimators_teacher_is_asked_by_all_ranks(step):
    feedback = [None, None, "Wrong.", "Wrong."]
    _, metrics, [updated], queue, trainer = step([0.0] * 4, feedback, overrides=AS_ESTIMATOR, num_ranks=2)
    [asked] = [batch for name, batch, _ in trainer.calls if name == "teacher"]
    has_target = dict(zip(["q_0", "q_1", "q_2", "q_3"], queue.written["self_distillation_mask"].tolist(), strict=True))
    assert [sum(has_target[key] for key in part) for part in (asked.keys[:2], asked.keys[2:])] == [1, 1]
    assert "temperature" in asked.extra_info
    # verl's own loss runs all samples, as verl has balanced them.
    assert updated.keys == ["q_0", "q_1", "q_2", "q_3"]
    assert not [name for name in metrics if "global_seqlen" in name]


def test_another_rendering_than_the_rollouts_stops_the_run(step):
    with pytest.raises(ValueError, match="other tokens than the rollout's"):
        step([1.0, 0.0], [None, None], prompt_ids=list(range(60)))


def test_padding_is_not_what_the_rendering_is_checked_with(step):
    _, metrics, updates, _, _ = step([0.0, 0.0], [None, "Wrong."], padding=(0,))
    assert len(updates) == 1
    assert metrics["self_distillation/target_sample_fraction"] == 1.0


def test_the_teachers_inputs_are_stored_before_advantages_are_made(step):
    *_, queue, trainer = step([1.0, 0.0], [None, None])
    assert [name for name, *_ in trainer.calls] == ["advantages", "update"]
    assert all(batch.fields for _, batch, _ in trainer.calls)
    assert "reprompt" in trainer.timing_raw
    assert "teacher" not in trainer.timing_raw


AS_ESTIMATOR = ("actor_rollout_ref.actor.policy_loss.loss_mode=vanilla", "algorithm.adv_estimator=sdpo")


def test_with_sdpos_estimator_the_teacher_speaks_before_verl_makes_advantages(step):
    _, metrics, updates, _, trainer = step([1.0, 0.0], [None, None], overrides=AS_ESTIMATOR)
    assert [name for name, *_ in trainer.calls] == ["teacher", "advantages", "update"]
    _, asked, fields = trainer.calls[0]
    assert {"teacher_input_ids", "self_distillation_mask", "old_log_probs"} <= fields
    assert {"teacher_input_ids", "self_distillation_mask"} <= set(asked.fields)
    # The success has no target; the failure has log q - log p of each token.
    assert torch.allclose(trainer.calls[1][2], torch.tensor([[0.0, 0.0], [0.5, -2.0]]))
    assert len(updates) == 1
    assert metrics["self_distillation/advantage"] == pytest.approx(-0.75)
    assert metrics["self_distillation/advantage_abs_max"] == pytest.approx(2.0)
    assert "teacher" in trainer.timing_raw
    assert (ESTIMATOR._evidence, ESTIMATOR._options) == (None, None)


def test_the_teacher_speaks_at_the_rollouts_temperature(step):
    *_, trainer = step([1.0, 0.0], [None, None], overrides=(*AS_ESTIMATOR, "actor_rollout_ref.rollout.temperature=0.6"))
    assert trainer.calls[0][1].extra_info.get("temperature") == 0.6


def test_a_batch_without_targets_has_advantages_of_zero_and_no_update(step):
    _, metrics, updates, _, trainer = step([0.0, 0.0], [None, None], overrides=AS_ESTIMATOR)
    assert updates == []
    assert torch.equal(trainer.calls[1][2], torch.zeros(2, 2))
    assert metrics["self_distillation/advantage"] == metrics["self_distillation/advantage_abs_max"] == 0.0
    assert metrics["self_distillation/empty_target_batch"] == 1.0


ESTIMATOR_ALONE, LOSS = ("vanilla", "sdpo"), ("sdpo", "grpo")


@pytest.mark.parametrize(
    ("run", "options", "learns"),
    [
        (LOSS, {}, False),
        (LOSS, {"distillation_weight": 0.999}, True),
        (LOSS, {"distillation_weight": 0.0}, True),
        # The weight of GRPO's advantages is about the estimator only.
        (LOSS, {"group_advantage_weight": 1.0}, False),
        (ESTIMATOR_ALONE, {}, False),
        (ESTIMATOR_ALONE, {"distillation_weight": 0.5}, False),
        (ESTIMATOR_ALONE, {"group_advantage_weight": 0.001}, True),
        (ESTIMATOR_ALONE, {"group_advantage_weight": 1.0}, True),
        (("sdpo", "sdpo"), {"distillation_weight": 0.5}, False),
        (("sdpo", "sdpo"), {"distillation_weight": 0.5, "group_advantage_weight": 0.9}, True),
    ],
    ids=str,
)
def test_without_targets_a_run_learns_if_rewards_reach_its_loss(step, run, options, learns):
    loss_mode, estimator = run
    overrides = (f"actor_rollout_ref.actor.policy_loss.loss_mode={loss_mode}", f"algorithm.adv_estimator={estimator}")
    _, metrics, updates, _, trainer = step([0.0, 0.0], [None, None], overrides=overrides, options=options)
    assert learns_without_targets(trainer.config, trainer.self_distillation) is learns
    assert len(updates) == int(learns)
    assert metrics["self_distillation/empty_target_batch"] == 1.0


def test_weights_of_samples_go_to_the_workers(step):
    options = {"sample_weighting": "success_routing", "distillation_weight": 0.5}
    *_, queue, _ = step([1.0, 1.0, 0.0], [None, None, None], options=options)
    assert queue.written["self_distillation_weight"].tolist() == [0.0, 0.0, 1.0]
    assert queue.written["policy_gradient_weight"].tolist() == [1.0, 1.0, 0.0]
    assert queue.written["self_distillation_mask"].tolist() == [0.0, 0.0, 1.0]


@EVERY_MODE
@pytest.mark.parametrize(("loss_mode", "estimator"), [("sdpo", "grpo"), ("vanilla", "grpo"), ("vanilla", "sdpo")])
def test_verls_task_runner_gets_sdpos_trainer_and_verls_own_for_other_losses(
    config_of, monkeypatch, mode, loss_mode, estimator
):
    is_sdpo = "sdpo" in (loss_mode, estimator)
    stock = get_trainer_cls(mode)
    monkeypatch.setattr(trainer_base, "TRAINER_REGISTRY", dict(trainer_base.TRAINER_REGISTRY))
    config = config_of(
        mode,
        f"actor_rollout_ref.actor.policy_loss.loss_mode={loss_mode}",
        f"algorithm.adv_estimator={estimator}",
        "trainer.v1.replay_poll_interval=0.125",
    )
    choice.use_trainer(config)
    chosen = get_trainer_cls(mode)
    assert issubclass(chosen, SDPO_TRAINERS[mode] if is_sdpo else stock)
    assert issubclass(chosen, _SelfDistillation) == is_sdpo
    assert chosen(config).replay_buffer.poll_interval == 0.125


def test_the_task_runner_is_verls_with_a_choice_of_trainers():
    from verl.trainer.main_ppo import TaskRunnerV1

    stock = TaskRunnerV1.__ray_metadata__.modified_class
    ours = main_sdpo.task_runner_class().__ray_metadata__.modified_class
    assert issubclass(ours, stock)
    assert ours.run is not stock.run
    assert ours.init_agent_loop_manager is stock.init_agent_loop_manager
