# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The CPU demonstration of test-time self-distillation: its task, its script's commands, its table."""

import json
import os
import random
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest

from recipe.test_time import code_task, discovery_report
from verl_sdpo.config.checks import check_run
from verl_sdpo.config.test_time import test_time_faults as faults_of
from verl_sdpo.preflight.sizes import batch_faults, length_faults, value_faults

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "recipe" / "test_time" / "cpu_discovery.sh"


def commands(tmp_path):
    environment = os.environ | {"DRY_RUN": "1", "OUT": str(tmp_path), "PYTHON": "python", "SEEDS": "4"}
    run = subprocess.run(["bash", str(SCRIPT)], env=environment, capture_output=True, text=True, check=True)
    return [shlex.split(line) for line in run.stdout.splitlines()]


def test_each_command_composes_and_passes_the_checks(compose, tmp_path):
    methods = []
    for command in commands(tmp_path):
        assert command[:5] == ["python", "-m", "verl_sdpo.test_time", "--config-name", "sdpo_test_time_cpu"]
        config = compose(command[4], *[word for word in command[5:] if not word.startswith("hydra.")])
        check_run(config)
        assert faults_of(config) + value_faults(config) + batch_faults(config) + length_faults(config) == []
        methods.append(config.test_time.method)
        assert (config.trainer.seed, config.test_time.budget) == (4, 1024)
    assert methods == ["sdpo", "best_of_k", "multi_turn"]


def test_feedback_repeats_the_right_words_only():
    assert code_task.feedback_on("alfa bravo delta", "alfa bravo delta") == ""
    assert code_task.feedback_on("alfa delta bravo", "alfa bravo delta") == "Right: alfa - -."
    assert code_task.feedback_on("kilo", "alfa bravo delta") == "Right: - - -."
    assert code_task.feedback_on("alfa bravo delta echo", "alfa bravo delta") == "Right: alfa bravo delta."


@pytest.mark.parametrize("seed", range(5))
def test_no_feedback_tells_a_word_that_was_not_tried(seed):
    rng = random.Random(seed)
    for _ in range(50):
        code, attempt = code_task.draw_code(rng), code_task.draw_code(rng)
        told = code_task.feedback_on(attempt, code)
        # What is told fits more than one code.
        fitting = {
            other
            for other in (" ".join((a, b, c)) for a in W for b in W for c in W)
            if code_task.feedback_on(attempt, other) == told
        }
        assert code in fitting
        assert attempt == code or len(fitting) > 1


W = code_task.CODE_WORDS


def write(folder, method, seed, firsts, budget=8, **more):
    path = folder / method / f"seed{seed}" / "results.json"
    path.parent.mkdir(parents=True)
    questions = {
        str(row): {"first_success": first, "generations": budget, "successes": int(first is not None)}
        for row, first in enumerate(firsts)
    }
    path.with_name("finished").touch()
    path.write_text(json.dumps({"method": method, "seed": seed, "budget": budget, "questions": questions} | more))


def test_the_table_of_runs_that_are_known_by_hand(tmp_path):
    write(tmp_path, "sdpo", 0, [2, 4])
    write(tmp_path, "sdpo", 1, [2, None])
    write(tmp_path, "best_of_k", 0, [4, 8])
    write(tmp_path, "best_of_k", 1, [None, None])
    runs = discovery_report.read_runs(tmp_path)
    assert list(runs) == ["sdpo", "best_of_k"]
    text = discovery_report.table(runs, 8)
    # (2 + 4 + 2 + 8) / 4 and (4 + 8 + 8 + 8) / 4.
    assert "| SDPO | 2 | 2 | 3 of 4 | 4 | " in text
    assert "| best-of-k | 2 | 2 | 2 of 4 | 7 | " in text
    assert "best-of-k over SDPO: 1.75 times the generations" in text
    # Two of four questions with one success in eight samples: pass@1 is 1/8 of them, pass@8 all.
    assert "pass@1 0.062, pass@8 0.500" in text
    # A run that is not finished is none.
    (tmp_path / "sdpo" / "seed1" / "finished").unlink()
    assert len(discovery_report.read_runs(tmp_path)["sdpo"]) == 1
    discovery_report.picture(runs, 8, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 5000


def test_the_interval_of_the_ratio_holds_the_pairs_together():
    slow = np.array([10.0, 20.0, 40.0])
    assert discovery_report.ratio(slow, slow / 2) == pytest.approx((2.0, 2.0, 2.0))


def test_what_independent_attempts_are_expected_to_need_is_the_mean_of_many():
    rates, budget = np.array([0.02, 0.3]), 40
    drawn = np.minimum(np.random.default_rng(0).geometric(rates, (40_000, 2)), budget).mean(axis=0)
    np.testing.assert_allclose(discovery_report.expected_costs(rates, budget), drawn, rtol=0.02)


def test_rates_are_those_of_the_questions_that_were_asked(tmp_path):
    path = tmp_path / "rates.json"
    assert discovery_report.read_rates(path, [0]) == []
    path.write_text(json.dumps({"rates": [0.5, 0.25, 0.125]}))
    assert discovery_report.read_rates(path, [2, 0]) == [0.125, 0.5]


def test_the_band_holds_the_curve_and_is_nothing_where_all_questions_agree():
    firsts = {"a": [1], "b": [4], "c": [None]}
    low, high = discovery_report.curve_band(firsts, 6)
    curve = discovery_report.discovery_curve(firsts, 6)
    assert (low <= curve).all()
    assert (curve <= high).all()
    low, high = discovery_report.curve_band({"a": [3], "b": [3]}, 6)
    assert low.tolist() == high.tolist() == [0, 0, 1, 1, 1, 1]
