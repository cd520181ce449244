# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Processes that score are killed in the midst of a training run: a program, a warm interpreter, a reward worker.

One of them in each step. The run goes on to its end, and every response has the score that it deserves.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from data_preprocess.schema import chat_prompt, make_row
from data_preprocess.writer import write_parquet
from recipe.tiny_model import build_model, build_tokenizer
from tests.e2e.training_run import TrainingRun

pytestmark = pytest.mark.e2e

# Not imported: that would register its reward for the other tests of this process.
REWARD, DATA_SOURCE = Path(__file__).with_name("deadly_reward.py"), "killed_processes"
BATCH, ROLLOUTS, STEPS = 4, 2, 3
SAMPLES = BATCH * ROLLOUTS
START_SECONDS, STEP_SECONDS = 400, 300
WORKER_TITLE, INTERPRETER = "ray::RewardLoopWorker", "zygote.py"
# Above what the process that waits for the next program has used.
AT_WORK_SECONDS = 0.05


def expected_score(response: str) -> float:
    """What a response deserves, without the program."""
    return float(sum(response.encode("utf-8", "surrogatepass")) % 2 == 0)


def write_inputs(folder: Path) -> None:
    tokenizer = build_tokenizer()
    tokenizer.save_pretrained(folder / "model")
    build_model(tokenizer, seed=0).save_pretrained(folder / "model")
    for split, num_rows in (("train", BATCH * STEPS), ("test", 1)):
        rows = [
            make_row(
                data_source=DATA_SOURCE,
                prompt=chat_prompt(f"Question {split} {index}"),
                ground_truth="even",
                ability="test",
                split=split,
                index=index,
            )
            for index in range(num_rows)
        ]
        write_parquet(rows, folder / f"{split}.parquet")


def overrides(folder: Path) -> list[str]:
    return [
        f"data.train_files={folder}/train.parquet",
        f"data.val_files={folder}/test.parquet",
        f"data.train_batch_size={BATCH}",
        "data.max_prompt_length=256",
        "data.max_response_length=16",
        "reward.custom_reward_function.path=pkg://verl_sdpo.rewards",
        f"+reward.custom_reward_function.reward_kwargs.reward_modules=[{REWARD}]",
        f"actor_rollout_ref.model.path={folder}/model",
        f"actor_rollout_ref.actor.ppo_mini_batch_size={BATCH}",
        "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=8",
        f"actor_rollout_ref.rollout.n={ROLLOUTS}",
        "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=8",
        "actor_rollout_ref.rollout.max_model_len=512",
        "actor_rollout_ref.rollout.checkpoint_engine.update_weights_bucket_megabytes=16",
        "trainer.total_epochs=1",
        f"trainer.total_training_steps={STEPS}",
        "trainer.val_before_train=false",
        "trainer.test_freq=-1",
        "trainer.save_freq=-1",
        "trainer.logger=[console,file]",
        f"trainer.default_local_dir={folder}/checkpoints",
        f"trainer.rollout_data_dir={folder}/rollouts",
        f"hydra.run.dir={folder}/hydra",
    ]


class Killer:
    """Finds the processes of a run that score, and kills one while a program runs."""

    def __init__(self, run: TrainingRun) -> None:
        self._run = run

    def workers(self) -> list[psutil.Process]:
        return [process for process in self._run.processes() if title(process).startswith(WORKER_TITLE)]

    def kill_one(
        self, choose: Callable[[psutil.Process, psutil.Process], psutil.Process], begins: Callable[[], bool]
    ) -> int:
        """SIGKILL to what `choose` makes of a reward worker and a program at work in it; returns its number."""

        def kill() -> int | None:
            for worker in self.workers() if begins() else []:
                if program := program_at_work(worker):
                    chosen = choose(worker, program)
                    os.kill(chosen.pid, signal.SIGKILL)
                    return chosen.pid
            return None

        return self.wait_for(kill)

    def wait_for(self, found: Callable[[], int | None]) -> int:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self._run.is_running(), f"the run ended by itself:\n{self._run.tail()}"
            if (pid := found()) is not None:
                return pid
            time.sleep(0.02)
        raise AssertionError(f"nothing was found within {START_SECONDS} s:\n{self._run.tail()}")


def title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def program_at_work(worker: psutil.Process) -> psutil.Process | None:
    """A leaf below a reward worker's interpreters that uses the processor."""
    try:
        below = worker.children(recursive=True)
        parents = {process.ppid() for process in below}
        for process in below:
            is_leaf = process.pid not in parents and process.ppid() != worker.pid
            if is_leaf and INTERPRETER in title(process) and process.cpu_times().user > AT_WORK_SECONDS:
                return process
    except psutil.Error:
        pass
    return None


def interpreter_of(worker: psutil.Process, program: psutil.Process) -> psutil.Process:
    """The warm interpreter that a program was forked from: the worker's own child."""
    process = program
    while process.ppid() != worker.pid:
        process = process.parent()
    assert INTERPRETER in title(process)
    return process


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """What a run wrote in which each of the three was killed while it scored."""
    folder = tmp_path_factory.mktemp("killed")
    write_inputs(folder)
    run = TrainingRun(overrides(folder), folder / "run.log", {"VERL_FILE_LOGGER_PATH": str(folder / "metrics.jsonl")})
    killer = Killer(run)
    try:
        killer.kill_one(lambda worker, program: program, begins=lambda: True)
        killer.kill_one(interpreter_of, begins=lambda: is_dumped(folder, 1))
        dead = killer.kill_one(lambda worker, program: worker, begins=lambda: is_dumped(folder, 2))
        killer.wait_for(lambda: next((worker.pid for worker in killer.workers() if worker.pid != dead), None))
    finally:
        status = run.wait(STEP_SECONDS)
    assert status == 0, run.tail()
    return folder


def is_dumped(folder: Path, step: int) -> bool:
    path = folder / "rollouts" / f"{step}.jsonl"
    return path.exists() and path.read_text().count("\n") == SAMPLES


def rollouts(folder: Path, step: int) -> list[dict]:
    return [json.loads(line) for line in (folder / "rollouts" / f"{step}.jsonl").read_text().splitlines()]


def logged(folder: Path) -> dict[int, dict[str, float]]:
    records = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return {record["step"]: record["data"] for record in records}


def test_the_run_makes_all_its_steps_with_all_their_samples(folder):
    steps = list(range(1, STEPS + 1))
    assert sorted(logged(folder)) == steps
    assert [len(rollouts(folder, step)) for step in steps] == [SAMPLES] * STEPS


def test_no_sample_is_without_a_verdict(folder):
    assert [metrics["reward/sandbox_error_fraction"] for metrics in logged(folder).values()] == [0.0] * STEPS


def test_the_restart_of_the_worker_is_counted_in_its_step(folder):
    assert [metrics["reward/worker_restarts"] for metrics in logged(folder).values()] == [0.0, 0.0, 1.0]


def test_every_sample_has_the_score_that_it_deserves(folder):
    samples = [sample for step in range(1, STEPS + 1) for sample in rollouts(folder, step)]
    deserved = [expected_score(sample["output"]) for sample in samples]
    assert set(deserved) == {0.0, 1.0}
    assert [sample["score"] for sample in samples] == deserved
