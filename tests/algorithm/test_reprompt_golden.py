# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The published code's own output on nine rollouts and 32 configurations, reproduced to the character."""

import json
from pathlib import Path

import pytest

from verl_sdpo.algorithm.reprompt import build_teacher_messages
from verl_sdpo.algorithm.reprompt_config import PUBLISHED_DATACLASS_TEMPLATES, RECOMMENDED_BEHAVIOUR

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "reprompt_golden.json").read_text(encoding="utf-8"))


def case_name(case: dict) -> str:
    return "-".join(str(value) for value in case["config"].values())


def test_golden_file_has_all_the_cases():
    assert (len(GOLDEN["rollouts"]), len(GOLDEN["cases"])) == (9, 32)
    assert len({case_name(case) for case in GOLDEN["cases"]}) == 32


def build(case: dict, **options):
    return build_teacher_messages(GOLDEN["rollouts"], **PUBLISHED_DATACLASS_TEMPLATES, **case["config"], **options)


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=case_name)
def test_published_keys_alone_give_the_published_output(case):
    messages, mask, metrics = build(case)
    assert messages == case["teacher_messages"]
    assert mask == case["self_distillation_mask"]
    assert metrics == case["metrics"]


def test_published_templates_are_those_of_the_golden_file():
    assert GOLDEN["templates"] == PUBLISHED_DATACLASS_TEMPLATES


@pytest.mark.parametrize(("key", "recommended"), RECOMMENDED_BEHAVIOUR.items())
def test_golden_file_tells_each_recommended_value_from_the_published_one(key, recommended):
    differing = [case for case in GOLDEN["cases"] if build(case, **{key: recommended})[0] != case["teacher_messages"]]
    assert differing
