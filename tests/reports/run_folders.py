# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Run folders written by hand."""

import json
from pathlib import Path

RECORDED = Path(__file__).parents[1] / "data" / "quickstart_run"
ACCURACY = "val-core/science/acc/mean@16"


def identity(**changed):
    """A run.json's content."""
    told = {"experiment": "science_qa", "task": "chemistry", "model": "Qwen/Qwen3-8B", "method": "sdpo"}
    return told | {"variant": "", "seed": 0, "smoke": False} | changed


def write_run(folder, records=(), state=None, results=None, **told):
    """A run folder; records are (step, data), as verl's file logger would have written them."""
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(identity(**told)))
    if state is not None:
        (folder / "status.json").write_text(json.dumps({"state": state}))
    if results is not None:
        (folder / "results.json").write_text(json.dumps(results))
    write_log(folder / "metrics.jsonl", records)
    return folder


def write_log(path, records):
    lines = [json.dumps({"step": step, "data": data}) + "\n" for step, data in records]
    if lines:
        path.write_text("".join(lines))


def steps(accuracies, seconds=1800.0, metric=ACCURACY, **of_every_step):
    """Records of a run that validates after every step: accuracies by step, from step 0; seconds of a step."""
    records = [(0, {metric: accuracies[0]})] if accuracies[0] is not None else []
    for step, accuracy in enumerate(accuracies[1:], start=1):
        data = {"timing_s/step": seconds, "response_length/mean": 100.0 * step} | of_every_step
        records.append((step, data if accuracy is None else data | {metric: accuracy}))
    return records
