# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The table of teachers and credit levels, from runs written by hand."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from recipe.quickstart import ablation_report
from recipe.quickstart.report import ACCURACY

SCRIPT = Path(__file__).parents[2] / "recipe/quickstart/ablations.sh"


def write_run(folder, accuracies, distance=None, is_finished=True):
    folder.mkdir(parents=True)
    records = [{"step": 0, "data": {ACCURACY: accuracies[0]}}]
    for step, accuracy in enumerate(accuracies[1:], start=1):
        data = {ACCURACY: accuracy}
        if distance is not None:
            data["self_distillation/teacher_distance"] = distance * step
        records.append({"step": 10 * step, "data": data})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    if is_finished:
        (folder / "finished").touch()


def cells(text, label):
    [line] = [line for line in text.splitlines() if line.startswith(f"| {label} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.fixture
def base(tmp_path):
    write_run(tmp_path / "seed0/sdpo", [0.0, 0.5, 1.0], distance=0.1)
    write_run(tmp_path / "seed1/sdpo", [0.0, 0.2, 0.4], distance=0.2)
    write_run(tmp_path / "seed0/frozen", [0.0, 0.1, 0.3])
    write_run(tmp_path / "seed1/frozen", [0.0, 0.9, 0.9], is_finished=False)
    return tmp_path


def test_a_row_has_the_end_of_each_seed_and_means_over_seeds_and_run(base):
    assert cells(ablation_report.table(base), "EMA") == ["EMA", "100.0%", "40.0%", "70.0%", "35.0%", "0.300"]


def test_an_unfinished_run_counts_nowhere(base):
    text = ablation_report.table(base)
    assert cells(text, "frozen") == ["frozen", "30.0%", "-", "30.0%", "13.3%", "-"]
    assert cells(text, "live") == ["live", "-", "-", "-", "-", "-"]


def test_the_picture_is_drawn_from_what_is_there(base):
    ablation_report.picture(base, base / "ablations.png")
    assert (base / "ablations.png").read_bytes().startswith(b"\x89PNG")


def test_the_report_knows_every_variant_that_the_script_runs():
    variants = set(re.findall(r"^    \[(\w+)\]=", SCRIPT.read_text(), flags=re.MULTILINE))
    folders = {folder for panel in ablation_report.PANELS.values() for folder in panel.values()}
    assert folders - {"sdpo"} | {"ema"} == variants


def test_an_unknown_variant_is_refused_before_anything_runs(tmp_path):
    done = subprocess.run(
        ["bash", SCRIPT, "frosen"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "OUT": str(tmp_path)},
    )
    assert done.returncode == 2
    assert "'frosen' is not known" in done.stderr
    assert list(tmp_path.iterdir()) == []
