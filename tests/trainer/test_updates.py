# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Steps that update nothing are counted, and ten in a row end a run that was saved."""

import math

import pytest
from omegaconf import OmegaConf

from tests.trainer.test_watching import VerlLike
from verl_sdpo.trainer.updates import Updates
from verl_sdpo.trainer.watching import Watching
from verl_sdpo.watch.updates import NO_TARGET, NOT_FINITE, NOT_JUDGED, NoUpdateError, UpdateWatch, why_not_updated

PREFIX = "self_distillation"
MOVED = {f"{PREFIX}/num_optimizer_steps": 1, f"{PREFIX}/nonfinite_updates": 1, "actor/grad_norm": math.nan}
ODD = {f"{PREFIX}/num_optimizer_steps": 0, f"{PREFIX}/nonfinite_updates": 2, "actor/grad_norm": math.nan}
# What the trainer knows of a batch without a target: the ranks were not asked.
EMPTY = {f"{PREFIX}/empty_target_batch": 1.0}


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        (MOVED, None),
        (ODD, NOT_FINITE),
        (EMPTY, NO_TARGET),
        # Rejection sampling took all targets out: the ranks were asked, and made no update.
        ({f"{PREFIX}/num_optimizer_steps": 0, f"{PREFIX}/skipped_updates": 2}, NO_TARGET),
        # The teacher said nothing finite, so that there was nothing to learn.
        ({f"{PREFIX}/num_optimizer_steps": 0, f"{PREFIX}/nonfinite_teacher_tokens": 7}, NOT_FINITE),
        ({f"{PREFIX}/num_optimizer_steps": 1, f"{PREFIX}/nonfinite_teacher_tokens": 7}, None),
        ({"reward/no_verdict_batch": 1.0}, NOT_JUDGED),
        ({"reward/no_verdict_batch": 0.0, "actor/grad_norm": 0.5}, None),
        # verl's own worker.
        ({"actor/grad_norm": 0.5}, None),
        ({"actor/grad_norm": math.inf}, NOT_FINITE),
    ],
)
def test_why_a_step_updated_nothing(metrics, expected):
    assert why_not_updated(metrics) == expected


def test_only_steps_in_a_row_count():
    watch = UpdateWatch(3)
    for metrics in (ODD, EMPTY, MOVED, ODD, EMPTY):
        watch.add(metrics)
    assert (watch.in_a_row, watch.fault()) == (2, None)
    watch.add(EMPTY)
    text = watch.fault()
    assert text.startswith("3 steps in a row have updated nothing (2 for nothing to learn from, 1 for a loss, gradient")
    assert "trainer.max_steps_without_update=3" in text
    assert "optim.lr" in text
    assert "feedback" in text


@pytest.mark.parametrize("limit", [0, -1, True, 2.0, "10"])
def test_a_limit_that_is_none_is_refused(limit):
    with pytest.raises(ValueError, match="max_steps_without_update"):
        UpdateWatch(limit)


class Trainer(Updates, Watching, VerlLike):
    """Steps with the metrics of `steps`, the last of them from then on."""

    def __init__(self, config, steps):
        super().__init__(config)
        self.steps = steps

    def step(self, metrics, timing_raw):
        self.step_metrics = self.steps[min(self.global_steps, len(self.steps)) - 1]
        return super().step(metrics, timing_raw)

    def _shutdown_dump_executor(self):
        self.events.append("rollouts written")


@pytest.fixture
def make(compose, tmp_path):
    def trainer(steps, *overrides):
        given = ["data.train_batch_size=4", "trainer.total_training_steps=15", "trainer.val_before_train=False"]
        config = compose("sdpo_trainer_cpu", *given, f"trainer.default_local_dir={tmp_path}", *overrides)
        OmegaConf.resolve(config)
        made = Trainer(config, steps)
        made.init()
        return made

    return trainer


@pytest.mark.parametrize(("save_freq", "saves"), [(4, [4, 8, 11]), (11, [11]), (-1, [])])
def test_ten_steps_without_an_update_end_the_run_after_the_tenth_is_saved_and_logged(make, save_freq, saves):
    trainer = make([MOVED, ODD, EMPTY, ODD], f"trainer.save_freq={save_freq}")
    with pytest.raises(NoUpdateError, match="10 steps in a row have updated nothing"):
        trainer.fit()
    assert sorted(trainer.logged) == list(range(1, 12))
    assert [event for event in trainer.events if event.startswith("save")] == [f"save {step}" for step in saves]
    assert trainer.events[-1] == "rollouts written"
    counted = [trainer.logged[step]["training/steps_without_update"] for step in range(1, 12)]
    assert counted == list(map(float, range(11)))


def test_one_update_in_between_lets_the_run_go_on(make):
    trainer = make([*[ODD] * 9, MOVED, *[ODD] * 5])
    trainer.fit()
    assert sorted(trainer.logged) == list(range(1, 16))


def test_null_lets_the_run_go_on(make):
    trainer = make([ODD], "trainer.max_steps_without_update=null")
    trainer.fit()
    assert trainer.logged[15]["training/steps_without_update"] == 15.0
