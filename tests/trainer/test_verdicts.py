# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A sample without a verdict is to a step as if it were not there, and a run with too many of them ends."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from tensordict import NonTensorStack, TensorDict
from transfer_queue import KVBatchMeta
from verl.trainer.ppo.core_algos import get_policy_loss_fn
from verl.trainer.ppo.v1 import PPOTrainer, trainer_base
from verl.workers.config import FSDPActorConfig

from tests.trainer.test_watching import VerlLike
from verl_sdpo.algorithm.reprompt_config import RepromptConfig
from verl_sdpo.algorithm.self_distillation import self_distillation_loss
from verl_sdpo.trainer import batch_fields
from verl_sdpo.trainer.batch_fields import leave_out, num_generated, read_judged, read_rollouts
from verl_sdpo.trainer.teacher_batch import build_teacher_batch
from verl_sdpo.trainer.unjudged_steps import UnjudgedSteps
from verl_sdpo.trainer.updates import Updates
from verl_sdpo.trainer.verdicts import Verdicts
from verl_sdpo.trainer.watching import Watching
from verl_sdpo.watch.updates import NoUpdateError
from verl_sdpo.watch.verdicts import Judged, NoVerdictError

LENGTHS = [3, 4, 2, 3, 3, 2]
UIDS = ["a", "a", "a", "a", "b", "b"]
SCORES = [1.0, 0.0, 1.0, 0.0, 1.0, 0.0]
BLAMELESS = 2


class RowQueue:
    """TransferQueue's calls, a row at a time."""

    def __init__(self, rows):
        self.rows = rows
        self.tags = {}

    def kv_batch_get(self, keys, partition_id, select_fields):
        rows = [self.rows[key] for key in keys]
        found = {name: [row[name] for row in rows] for name in select_fields if name in rows[0]}
        columns = {
            name: torch.nested.as_nested_tensor(values, layout=torch.jagged)
            if isinstance(values[0], torch.Tensor)
            else NonTensorStack(*values)
            for name, values in found.items()
        }
        return TensorDict(columns, batch_size=len(keys))

    def kv_batch_put(self, keys, partition_id, fields=None, tags=None):
        for name in fields.keys() if fields is not None else ():
            column = fields[name]
            values = column.unbind() if isinstance(column, torch.Tensor) else list(column)
            for key, value in zip(keys, values, strict=True):
                self.rows[key][name] = value
        for key, tag in zip(keys, tags or (), strict=tags is not None):
            self.tags[key] = tag
        return KVBatchMeta(keys=keys, tags=[self.tags.get(key, {}) for key in keys], partition_id=partition_id)


def outcome(number, kind="sandbox_error"):
    info = {"feedback": f"F{number}", "sandbox_error": 0.0, "bad_test": 0.0}
    return {"reward_extra_info": info | ({kind: 1.0} if number == BLAMELESS else {})}


def row(number, kind="sandbox_error"):
    length = LENGTHS[number]
    rewards = torch.zeros(length)
    rewards[-1] = SCORES[number]
    ones = torch.ones(length, dtype=torch.int64)
    return {
        "uid": UIDS[number],
        "raw_prompt": [{"role": "user", "content": f"Question {UIDS[number]}"}],
        "prompts": torch.tensor([1, 2]),
        "responses": torch.arange(number * 10, number * 10 + length) + 60,
        "loss_mask": ones,
        "response_mask": ones.clone(),
        "rm_scores": rewards,
        "old_log_probs": -torch.arange(1.0, length + 1.0) / (number + 1),
        "extra_fields": outcome(number, kind),
    }


@pytest.fixture
def batch_of(monkeypatch):
    """`batch_of(numbers)`: these samples in the queue; the one that nobody judged is left out if it is among them."""

    def make(numbers, kind="sandbox_error"):
        # As verl names samples: question, session, output.
        keys = [f"{UIDS[number]}_{number}_0" for number in numbers]
        queue = RowQueue({key: row(number, kind) for key, number in zip(keys, numbers, strict=True)})
        monkeypatch.setattr(batch_fields, "tq", queue)
        monkeypatch.setattr(trainer_base, "tq", queue)
        batch = KVBatchMeta(keys=keys, tags=[{"seq_len": 5} for _ in keys], partition_id="train")
        cases = [index for index, sample in enumerate(read_judged(batch)) if sample.kinds]
        assert [numbers[index] for index in cases] == [BLAMELESS] * (BLAMELESS in numbers)
        return leave_out(batch, cases), queue

    return make


