# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a machine has around a run does not change what is found: locale, time zone, home, and a clock that jumps."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.preflight.sound_run import NUM_ROWS, row, write_rows
from verl_sdpo.preflight.fault import EXIT_CODES

REPOSITORY = Path(__file__).parents[2]
ODD = "答案 \N{WOMAN}\N{ZERO WIDTH JOINER}\N{ROCKET} שלום"
# Python's own repair of the C locale is switched off: what names no encoding reads and writes ASCII.
PLAIN_C = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
ELSEWHERE = {"TZ": "Pacific/Kiritimati", "HOME": "/proc"}
# By which the environment may place caches elsewhere than below the home.
CACHES = ("XDG_CACHE_HOME", "HF_HOME", "HF_DATASETS_CACHE")
# Read by Python at its start.
CLOCK = """
import itertools, time

_real, _readings = time.time, itertools.count()
time.time = lambda: _real() - 3600.0 * next(_readings)
"""


def preflight(sound, environment):
    overrides = [f"{key}={value}" for key, value in sound.overrides.items()]
    environment = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)} | environment
    return subprocess.run(
        [sys.executable, "-m", "verl_sdpo.preflight", "--config-name", "sdpo_trainer_cpu", *overrides],
        capture_output=True,
        timeout=600,
        cwd=sound.folder,
        env=os.environ | environment,
    )


def with_clock(folder):
    """The environment in which each reading of the clock is an hour before the last one."""
    (folder / "clock").mkdir()
    (folder / "clock" / "sitecustomize.py").write_text(CLOCK, encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join([str(folder / "clock"), str(REPOSITORY)])}


@pytest.fixture
def odd(sound):
    """The sound run with words of all scripts in its files."""
    folder = sound.folder / "odd"
    folder.mkdir()
    rows = [row(number, prompt=[{"role": "user", "content": f"{ODD} {number}"}]) for number in range(NUM_ROWS)]
    sound.overrides["data.train_files"] = write_rows(folder / "train.parquet", rows)
    lines = folder / "val.jsonl"
    lines.write_text("".join(json.dumps(row(9), ensure_ascii=False) + "\n"), encoding="utf-8")
    sound.overrides["data.val_files"] = str(lines)
    reward = folder / "mine.py"
    reward.write_text(f"# {ODD}\nfrom verl_sdpo.rewards import compute_score\n", encoding="utf-8")
    sound.overrides["reward.custom_reward_function.path"] = str(reward)
    return sound


def test_neither_locale_nor_time_zone_nor_home_nor_clock_change_what_is_found(odd):
    caches = {"HF_HOME": str(odd.folder / "caches")}
    run = preflight(odd, PLAIN_C | ELSEWHERE | caches | with_clock(odd.folder))
    assert run.returncode == 0, run.stderr.decode(errors="replace")
    assert b"nothing is wrong" in run.stderr
    assert 0.0 < float(re.search(rb"preflight took ([-\d.]+) s", run.stderr)[1]) < 600


def test_a_fault_in_such_a_file_is_told_in_any_locale(odd):
    folder = Path(odd.overrides["data.train_files"]).parent
    write_rows(folder / "train.parquet", [row(number, data_source=ODD) for number in range(NUM_ROWS)])
    run = preflight(odd, PLAIN_C)
    assert run.returncode == EXIT_CODES["data"], run.stderr.decode(errors="replace")
    assert b"row 0: data_source" in run.stderr, run.stderr.decode(errors="replace")
    assert b"has no reward; known: " in run.stderr
    assert b"Traceback" not in run.stderr


def test_a_home_that_cannot_be_written_needs_another_place_for_the_cache(sound, monkeypatch):
    for name in CACHES:
        monkeypatch.delenv(name, raising=False)
    run = preflight(sound, {"HOME": "/proc"})
    assert run.returncode == EXIT_CODES["disk"], run.stderr.decode(errors="replace")
    assert b"disk error: HF_HOME: the cache of data files, /proc/.cache/huggingface/datasets" in run.stderr
