# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The rows that each converter makes of its own test's record, under the reward of their data source."""

import importlib
import re
from pathlib import Path

import pytest

from data_preprocess import round_trip
from data_preprocess.dataset import Dataset
from verl_sdpo.rewards import compute_score
from verl_sdpo.rewards.outcome import NO_VERDICT_FIELDS

FOLDER = Path(round_trip.__file__).parent
# Its user names the data source.
CONVERTERS = {path.stem for path in FOLDER.glob("*.py") if "\ndef convert(" in path.read_text("utf-8")} - {"generic"}


def test_all_converters_are_found():
    told = (FOLDER.parent / "docs" / "data.md").read_text("utf-8")
    named = {name for name in re.findall(r"-m data_preprocess\.(\w+) --", told) if (FOLDER / f"{name}.py").is_file()}
    assert named - {"generic", "add_context", "validate"} <= CONVERTERS
    assert len(CONVERTERS) > 10


@pytest.mark.parametrize("name", sorted(CONVERTERS))
def test_a_converter_s_row_has_a_reward_which_tells_right_from_wrong(name):
    case = importlib.import_module(f"tests.data_preprocess.test_{name}")
    dataset = getattr(importlib.import_module(f"data_preprocess.{name}"), "DATASET", None) or Dataset(name, None)
    record = case.record()
    row = case.convert(record)
    truth, about = row["reward_model"]["ground_truth"], row["extra_info"]
    responses = round_trip.responses_of(dataset, row, record)
    right, wrong = (
        compute_score(row["data_source"], response(row), truth, about) for response in (responses.gold, responses.wrong)
    )
    assert not any(outcome[field] for outcome in (right, wrong) for field in NO_VERDICT_FIELDS)
    assert (right["score"], wrong["score"]) == (1.0, 0.0)
    assert right["feedback"] == "" != wrong["feedback"]
    assert wrong["incorrect_format"] == 0.0, "a wrong answer, not one that cannot be read"