ALL, OTHERS = [0, 1, 2, 3, 4, 5], [0, 1, 3, 4, 5]
EITHER_KIND = pytest.mark.parametrize("kind", ["sandbox_error", "bad_test"])


def advantages_of(compose, batch, queue, *overrides):
    trainer = SimpleNamespace(config=compose("sdpo_trainer_cpu", *overrides))
    made = PPOTrainer._compute_advantage(trainer, batch, {})
    return {key: queue.rows[key]["advantages"] for key in made.keys}


@EITHER_KIND
@pytest.mark.parametrize("norm_by_std", [True, False])
@pytest.mark.parametrize("estimator", ["grpo", "rloo", "reinforce_plus_plus_baseline"])
def test_verls_advantages_of_the_others_are_those_of_a_group_without_it(
    compose, batch_of, kind, norm_by_std, estimator
):
    overrides = (f"algorithm.adv_estimator={estimator}", f"algorithm.norm_adv_by_std_in_grpo={norm_by_std}")
    made = advantages_of(compose, *batch_of(ALL, kind), *overrides)
    expected = advantages_of(compose, *batch_of(OTHERS), *overrides)
    for key, value in expected.items():
        torch.testing.assert_close(made[key], value)
    [left_out] = made.keys() - expected.keys()
    assert torch.equal(made[left_out], torch.zeros(LENGTHS[BLAMELESS]))


def test_grpos_baseline_is_the_mean_and_deviation_of_the_three_that_were_judged(compose, batch_of):
    made = advantages_of(compose, *batch_of(ALL))
    scores = np.array([1.0, 0.0, 0.0])
    expected = (scores - scores.mean()) / scores.std(ddof=1)
    got = [made[f"a_{number}_0"][0].item() for number in (0, 1, 3)]
    assert got == pytest.approx(expected, abs=1e-5)


def render(messages, _extra_info=None):
    return [ord(letter) for letter in messages[-1]["content"]]


class Letters:
    def decode(self, ids, **_):
        return "".join(map(chr, ids))


@EITHER_KIND
@pytest.mark.parametrize("sample_weighting", [None, "success_routing", "pass_rate"])
def test_the_teacher_of_the_others_reads_what_it_would_without_it(batch_of, kind, sample_weighting):
    def built(numbers):
        batch, _ = batch_of(numbers, kind)
        rollouts, _, response_ids = read_rollouts(batch, Letters())
        return build_teacher_batch(rollouts, response_ids, RepromptConfig(), render, sample_weighting=sample_weighting)

    made, expected = built(ALL), built(OTHERS)
    places = [ALL.index(number) for number in OTHERS]
    assert [made.input_ids[place] for place in places] == expected.input_ids
    assert made.input_ids[BLAMELESS] is None
    assert made.metrics == expected.metrics
    if sample_weighting is not None:
        for name in ("distillation", "policy_gradient"):
            assert [getattr(made.weights, name)[place] for place in places] == getattr(expected.weights, name)
            assert getattr(made.weights, name)[BLAMELESS] == 0.0


def policy_gradient(compose, batch, queue):
    """Of verl's loss with the mean over tokens, by the log-probability of each token of each sample."""
    advantages = advantages_of(compose, batch, queue)
    rows = [queue.rows[key] for key in batch.keys]
    pad = lambda values: torch.nn.utils.rnn.pad_sequence(list(values), batch_first=True)  # noqa: E731
    old = pad(row["old_log_probs"] for row in rows)
    new = (old * 0.9).requires_grad_()
    config = FSDPActorConfig(strategy="fsdp2", rollout_n=1, ppo_micro_batch_size_per_gpu=1)
    # As the engine counts them for the loss.
    num_tokens = sum(row["loss_mask"].sum().item() for row in rows)
    config.global_batch_info.update(dp_size=1, batch_num_tokens=num_tokens, global_batch_size=len(rows))
    loss, _ = get_policy_loss_fn("vanilla")(
        old_log_prob=old,
        log_prob=new,
        advantages=pad(advantages[key] for key in batch.keys),
        response_mask=pad(row["response_mask"] for row in rows).bool(),
        loss_agg_mode="token-mean",
        config=config,
    )
    loss.backward()
    return loss.item(), dict(zip(batch.keys, new.grad, strict=True))


