# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A tracker that fails costs its own record and one warning; the run and the other trackers go on."""

import http.server
import json
import logging
import sys
import threading
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf
from verl.trainer.ppo.v1 import trainer_base

from verl_sdpo.trainer.trackers import survive_lost_trackers

NAMES = {"project_name": "p", "experiment_name": "e"}


class Service:
    """Stands for the module `wandb`: fails in what it is told to fail in, and keeps what reaches it."""

    run = None

    def __init__(self, fails=()):
        self.fails, self.logged, self.calls = set(fails), {}, []

    def _called(self, name):
        self.calls.append(name)
        if name in self.fails:
            raise ConnectionError(f"401: no {name}\nfor you")

    def init(self, **_):
        self._called("init")

    def log(self, data, step):
        self._called("log")
        self.logged[step] = data

    def finish(self, exit_code=0):
        self._called("finish")

    def Table(self, **_):  # noqa: N802
        self._called("Table")
        return SimpleNamespace(data=[], add_data=lambda *_: None)


@pytest.fixture
def service(monkeypatch):
    def put(*fails):
        module = Service(fails)
        monkeypatch.setitem(sys.modules, "wandb", module)
        return module

    return put


@pytest.fixture
def trackers(monkeypatch, tmp_path, caplog):
    """What verl's `fit` makes, as it makes it; `trackers.file()` is what the file has."""
    monkeypatch.setenv("VERL_FILE_LOGGER_PATH", str(tmp_path / "metrics.jsonl"))
    for name in ("Tracking", "ValidationGenerationsLogger", "DapoFilteredRewardTableLogger"):
        monkeypatch.setattr(trainer_base, name, getattr(trainer_base, name))
    caplog.set_level(logging.INFO)
    survive_lost_trackers()

    def start(*names):
        # One name alone is no list in verl's configuration.
        backend = names[0] if len(names) == 1 else OmegaConf.create(list(names))
        return SimpleNamespace(
            metrics=trainer_base.Tracking(default_backend=backend, config={"trainer": {}}, **NAMES),
            generations=trainer_base.ValidationGenerationsLogger(**NAMES),
            table=trainer_base.DapoFilteredRewardTableLogger(**NAMES),
            file=lambda: {
                record["step"]: record["data"]
                for record in map(json.loads, (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
            },
            warnings=lambda: [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING],
        )

    return start


def train(run, names, steps=3):
    for step in range(1, steps + 1):
        run.metrics.log(data={"loss": step / 2}, step=step)
        run.generations.log(names, [("question", "answer", 1.0)], step)
        run.table.log(names, {1.0: 4}, step)
    run.metrics.finish()


ALL = ["wandb", "file", "console"]


def test_a_service_that_refuses_the_run_costs_one_warning(service, trackers):
    module = service("init")
    run = trackers(*ALL)
    train(run, ALL)
    assert run.file() == {1: {"loss": 0.5}, 2: {"loss": 1.0}, 3: {"loss": 1.5}}
    # Nothing is sent to a service that has refused.
    assert module.calls == ["init"]
    [told] = run.warnings()
    assert told == (
        "trainer.logger: wandb failed to start, this run has no record there, and the run goes on: "
        "ConnectionError: 401: no init for you"
    )


def test_a_service_that_fails_for_a_while_gets_what_comes_after(service, trackers):
    module = service()
    run = trackers(*ALL)
    run.metrics.log(data={"loss": 1.0}, step=1)
    module.fails = {"log"}
    run.metrics.log(data={"loss": 2.0}, step=2)
    run.metrics.log(data={"loss": 3.0}, step=3)
    module.fails = set()
    run.metrics.log(data={"loss": 4.0}, step=4)
    run.metrics.finish()
    assert module.logged == {1: {"loss": 1.0}, 4: {"loss": 4.0}}
    assert list(run.file()) == [1, 2, 3, 4]
    assert module.calls[-1] == "finish"
    assert len(run.warnings()) == 1
    assert "wandb failed to log, its record there has gaps" in run.warnings()[0]


@pytest.mark.parametrize("fails", ["Table", "finish"])
def test_tables_and_the_end_count_too_and_the_others_are_ended(service, trackers, fails):
    service(fails)
    run = trackers(*ALL)
    train(run, ALL)
    run.metrics.finish()
    assert list(run.file()) == [1, 2, 3]
    assert run.metrics.logger["file"].fp.closed
    assert len(run.warnings()) == 1


def test_a_folder_that_cannot_be_written_costs_one_warning(trackers, monkeypatch):
    # Nobody may write there, the superuser included.
    monkeypatch.setenv("TENSORBOARD_DIR", "/proc/metrics")
    run = trackers("tensorboard", "file")
    train(run, ["tensorboard", "file"])
    assert list(run.file()) == [1, 2, 3]
    [told] = run.warnings()
    assert "tensorboard failed to start" in told


def test_without_a_failure_every_tracker_gets_what_verls_would(service, trackers, monkeypatch, tmp_path):
    monkeypatch.setenv("TENSORBOARD_DIR", str(tmp_path / "board"))
    module, names = service(), [*ALL, "tensorboard"]
    run = trackers(*names)
    assert sorted(run.metrics.logger) == sorted(names)
    train(run, names)
    assert module.logged == run.file() == {1: {"loss": 0.5}, 2: {"loss": 1.0}, 3: {"loss": 1.5}}
    assert module.calls.count("finish") == 1
    assert list((tmp_path / "board").iterdir())
    assert run.warnings() == []


def test_one_name_is_a_list_of_one_and_a_backend_can_be_chosen(service, trackers):
    module = service()
    run = trackers("wandb")
    run.metrics.log(data={"loss": 1.0}, step=1, backend=["console"])
    run.metrics.log(data={"loss": 2.0}, step=2, backend=["wandb"])
    assert list(module.logged) == [2]


def test_a_run_without_any_tracker_that_works_goes_on(service, trackers):
    service("init")
    run = trackers("wandb")
    train(run, "wandb")
    assert len(run.warnings()) == 1


def test_an_interrupt_is_no_failure(service, trackers, monkeypatch):
    module = service()

    def interrupted(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "init", interrupted, raising=False)
    with pytest.raises(KeyboardInterrupt):
        trackers("wandb")


class Refusing(http.server.BaseHTTPRequestHandler):
    """A server that lets nobody in."""

    def do_POST(self):  # noqa: N802
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(401)
        self.end_headers()
        self.wfile.write(b'{"errors": [{"message": "user is not logged in"}]}')

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_):
        pass


def test_real_wandb_with_a_key_that_is_refused(trackers, monkeypatch, tmp_path):
    wandb = pytest.importorskip("wandb")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        monkeypatch.setenv("WANDB_DIR", str(tmp_path))
        run = trackers("wandb", "file")
        train(run, ["wandb", "file"])
        wandb.teardown()
        server.shutdown()
    assert list(run.file()) == [1, 2, 3]
    [told] = [each for each in run.warnings() if "trainer.logger" in each]
    assert "wandb failed to start" in told
    assert "not logged in" in told


def test_real_wandb_offline_writes_on_this_machine(trackers, monkeypatch, tmp_path):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    run = trackers("wandb", "file")
    train(run, ["wandb", "file"])
    wandb.teardown()
    assert list(run.file()) == [1, 2, 3]
    assert not [each for each in run.warnings() if "trainer.logger" in each]
    assert list((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
