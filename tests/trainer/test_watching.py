# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What looks after a run, before a trainer whose `fit` goes through a step as verl's does; tests/test_verl_seams.py
pins the lines that it stands for.
"""

import inspect
import json
import logging

import pytest
from omegaconf import OmegaConf
from transfer_queue import KVBatchMeta
from verl.trainer.ppo.v1 import PPOTrainer, trainer_base

from verl_sdpo.algorithm.reprompt import Reprompt
from verl_sdpo.config.checks import TRAINER_MODES
from verl_sdpo.trainer import choice, watching
from verl_sdpo.trainer.teacher_batch import TeacherBatch
from verl_sdpo.trainer.watching import STATE_FILE, Watching
from verl_sdpo.watch.callbacks import Callback, Shown, TokenIds

NUM_SAMPLES = 8
METRIC = "val-core/task/acc/mean@4"


class VerlLike:
    """verl's order of calls and its conditions; a step's time is what `seconds` says."""

    def __init__(self, config, seconds=lambda step: 10.0, accuracy=lambda step: 0.0, metrics=None):
        self.config, self.seconds, self.accuracy, self.step_metrics = config, seconds, accuracy, metrics or {}
        self.events, self.logged, self.tokenizer = [], {}, Decoder()

    def init(self):
        self.total_training_steps = self.config.trainer.total_training_steps
        self._load_checkpoint()

    def _load_checkpoint(self):
        tracker = self.folder("latest_checkpointed_iteration.txt")
        self.global_steps = int(tracker.read_text()) if tracker.exists() else 0

    def folder(self, name):
        return watching.Path(self.config.trainer.default_local_dir) / name

    def fit(self):
        options = self.config.trainer
        if options.val_before_train:
            self._validate()
        self.global_steps += 1
        while self.global_steps <= self.total_training_steps:
            is_last_step = self.global_steps >= self.total_training_steps
            metrics, self.timing_raw = {}, {}
            batch = self.step(metrics, self.timing_raw)
            if options.save_freq > 0 and (is_last_step or self.global_steps % options.save_freq == 0):
                self._save_checkpoint()
            self.timing_raw["step"] = self.seconds(self.global_steps)
            if options.test_freq > 0 and (is_last_step or self.global_steps % options.test_freq == 0):
                metrics.update(self._validate())
            self._compute_metrics(batch, metrics, self.timing_raw, global_steps=self.global_steps, epoch=0)
            self.logged[self.global_steps] = metrics
            self.global_steps += 1
            if is_last_step:
                self.events.append("last step")
                return

    def step(self, metrics, timing_raw):
        tags = [{}] * NUM_SAMPLES + [{"is_padding": True}] * 2
        batch = KVBatchMeta(keys=[str(key) for key in range(len(tags))], tags=tags, partition_id="train")
        batch = self._balance_batch(batch, metrics=metrics)
        return self._update_actor(batch, metrics=metrics)

    def _balance_batch(self, batch, metrics, logging_prefix="global_seqlen", keep_minibatch=False):
        metrics["balanced"] = 1.0
        return batch

    def _update_actor(self, batch, metrics):
        self.events.append("update")
        metrics.update(self.step_metrics)
        return batch

    def _save_checkpoint(self):
        self.events.append(f"save {self.global_steps}")
        folder = self.folder(f"global_step_{self.global_steps}")
        (folder / "actor").mkdir(parents=True, exist_ok=True)
        (folder / "actor" / "model_world_size_1_rank_0.pt").write_text(f"weights {self.global_steps}")
        self.folder("latest_checkpointed_iteration.txt").write_text(str(self.global_steps))

    def _validate(self):
        self.events.append(f"validate {self.global_steps}")
        return {METRIC: self.accuracy(self.global_steps)}

    def _compute_metrics(self, batch, metrics, timing_raw, global_steps, epoch):
        metrics["timing_s/step"] = timing_raw["step"]


class Decoder:
    def decode(self, ids):
        return "".join(map(chr, ids))


class Trainer(Watching, VerlLike):
    pass


class Recorder(Callback):
    """Writes down what it is handed."""

    payloads: list = []

    def after_generation(self, generation):
        self.payloads.append(generation)

    after_teacher_contexts = before_update = after_update = after_generation


class Raising(Callback):
    def before_update(self, update):
        raise RuntimeError(f"stop at {update.step}")


@pytest.fixture
def make(compose, tmp_path):
    """`make("trainer.key=value", ...)`: a trainer of a run of ten steps, made as the task runner does it."""

    def trainer(*overrides, **behaviour):
        given = ["data.train_batch_size=4", "actor_rollout_ref.rollout.n=2", "trainer.total_training_steps=10"]
        given += ["trainer.val_before_train=False", f"trainer.default_local_dir={tmp_path}", *overrides]
        config = compose("sdpo_trainer_cpu", *given)
        OmegaConf.resolve(config)
        made = Trainer(config, **behaviour)
        made.init()
        return made

    return trainer


def test_the_stand_in_has_verls_methods():
    ours = {name for name in vars(Watching) if callable(getattr(Watching, name)) and hasattr(VerlLike, name)}
    assert ours == {
        "init",
        "step",
        "_balance_batch",
        "_update_actor",
        "_compute_metrics",
        "_validate",
        "_save_checkpoint",
        "_load_checkpoint",
    }
    assert {name for name in ours if not hasattr(PPOTrainer, name)} == set()


@pytest.mark.parametrize("mode", TRAINER_MODES)
@pytest.mark.parametrize("loss_mode", ["sdpo", "vanilla"])
def test_a_run_of_either_loss_is_looked_after_and_no_mode_loses_a_method(compose, monkeypatch, mode, loss_mode):
    stock = trainer_base.get_trainer_cls(mode)
    monkeypatch.setattr(trainer_base, "TRAINER_REGISTRY", dict(trainer_base.TRAINER_REGISTRY))
    loss = f"actor_rollout_ref.actor.policy_loss.loss_mode={loss_mode}"
    choice.use_trainer(compose("sdpo_trainer", loss, f"trainer.v1.trainer_mode={mode}"))
    chosen = trainer_base.get_trainer_cls(mode)
    assert chosen.__mro__.index(Watching) < chosen.__mro__.index(stock)
    assert set(vars(Watching)) & {name for name, value in vars(stock).items() if inspect.isfunction(value)} == set()


# Budgets


@pytest.mark.parametrize(
    ("budget", "last"),
    [
        ("trainer.max_time=45s", 5),
        ("trainer.max_time=50s", 5),
        ("trainer.max_generations=24", 3),
        ("trainer.max_generations=25", 4),
        ("trainer.max_generations=8", 1),
        ("trainer.max_time=5h", 10),
    ],
)
def test_the_step_that_uses_the_budget_up_is_verls_last_step(make, budget, last):
    trainer = make(budget, "trainer.save_freq=100", "trainer.test_freq=100")
    trainer.fit()
    assert max(trainer.logged) == last
    assert trainer.events[-3:] == [f"save {last}", f"validate {last}", "last step"]
    assert trainer.events.count("update") == last


def test_without_a_budget_verls_number_of_steps_stands_and_what_is_spent_is_logged(make):
    trainer = make()
    trainer.fit()
    assert sorted(trainer.logged) == list(range(1, 11))
    assert trainer.logged[3]["budget/seconds"] == 30.0
    # Padding is no generation.
    assert trainer.logged[3]["budget/generations"] == 3 * NUM_SAMPLES


def test_a_step_that_takes_longer_than_foreseen_is_followed_by_a_last_one(make):
    trainer = make("trainer.max_time=45s", "trainer.save_freq=100", seconds=lambda step: 100.0 if step == 2 else 10.0)
    trainer.fit()
    assert max(trainer.logged) == 3
    assert trainer.events[-2:] == ["save 3", "last step"]


def test_verls_own_end_is_never_put_off(make):
    trainer = make("trainer.max_time=100s", "trainer.total_training_steps=4")
    trainer.fit()
    assert max(trainer.logged) == 4


# Resuming


@pytest.fixture
def clock(monkeypatch):
    """A clock in which a step takes ten seconds up to the checkpoint."""
    times = iter(range(0, 100_000, 10))
    monkeypatch.setattr(watching.time, "monotonic", lambda: next(times))


@pytest.mark.usefixtures("clock")
def test_a_resumed_run_goes_on_with_what_was_spent(make):
    make("trainer.total_training_steps=3", "trainer.save_freq=3").fit()
    resumed = make("trainer.max_time=50s", "trainer.save_freq=100")
    assert (resumed.budget.seconds, resumed.budget.generations) == (30.0, 3 * NUM_SAMPLES)
    resumed.fit()
    assert sorted(resumed.logged) == [4, 5]
    assert resumed.logged[5]["budget/generations"] == 5 * NUM_SAMPLES


@pytest.mark.usefixtures("clock")
def test_a_run_that_goes_on_from_an_earlier_checkpoint_has_that_ones_state(make, tmp_path):
    make("trainer.total_training_steps=4", "trainer.save_freq=2").fit()
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("2")
    assert make().budget.generations == 2 * NUM_SAMPLES


def test_a_resumed_run_whose_budget_is_spent_trains_no_step(make, caplog):
    make("trainer.max_generations=24", "trainer.save_freq=100").fit()
    with caplog.at_level(logging.WARNING, logger="verl_sdpo"):
        resumed = make("trainer.max_generations=24")
    resumed.fit()
    assert resumed.events == []
    assert "the budget is spent" in caplog.text


def test_a_raised_budget_lets_a_run_go_on(make):
    make("trainer.max_generations=24", "trainer.save_freq=100").fit()
    resumed = make("trainer.max_generations=40")
    resumed.fit()
    assert sorted(resumed.logged) == [4, 5]


def test_a_checkpoint_without_our_file_counts_from_there_and_says_so(make, tmp_path, caplog):
    make("trainer.total_training_steps=2", "trainer.save_freq=2").fit()
    (tmp_path / "global_step_2" / STATE_FILE).unlink()
    with caplog.at_level(logging.WARNING, logger="verl_sdpo"):
        assert make().budget.seconds == 0
    assert "does not exist" in caplog.text


def test_the_state_is_there_before_verl_calls_the_checkpoint_the_latest(make, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        VerlLike,
        "_save_checkpoint",
        lambda self: seen.append(json.loads((tmp_path / "global_step_2" / STATE_FILE).read_text())),
    )
    make("trainer.total_training_steps=2", "trainer.save_freq=2").fit()
    assert seen[0]["budget"]["generations"] == 2 * NUM_SAMPLES


# The best checkpoint

BEST = ("trainer.save_freq=2", "trainer.test_freq=2", f"trainer.best_checkpoint.metric='{METRIC}'")


def best_of(tmp_path):
    [folder] = (tmp_path / "best").iterdir()
    return json.loads((folder / "best.json").read_text()), (
        folder / "actor" / "model_world_size_1_rank_0.pt"
    ).read_text()


def test_the_checkpoint_with_the_best_validation_is_kept(make, tmp_path):
    accuracy = {2: 0.1, 4: 0.7, 6: 0.7, 8: 0.3, 10: 0.2}
    make(*BEST, accuracy=accuracy.get).fit()
    assert best_of(tmp_path) == ({"step": 4, "metric": METRIC, "value": 0.7}, "weights 4")


def test_a_resumed_run_knows_the_best_so_far(make, tmp_path):
    make(*BEST, "trainer.total_training_steps=4", accuracy={2: 0.9, 4: 0.1}.get).fit()
    make(*BEST, "trainer.total_training_steps=6", accuracy=lambda step: 0.5).fit()
    assert best_of(tmp_path)[0]["step"] == 2


def test_the_validation_before_training_has_no_checkpoint_to_keep_but_finds_a_wrong_name(make, tmp_path):
    make(
        *BEST, "trainer.val_before_train=True", "trainer.total_training_steps=1", accuracy=lambda step: 1.0 - step / 10
    ).fit()
    assert best_of(tmp_path)[0]["step"] == 1
    wrong = make(*BEST[:2], "trainer.best_checkpoint.metric=acc", "trainer.val_before_train=True")
    with pytest.raises(ValueError, match="is no metric of the validation"):
        wrong.fit()
    assert "update" not in wrong.events


def test_a_step_saved_anew_does_not_change_the_best_one(make, tmp_path):
    make(*BEST, "trainer.total_training_steps=2", accuracy=lambda step: 0.9).fit()
    (tmp_path / "latest_checkpointed_iteration.txt").unlink()
    again = make(*BEST, "trainer.total_training_steps=2", accuracy=lambda step: 0.1)
    again.fit()
    original = tmp_path / "global_step_2" / "actor" / "model_world_size_1_rank_0.pt"
    assert original.stat().st_nlink == 1
    assert best_of(tmp_path)[0]["value"] == 0.9


# Warnings


def test_a_degenerate_run_says_so_in_the_log_at_its_pace(make, caplog):
    trainer = make("trainer.health_check_every=4", metrics={"actor/grad_norm": 0.0})
    with caplog.at_level(logging.WARNING, logger="verl_sdpo"):
        trainer.fit()
    said = [record.getMessage() for record in caplog.records if "moves no weight" in record.getMessage()]
    assert [text.split(":")[0] for text in said] == ["step 1", "step 5", "step 9"]


def test_warnings_can_be_left_off(make, caplog):
    with caplog.at_level(logging.WARNING, logger="verl_sdpo"):
        make("trainer.health_check_every=null", "trainer.save_freq=5", metrics={"actor/grad_norm": 0.0}).fit()
    assert caplog.records == []


# Callbacks


@pytest.fixture
def rollouts(monkeypatch):
    def read(batch, tokenizer):
        assert tokenizer is not None
        rows = [{"uid": key, "is_padding": tag.get("is_padding", False)} for key, tag in zip(batch.keys, batch.tags)]
        return rows, None, None

    monkeypatch.setattr(watching, "read_rollouts", read)


@pytest.mark.usefixtures("rollouts")
def test_callbacks_are_called_in_the_order_of_a_step(make, monkeypatch):
    monkeypatch.setattr(Recorder, "payloads", [])
    monkeypatch.setattr(watching, "find_callbacks", lambda names: [Recorder] if list(names) == ["mine"] else None)
    make("trainer.callbacks=[mine]", "trainer.total_training_steps=2", metrics={"actor/lr": 0.5}).fit()
    assert [type(payload).__name__ for payload in Recorder.payloads] == [
        "Generation",
        "BeforeUpdate",
        "AfterUpdate",
    ] * 2
    generation, before, after, *_ = Recorder.payloads
    assert [payload.step for payload in Recorder.payloads] == [1, 1, 1, 2, 2, 2]
    assert [rollout["uid"] for rollout in generation.rollouts] == [str(key) for key in range(NUM_SAMPLES)]
    assert before.metrics == {"balanced": 1.0}
    assert after.metrics["actor/lr"] == 0.5
    assert after.metrics["budget/generations"] == NUM_SAMPLES


@pytest.mark.usefixtures("rollouts")
def test_a_callback_that_raises_stops_the_run_with_its_own_traceback(make, monkeypatch):
    monkeypatch.setattr(watching, "find_callbacks", lambda names: [Raising])
    trainer = make()
    with pytest.raises(RuntimeError, match="stop at 1") as caught:
        trainer.fit()
    assert caught.traceback[-1].name == "before_update"
    assert "update" not in trainer.events


def test_without_callbacks_rollouts_are_not_read(make, monkeypatch):
    monkeypatch.setattr(watching, "read_rollouts", None)
    make("trainer.total_training_steps=1").fit()


def test_a_teacher_context_is_what_the_teacher_reads_before_the_response(make, monkeypatch):
    monkeypatch.setattr(Recorder, "payloads", [])
    monkeypatch.setattr(watching, "find_callbacks", lambda names: [Recorder])
    trainer = make()
    rollouts = [
        {"uid": "a", "feedback": "Wrong.", "score": 0.0, "is_padding": False, "is_own": [1] * 6},
        {"uid": "a", "feedback": None, "score": 1.0, "is_padding": False, "is_own": [1] * 6},
        {"uid": "a", "feedback": None, "score": 1.0, "is_padding": True, "is_own": [1] * 6},
    ]
    prompt, answer = [1, 2], list(map(ord, "answer"))
    shown = Reprompt((), "a solution", "Wr...", None, None)
    batch = TeacherBatch([list(map(ord, "prompt|answer")), None, None], None, {}, [shown, None, None])
    trainer.show_teacher_contexts(rollouts, [prompt] * 3, [answer] * 3, batch)
    [contexts] = Recorder.payloads
    first, second = contexts.samples
    assert (first.prompt, first.has_target, first.feedback, first.score) == ("prompt|", True, "Wrong.", 0.0)
    assert (second.prompt, second.has_target, second.feedback, second.score) == (None, False, None, 1.0)
    assert first.shown == Shown("a solution", "Wr...", None)
    assert first.tokens == TokenIds(prompt, list(map(ord, "prompt|")), answer, [1] * 6)
    assert second.shown is None
    assert second.tokens == TokenIds(prompt, None, answer, [1] * 6)
