# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A run that is asked to stop ends after its step, saved and without an error."""

import pytest
from omegaconf import OmegaConf

from tests.trainer.test_watching import VerlLike
from verl_sdpo.trainer import stop_request
from verl_sdpo.trainer.stop_request import StopRequests
from verl_sdpo.trainer.updates import Updates
from verl_sdpo.trainer.watching import Watching


class Trainer(Updates, StopRequests, Watching, VerlLike):
    def fit(self):
        # verl calls it before its loop, when the number of the first step is set.
        self.global_steps += 1
        self.on_train_begin()
        self.global_steps -= 1
        super().fit()


@pytest.fixture
def run(compose, tmp_path, monkeypatch):
    """`run(when, ...)`: the events of a run of ten steps that is asked in the step `when`; 0 is before the first."""
    monkeypatch.setattr(VerlLike, "on_train_begin", lambda self: None, raising=False)

    def make(when, *overrides, metrics=None):
        given = ["data.train_batch_size=4", "trainer.total_training_steps=10", "trainer.val_before_train=False"]
        config = compose("sdpo_trainer_cpu", *given, f"trainer.default_local_dir={tmp_path}", *overrides)
        OmegaConf.resolve(config)
        trainer = Trainer(config, metrics={"actor/grad_norm": 1.0})
        trainer.init()
        why = lambda: "SIGTERM" if trainer.events.count("update") >= when else None  # noqa: E731
        monkeypatch.setattr(stop_request, "asked_to_stop", why)
        trainer.fit()
        return trainer

    return make


@pytest.mark.parametrize(
    ("save_freq", "saves"), [(5, ["save 3"]), (3, ["save 3"]), (1, ["save 1", "save 2", "save 3"]), (-1, [])]
)
def test_it_ends_after_the_running_step_which_is_saved_and_logged(run, caplog, save_freq, saves):
    trainer = run(3, f"trainer.save_freq={save_freq}", "trainer.test_freq=1")
    assert sorted(trainer.logged) == [1, 2, 3]
    assert [event for event in trainer.events if event.startswith("save")] == saves
    # There is no time for a validation.
    assert [event for event in trainer.events if event.startswith("validate")] == ["validate 1", "validate 2"]
    assert trainer.events.count("update") == 3


def test_before_the_first_step_none_is_made(run):
    assert run(0, "trainer.save_freq=1").events == []


def test_in_the_last_step_it_changes_nothing(run):
    trainer = run(10, "trainer.save_freq=5")
    assert trainer.events[-2:] == ["save 10", "last step"]


def test_without_ray_nobody_has_asked():
    assert stop_request.asked_to_stop() is None
