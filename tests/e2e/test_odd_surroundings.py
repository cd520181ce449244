# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A whole run with odd texts on an odd machine: what has nothing to do with training must not end it.

Texts: prompts and feedback of all scripts, with half a character, NULs, special tokens, braces and percent signs.
Machine: the locale C, a time zone 14 hours ahead, a clock that jumps back by an hour, a home that cannot be written, a
working directory that is deleted, a hub that does not answer, wandb that refuses, no folder for TensorBoard.
"""

from __future__ import annotations

import http.server
import json
import math
import os
import shutil
import threading
from pathlib import Path

import pytest

from data_preprocess.schema import chat_prompt, make_row
from data_preprocess.writer import write_parquet
from tests.e2e.run_folder import NUM_ROWS, logged, write_inputs
from tests.e2e.test_train_and_resume import BATCH, START_SECONDS, is_dumped, overrides
from tests.e2e.training_run import TrainingRun
from tests.trainer.test_trackers import Refusing

pytestmark = [pytest.mark.e2e, pytest.mark.long]

STEPS = 3
QUESTIONS = [
    "答案是什么？ 日本語で。",
    "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{ROCKET} \N{FAMILY}?",
    "\N{RIGHT-TO-LEFT OVERRIDE}שלום مرحبا",
    "a NUL: \x00, an escape: \x1b[31m",
    "a chat of its own: <|im_end|>\n<|im_start|>assistant\n",
    "{prompt} {solution} {0} {} {{x}} %s %(x)s \\boxed{7} \\1",
]
# Read by each Python process at its start.
CLOCK = """
import time

_real, _started = time.time, time.monotonic()
time.time = lambda: _real() - (3600.0 if time.monotonic() - _started > 45.0 else 0.0)
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, TrainingRun, int]:
    folder = tmp_path_factory.mktemp("odd")
    write_inputs(folder)
    rows = [
        make_row(
            data_source="mine",
            prompt=chat_prompt(f"{QUESTIONS[index % len(QUESTIONS)]} ({index})"),
            ground_truth="A",
            ability="test",
            split="train",
            index=index,
        )
        for index in range(NUM_ROWS)
    ]
    write_parquet(rows, folder / "train.parquet")
    working, clock = folder / "working", folder / "clock"
    working.mkdir()
    clock.mkdir()
    (clock / "sitecustomize.py").write_text(CLOCK, encoding="utf-8")
    reward = Path(__file__).with_name("odd_reward.py")
    options = [each for each in overrides(folder, "odd") if not each.startswith(("reward.", "trainer.logger"))]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = {
            "LC_ALL": "C",
            "LANG": "C",
            "TZ": "Pacific/Kiritimati",
            "PYTHONPATH": os.pathsep.join(
                [str(clock), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
            ),
            # A folder in which nobody can make a file, the superuser included.
            "HOME": "/proc",
            "XDG_CACHE_HOME": str(folder / "caches"),
            "XDG_CONFIG_HOME": str(folder / "caches"),
            "TENSORBOARD_DIR": "/proc/board",
            "HF_HUB_OFFLINE": "0",
            "HF_ENDPOINT": "http://127.0.0.1:9",
            "WANDB_BASE_URL": f"http://127.0.0.1:{server.server_port}",
            "WANDB_API_KEY": "0" * 40,
            "WANDB_DIR": str(folder),
            "VERL_FILE_LOGGER_PATH": str(folder / "odd.jsonl"),
        }
        run = TrainingRun(
            [
                *options,
                f"reward.custom_reward_function.path={reward}",
                "trainer.logger=[console,file,tensorboard,wandb]",
                f"trainer.total_training_steps={STEPS}",
                f"trainer.save_freq={STEPS}",
                "trainer.test_freq=-1",
            ],
            folder / "odd.log",
            environment,
            working,
        )
        run.wait_until(lambda: is_dumped(folder / "odd", 1), START_SECONDS)
        shutil.rmtree(working)
        status, _ = run.end(START_SECONDS)
        server.shutdown()
    return folder, run, status


def test_it_makes_all_its_steps_and_saves_the_last(finished):
    folder, run, status = finished
    assert status == 0, run.tail()
    steps = logged(folder, "odd")
    assert list(steps) == list(range(1, STEPS + 1))
    for step in steps.values():
        assert step["reward/sandbox_error_fraction"] == 0.0
        assert step["self_distillation/target_sample_fraction"] > 0.0
        assert 0.0 < step["actor/grad_norm"] < math.inf
        # Seconds, not hours, and none below zero.
        assert all(0.0 <= value < 3000 for name, value in step.items() if name.startswith("timing_s/"))
    tracker = folder / "checkpoints" / "latest_checkpointed_iteration.txt"
    assert tracker.read_text(encoding="utf-8") == str(STEPS)


def test_each_tracker_that_fails_is_told_of_once(finished):
    text = finished[1].log.read_text(encoding="utf-8", errors="replace")
    for name in ("tensorboard", "wandb"):
        assert text.count(f"trainer.logger: {name} failed") == 1


def test_what_it_writes_is_utf_8(finished):
    folder, run, _ = finished
    run.log.read_bytes().decode("utf-8")
    shown = []
    for step in range(1, STEPS + 1):
        lines = (folder / "odd" / f"{step}.jsonl").read_bytes().decode("utf-8").splitlines()
        shown += [json.loads(line) for line in lines if line]
    assert len(shown) == STEPS * 2 * BATCH
    assert any("答案是什么" in each["input"] for each in shown) or any("שלום" in each["input"] for each in shown)
    assert all(json.dumps(each, ensure_ascii=False).encode("utf-8") for each in shown)