def test_the_policy_losss_value_and_gradient_are_those_without_it(compose, batch_of):
    loss, gradients = policy_gradient(compose, *batch_of(ALL))
    expected_loss, expected = policy_gradient(compose, *batch_of(OTHERS))
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    for key, value in expected.items():
        assert value.abs().max() > 0
        torch.testing.assert_close(gradients[key], value)
    assert torch.equal(gradients[f"a_{BLAMELESS}_0"], torch.zeros(max(LENGTHS)))


def test_the_distillation_losss_gradient_is_that_without_it(batch_of):
    generator = torch.Generator().manual_seed(0)
    logits = {number: torch.randn(2, max(LENGTHS), 7, generator=generator, dtype=torch.float64) for number in ALL}

    def gradients(numbers):
        batch, _ = batch_of(numbers)
        rollouts, _, response_ids = read_rollouts(batch, Letters())
        has_target = build_teacher_batch(rollouts, response_ids, RepromptConfig(), render).has_target
        mask = torch.zeros(len(numbers), max(LENGTHS))
        for place, number in enumerate(numbers):
            mask[place, : LENGTHS[number]] = float(has_target[place])
        student, teacher = (torch.stack([logits[number][which] for number in numbers]) for which in (0, 1))
        student.requires_grad_()
        ids = torch.zeros(mask.shape, dtype=torch.int64)
        loss, _ = self_distillation_loss(student, teacher, ids, mask, topk=7, is_clip=None)
        loss.backward()
        return dict(zip(numbers, student.grad, strict=True))

    made, expected = gradients(ALL), gradients(OTHERS)
    for number in OTHERS:
        torch.testing.assert_close(made[number], expected[number])
    assert made[BLAMELESS].abs().max() == 0.0
    assert sum(value.abs().max() > 0 for value in expected.values()) > 1


def test_what_was_generated_and_the_words_are_still_there(batch_of):
    batch, queue = batch_of(ALL)
    assert num_generated(batch) == len(ALL)
    assert [tag.get("is_padding", False) for tag in batch.tags] == [number == BLAMELESS for number in ALL]
    key = batch.keys[BLAMELESS]
    assert queue.tags == {key: batch.tags[BLAMELESS]}
    assert batch.tags[BLAMELESS]["seq_len"] == 5
    kept = row(BLAMELESS)
    for name in ("responses", "prompts", "rm_scores"):
        assert torch.equal(queue.rows[key][name], kept[name])


def test_padding_is_never_a_case_though_it_is_a_copy_of_one(batch_of):
    batch, _ = batch_of(ALL)
    assert read_judged(batch)[BLAMELESS] is None
    assert [sample for sample in read_judged(batch) if sample] == [Judged(UIDS[number]) for number in OTHERS]
    assert num_generated(KVBatchMeta(keys=["p"], tags=[{"is_padding": True}], partition_id="train")) == 0


# In the trainer

NUM_SAMPLES = 20


class Trainer(Updates, UnjudgedSteps, Verdicts, Watching, VerlLike):
    """Before it a trainer that fails to judge some samples of its steps: `cases[step]` of 20."""

    def __init__(self, config, queue, cases, of_validation=0, reason="it died"):
        super().__init__(config, metrics={"actor/grad_norm": 1.0})
        self.queue, self.cases, self.of_validation, self.reason = queue, cases, of_validation, reason
        self.left_out, self.restarts, self.has_started = {}, [0, 2, 2, 3], False
        self.reward_loop_manager = SimpleNamespace(
            check_started=self.look_at_workers, num_restarts=lambda: self.restarts[self.global_steps - 1]
        )

    def look_at_workers(self):
        self.has_started = True

    def step(self, metrics, timing_raw):
        self.queue.rows.clear()
        for number in range(NUM_SAMPLES):
            is_case = number < self.cases.get(self.global_steps, 0)
            info = {"sandbox_error": float(is_case), "feedback": self.reason}
            self.queue.rows[f"q{number}_0_0"] = {
                "uid": f"q{number}",
                "response_mask": torch.ones(2, dtype=torch.int64),
                "extra_fields": {"reward_extra_info": info},
            }
        return super().step(metrics, timing_raw)

    def _validate(self):
        infos = [float(number < self.of_validation) for number in range(NUM_SAMPLES)]
        uids = [f"v{number}" for number in range(NUM_SAMPLES)]
        told = {"sandbox_error": infos, "feedback": [self.reason] * NUM_SAMPLES, "acc": [0.0] * NUM_SAMPLES}
        return super()._validate() | self._val_metrics_update(["x"] * NUM_SAMPLES, uids, told, [])

    def _shutdown_dump_executor(self):
        self.events.append("rollouts written")


