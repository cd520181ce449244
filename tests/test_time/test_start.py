# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What is said about a test-time run before Ray starts."""

import pyarrow
import pyarrow.parquet
import pytest

from verl_sdpo.test_time.run_files import RunFiles
from verl_sdpo.test_time.start import start_faults


@pytest.fixture
def config(compose, tmp_path):
    """Of a run on two files of three rows each."""
    files = [tmp_path / f"{name}.parquet" for name in "ab"]
    for file in files:
        pyarrow.parquet.write_table(pyarrow.table({"prompt": [1, 2, 3]}), file)
    names = ",".join(map(str, files))
    return compose("sdpo_test_time", f"data.train_files=[{names}]", f"test_time.output_dir={tmp_path / 'run'}")


def test_a_sound_run_has_no_fault_and_leaves_nothing_behind(config, tmp_path):
    config.test_time.questions = [5, 0]
    assert start_faults(config) == []
    assert not (tmp_path / "run").exists()


def test_questions_beyond_the_files_are_named(config):
    config.test_time.questions = [5, 6, 99]
    [fault] = start_faults(config)
    assert "test_time.questions=[6, 99]" in str(fault)
    assert "6 rows" in str(fault)


def test_files_that_cannot_be_read_are_the_preflights_business(config):
    config.data.train_files = "nowhere.parquet"
    config.test_time.questions = [99]
    assert start_faults(config) == []


def test_a_folder_of_another_run_is_refused(config, tmp_path):
    RunFiles(tmp_path / "run").write_results({"method": "best_of_k", "seed": 0, "budget": 2750}, {})
    [fault] = start_faults(config)
    assert "holds a run with method='best_of_k', not 'sdpo'" in str(fault)
    config.test_time.method = "best_of_k"
    assert start_faults(config) == []


def test_faults_of_the_options_come_first(config):
    config.test_time.budget = 0
    config.test_time.questions = [99]
    [fault] = start_faults(config)
    assert "test_time.budget=0" in str(fault)
