# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Loss and gradient against numbers that the published implementation produced (lasgroup/SDPO at 0e6d510).

`tests/data/sdpo_loss_golden.safetensors` holds two batches and, for each case of the JSON file, the loss and the
gradient of the student's logits at the tokens that count; it is zero elsewhere. All in float64.
"""

import functools
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from verl_sdpo.algorithm import self_distillation_loss

DATA = Path(__file__).parents[1] / "data"
CASES = json.loads((DATA / "sdpo_loss_golden.json").read_text(encoding="utf-8"))
SETTINGS = ("distillation_mode", "topk", "add_tail", "alpha", "is_clip", "loss_agg_mode")


@functools.cache
def _golden():
    return load_file(DATA / "sdpo_loss_golden.safetensors")


def _batch(index):
    prefix = f"batch{index}."
    return {name.removeprefix(prefix): value for name, value in _golden().items() if name.startswith(prefix)}


def test_there_are_204_cases():
    assert len({case["case"] for case in CASES}) == 204


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_loss_and_gradient_are_the_published_ones(case):
    batch = _batch(case["batch"])
    rollout_is_weights = batch.pop("rollout_is_weights")
    batch["student_logits"].requires_grad_()
    loss, _ = self_distillation_loss(
        **batch,
        rollout_is_weights=rollout_is_weights if case["use_rollout_is_weights"] else None,
        **{name: case[name] for name in SETTINGS},
    )
    (gradient,) = torch.autograd.grad(loss, batch["student_logits"])
    counts = (batch["response_mask"] * batch["self_distillation_mask"][:, None]).bool()
    expected = torch.zeros_like(gradient)
    expected[counts] = _golden()[f"{case['case']}.grad_student_logits"]
    torch.testing.assert_close(loss, _golden()[f"{case['case']}.loss"].reshape(()), rtol=0, atol=1e-9)
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-9)
    # Gradients are themselves small; hold them to their own size as well.
    assert (gradient - expected).norm() <= 1e-9 * expected.norm()