def verl_step(self, metrics, timing_raw):
    keys = [*self.queue.rows, "pad_0_0"]
    # verl makes padding of the first sample.
    self.queue.rows["pad_0_0"] = dict(self.queue.rows["q0_0_0"])
    tags = [{} for _ in keys[:-1]] + [{"is_padding": True}]
    batch = KVBatchMeta(keys=keys, tags=tags, partition_id="train")
    batch = self._balance_batch(batch, metrics=metrics)
    for method in OF_A_STEP:
        batch = getattr(self, method)(batch, metrics=metrics)
    self.left_out[self.global_steps] = [tag.get("is_padding", False) for tag in batch.tags].count(True) - 1
    return batch


# verl's order (`PPOTrainer._step_once`).
BEFORE_UPDATES = ["_compute_old_log_prob", "_compute_ref_log_prob", "_compute_values", "_compute_advantage"]
OF_A_STEP = [*BEFORE_UPDATES, "_update_critic", "_update_actor"]


def passing(name):
    def method(self, batch, metrics):
        self.passes.append((self.global_steps, name))
        return batch

    return method


@pytest.fixture
def make(compose, tmp_path, monkeypatch):
    def trainer(*overrides, **behaviour):
        queue = RowQueue({})
        monkeypatch.setattr(batch_fields, "tq", queue)
        monkeypatch.setattr(VerlLike, "step", verl_step)
        monkeypatch.setattr(VerlLike, "passes", [], raising=False)
        for name in OF_A_STEP[:-1]:
            monkeypatch.setattr(VerlLike, name, passing(name), raising=False)
        monkeypatch.setattr(VerlLike, "_val_metrics_update", lambda *_: {}, raising=False)
        given = ["data.train_batch_size=4", "actor_rollout_ref.rollout.n=5", "trainer.total_training_steps=4"]
        given += ["trainer.val_before_train=False", f"trainer.default_local_dir={tmp_path}", *overrides]
        config = compose("sdpo_trainer_cpu", *given)
        OmegaConf.resolve(config)
        made = Trainer(config, queue, **behaviour)
        made.init()
        return made

    return trainer


def test_cases_are_left_out_and_counted_in_each_step(make):
    trainer = make(cases={1: 1, 3: 1})
    trainer.fit()
    assert trainer.left_out == {1: 1, 2: 0, 3: 1, 4: 0}
    fractions = [trainer.logged[step]["reward/sandbox_error_fraction"] for step in (1, 2, 3, 4)]
    assert fractions == [0.05, 0.0, 0.05, 0.0]
    assert {trainer.logged[step]["reward/bad_test_fraction"] for step in trainer.logged} == {0.0}
    # What was made is paid for, whether it could be judged or not.
    assert trainer.logged[4]["budget/generations"] == 4 * NUM_SAMPLES


@pytest.mark.parametrize(
    ("save_freq", "saves"), [(3, ["save 2"]), (2, ["save 2"]), (1, ["save 1", "save 2"]), (-1, [])]
)
def test_too_many_cases_end_the_run_after_the_step_is_saved_and_logged(make, caplog, save_freq, saves):
    trainer = make(f"trainer.save_freq={save_freq}", cases={1: 1, 2: 2})
    with caplog.at_level(logging.ERROR, logger="verl_sdpo"), pytest.raises(NoVerdictError) as ended:
        trainer.fit()
    assert sorted(trainer.logged) == [1, 2]
    assert [event for event in trainer.events if event.startswith("save")] == saves
    assert trainer.events[-1] == "rollouts written"
    assert trainer.events.count("update") == 2
    text = str(ended.value)
    assert text.startswith("3 of the last 40 samples have no verdict")
    assert "'it died'" in text
    [record] = [record for record in caplog.records if record.name.startswith("verl_sdpo")]
    assert record.getMessage() == f"step 2: {text}"


def test_the_saved_step_can_be_resumed_and_counts_anew(make):
    with pytest.raises(NoVerdictError):
        make("trainer.save_freq=3", cases={2: 5}).fit()
    resumed = make("trainer.save_freq=3", cases={})
    assert resumed.global_steps == 2
    resumed.fit()
    assert sorted(resumed.logged) == [3, 4]


def test_in_the_last_step_there_is_nothing_to_end(make, caplog):
    trainer = make("trainer.save_freq=4", cases={4: 5})
    trainer.fit()
    assert trainer.events[-2:] == ["save 4", "last step"]
    assert "step 4: 5 of the last 80 samples have no verdict" in caplog.text


