# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Records put together to one history: resumed runs, damaged lines, values that are no numbers."""

import pytest

from tests.reports.run_folders import ACCURACY, write_log
from verl_sdpo.reports.history import combine, read_file_log
from verl_sdpo.reports.sources import read_records

TIME = "timing_s/step"


def test_a_history_is_by_metric_and_step_in_the_order_of_steps():
    history = combine([(0, {ACCURACY: 0.1}), (1, {TIME: 2.0}), (2, {TIME: 3.0, ACCURACY: 0.2})])
    assert history == {ACCURACY: {0: 0.1, 2: 0.2}, TIME: {1: 2.0, 2: 3.0}}
    assert [list(by_step) for by_step in history.values()] == [[0, 2], [1, 2]]


def test_of_a_step_that_occurs_twice_the_later_one_counts():
    history = combine([(1, {TIME: 1.0}), (2, {TIME: 2.0}), (3, {TIME: 3.0}), (2, {TIME: 20.0}), (3, {TIME: 30.0})])
    assert history == {TIME: {1: 1.0, 2: 20.0, 3: 30.0}}


def test_steps_that_a_crash_lost_are_gone_though_the_resumed_run_has_not_made_them_again():
    history = combine([(1, {TIME: 1.0}), (2, {TIME: 2.0}), (3, {TIME: 3.0, ACCURACY: 0.9}), (2, {TIME: 20.0})])
    assert history == {TIME: {1: 1.0, 2: 20.0}}


def test_the_validation_at_a_resumed_runs_start_keeps_what_the_step_was_trained_with():
    # verl validates at the checkpoint's step before it trains on, and logs nothing else there.
    history = combine([(1, {TIME: 1.0}), (2, {TIME: 2.0, ACCURACY: 0.5}), (3, {TIME: 3.0}), (2, {ACCURACY: 0.6})])
    assert history == {TIME: {1: 1.0, 2: 2.0}, ACCURACY: {2: 0.6}}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "0.5", True])
def test_what_is_no_finite_number_is_left_out(value):
    assert combine([(1, {TIME: value, ACCURACY: 0.5})]) == {ACCURACY: {1: 0.5}}


def test_metrics_that_nothing_is_made_from_are_not_kept():
    assert combine([(1, {"val-aux/science/acc/std@16": 0.1, "perf/mfu/actor": 0.3})]) == {}


def test_the_cut_off_last_line_of_a_killed_run_is_left_out_and_said(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write_log(path, [(1, {TIME: 1.0}), (2, {TIME: 2.0})])
    path.write_bytes(path.read_bytes() + b'{"step":3,"data":{"timing_s/st')
    records, remarks = read_file_log(path)
    assert records == [(1, {TIME: 1.0}), (2, {TIME: 2.0})]
    assert remarks == ["metrics.jsonl: damaged and left out: line 3"]


@pytest.mark.parametrize("line", ["[1, 2]", '{"step": 1}', '{"step": "x", "data": {}}', "null", "\x00\x00"])
def test_a_line_that_the_logger_does_not_write_is_left_out_and_said(tmp_path, line):
    path = tmp_path / "metrics.jsonl"
    path.write_text(line + "\n" + '{"step": 2, "data": {"timing_s/step": 2.0}}\n')
    assert read_file_log(path) == ([(2, {TIME: 2.0})], ["metrics.jsonl: damaged and left out: line 1"])


def test_what_was_logged_before_a_restart_comes_first(tmp_path):
    write_log(tmp_path / "metrics_of_earlier_starts.jsonl", [(1, {TIME: 1.0}), (2, {TIME: 2.0})])
    write_log(tmp_path / "metrics.jsonl", [(2, {TIME: 20.0}), (3, {TIME: 30.0})])
    records, remarks = read_records(tmp_path)
    assert combine(records) == {TIME: {1: 1.0, 2: 20.0, 3: 30.0}}
    assert remarks == []
