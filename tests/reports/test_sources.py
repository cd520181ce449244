# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The same run as verl's file logger, as TensorBoard's files and as W&B's CSV has one history."""

import json

import pytest

from tests.reports.run_folders import ACCURACY, identity, steps, write_log
from verl_sdpo.reports.history import UnreadableError, combine
from verl_sdpo.reports.runs import find_runs, read_run
from verl_sdpo.reports.sources import read_records

RECORDS = steps([0.25, 0.5, None, 0.75], seconds=10.0)


def write_events(folder, records, **more):
    from torch.utils.tensorboard import SummaryWriter

    # As verl's adapter writes.
    writer = SummaryWriter(str(folder), **more)
    for step, data in records:
        for name, value in data.items():
            writer.add_scalar(name, value, step)
    writer.close()


def test_tensorboard_files_give_what_the_file_logger_gives(tmp_path):
    write_events(tmp_path / "run" / "tensorboard", RECORDS)
    records, remarks = read_records(tmp_path / "run")
    assert combine(records) == combine(RECORDS)
    assert remarks == []


def test_every_scalar_of_a_long_run_is_read(tmp_path):
    # TensorBoard's own reader keeps a sample of 1,000 or so unless it is told otherwise.
    write_events(tmp_path, [(step, {"timing_s/step": 1.0}) for step in range(1, 12_001)])
    assert len(combine(read_records(tmp_path)[0])["timing_s/step"]) == 12_000


def test_a_run_that_was_resumed_into_a_second_event_file_counts_as_in_the_file_logger(tmp_path):
    first = [(step, {"timing_s/step": 1.0, ACCURACY: 0.1 * step}) for step in (1, 2, 3)]
    second = [(2, {"timing_s/step": 2.0}), (3, {"timing_s/step": 2.0})]
    write_events(tmp_path, first, filename_suffix=".first")
    write_events(tmp_path, second, filename_suffix=".second")
    history = combine(read_records(tmp_path)[0])
    assert history["timing_s/step"] == {1: 1.0, 2: 2.0, 3: 2.0}
    assert list(history[ACCURACY]) == [1, 2]


@pytest.mark.parametrize(
    "text",
    [
        f"_step,_runtime,timing_s/step,{ACCURACY}\n0,1.5,,0.25\n1,3,10.0,0.5\n2,4,10.0,\n3,5,10,0.75\n",
        # A chart's export: empty and "NaN" cells, extremes beside each metric.
        f'"Step","my run - {ACCURACY}","my run - {ACCURACY}__MIN","my run - timing_s/step"\n'
        '"0","0.25","0.2",""\n"1","0.5","0.4","10"\n"2","NaN","","10"\n"3","0.75","0.7","10"\n',
        # Saved anew by Excel.
        f"\ufeff_step,timing_s/step,{ACCURACY}\r\n0,,0.25\r\n1,10,0.5\r\n2,10,\r\n3,10,0.75\r\n",
    ],
    ids=["history", "chart", "excel"],
)
def test_a_csv_of_a_wandb_run_is_read(tmp_path, text):
    (tmp_path / "history.csv").write_bytes(text.encode())
    history = combine(read_records(tmp_path)[0])
    assert history == {ACCURACY: {0: 0.25, 1: 0.5, 3: 0.75}, "timing_s/step": {1: 10.0, 2: 10.0, 3: 10.0}}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("history.csv", "epoch,loss\n1,2\n", "no column named _step or Step"),
        ("history.csv", '"Step","a - x","b - x"\n"1","2","3"\n', "2 runs in one file: export one a run folder"),
        ("history.csv", "_step,x\n1,2\ntwo,3\n", "history.csv: line 3: 'two' is no step"),
        ("history.csv", "_step,x\ninf,3\n", "history.csv: line 2: 'inf' is no step"),
        ("history.csv", "_step,x\n1,\udcff\n", "history.csv: not a CSV in UTF-8"),
        ("hydra/.hydra/config.yaml", "data:\n  x: [1,", "config.yaml: not a composed configuration"),
        ("hydra/.hydra/config.yaml", "[1, 2]", "config.yaml: not a composed configuration"),
        (
            "hydra/.hydra/config.yaml",
            'data: {train_batch_size: "${gone}"}',
            "config.yaml: not a composed configuration",
        ),
        (
            "hydra/.hydra/config.yaml",
            "data: {train_batch_size: few}\nactor_rollout_ref: {rollout: {n: 8}}",
            "config.yaml: not a composed configuration",
        ),
        ("run-abc.wandb", "", "wandb has no reader for offline run folders: `wandb sync` it"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_to_do(tmp_path, name, text, message):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    (tmp_path / "run.json").write_text(json.dumps(identity()))
    with pytest.raises(UnreadableError, match=message):
        read_run(tmp_path)
    runs, [refused] = find_runs([tmp_path])
    assert (runs, message in refused, "\n" in refused) == ([], True, False)


def test_the_file_loggers_file_is_preferred_and_checkpoints_are_not_searched(tmp_path):
    write_log(tmp_path / "metrics.jsonl", [(1, {"timing_s/step": 1.0})])
    write_events(tmp_path / "tensorboard", [(1, {"timing_s/step": 9.0})])
    assert combine(read_records(tmp_path)[0]) == {"timing_s/step": {1: 1.0}}
    (tmp_path / "metrics.jsonl").unlink()
    write_events(tmp_path / "checkpoints" / "model", [(1, {"timing_s/step": 5.0})])
    assert combine(read_records(tmp_path)[0]) == {"timing_s/step": {1: 9.0}}