@pytest.mark.parametrize(("save_freq", "saves"), [(3, ["save 2"]), (-1, [])])
def test_a_step_without_any_other_sample_is_not_made(make, save_freq, saves):
    """verl's importance weights would refuse it with an error that says nothing of the cause."""
    trainer = make(f"trainer.save_freq={save_freq}", cases={2: NUM_SAMPLES})
    with pytest.raises(NoVerdictError, match=f"{NUM_SAMPLES} of the last {2 * NUM_SAMPLES} samples have no verdict"):
        trainer.fit()
    assert sorted(trainer.logged) == [1]
    assert trainer.events == ["update", *saves, "rollouts written"]


def test_with_a_limit_of_null_a_step_without_any_other_sample_makes_nothing_and_is_counted(make, caplog):
    trainer = make("trainer.max_sandbox_error_fraction=null", "trainer.save_freq=1", cases={2: 20, 3: 20, 4: 19})
    with caplog.at_level(logging.WARNING, logger="verl_sdpo"):
        trainer.fit()
    assert sorted(trainer.logged) == [1, 2, 3, 4]
    assert trainer.left_out[2] == NUM_SAMPLES
    # No pass of verl's, and no update; of a step with one verdict all.
    assert trainer.passes == [(step, name) for step in (1, 4) for name in OF_A_STEP[:-1]]
    assert [event for event in trainer.events if event == "update"] == ["update"] * 2
    logged = {name: [trainer.logged[step].get(name) for step in (1, 2, 3, 4)] for name in trainer.logged[2]}
    assert logged["reward/no_verdict_batch"] == [0.0, 1.0, 1.0, 0.0]
    assert logged["reward/sandbox_error_fraction"] == [0.0, 1.0, 1.0, 0.95]
    assert logged["training/steps_without_update"] == [0.0, 1.0, 2.0, 0.0]
    # What was generated is paid for; verl's own metrics cannot be made of no sample.
    assert logged["budget/generations"] == [20, 40, 60, 80]
    assert "timing_s/step" not in trainer.logged[2]
    assert trainer.logged[4]["timing_s/step"] == 10.0
    assert "step 2: no sample has a verdict, so nothing is updated" in caplog.text
    assert "it died" in caplog.text


def test_too_many_steps_without_any_verdict_end_the_run_with_the_first_reason(make):
    traceback = "the reward raised KeyError: 'x'\nTraceback\n  File reward.py, line 7\nKeyError: 'x'"
    given = ("trainer.max_sandbox_error_fraction=null", "trainer.max_steps_without_update=2", "trainer.save_freq=10")
    trainer = make(*given, cases={2: 20, 3: 20}, reason=traceback)
    with pytest.raises(NoUpdateError) as ended:
        trainer.fit()
    assert sorted(trainer.logged) == [1, 2, 3]
    assert [event for event in trainer.events if event.startswith("save")] == ["save 3"]
    text = str(ended.value)
    assert text.startswith("2 steps in a row have updated nothing (2 for no sample with a verdict)")
    assert "python -m verl_sdpo.sandbox doctor" in text
    assert text.endswith(traceback)


def test_weights_are_put_aside_where_verl_asks_for_them_later_in_the_cycle():
    put_aside = []
    worker_group = SimpleNamespace(save_model_to_cpu=put_aside.append)
    unjudged = KVBatchMeta(keys=["a"], tags=[{"is_padding": True}], partition_id="train")
    for mode, trigger in (("separate_async", 0), ("separate_async", 1), ("sync", 0)):
        steps = UnjudgedSteps()
        steps.config = OmegaConf.create({"trainer": {"v1": {"trainer_mode": mode}}})
        steps.local_trigger_step, steps.actor_rollout_wg = trigger, worker_group
        assert steps._compute_old_log_prob(unjudged, metrics={}) is unjudged
    assert put_aside == [0]


def test_reward_workers_that_were_started_anew_are_counted_by_step(make):
    trainer = make(cases={})
    assert trainer.has_started
    trainer.fit()
    assert [trainer.logged[step]["reward/worker_restarts"] for step in (1, 2, 3, 4)] == [0.0, 2.0, 0.0, 1.0]


def test_a_sandbox_that_fails_in_the_first_validation_ends_the_run_before_a_step(make):
    trainer = make("trainer.val_before_train=True", "trainer.save_freq=1", cases={}, of_validation=3)
    with pytest.raises(NoVerdictError, match="3 of the last 20 samples"):
        trainer.fit()
    assert trainer.events == ["validate 0", "rollouts written"]
