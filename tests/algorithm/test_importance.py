# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Importance weights in both regimes: with the student's own old log-probabilities, and with older ones."""

import math

import pytest
import torch

from verl_sdpo.algorithm.importance import importance_weights

OLD = torch.tensor([-3.0, -2.0, -1.0, -0.5, -0.1], dtype=torch.float64)
RATIO = torch.tensor([0.25, 1.0, 1.9, 2.5, 8.0], dtype=torch.float64)
ROLLOUT = torch.tensor([1.0, 2.0, 0.5, 2.0, 0.25], dtype=torch.float64)


def test_own_log_probs_weigh_exactly_one():
    weights, ratio = importance_weights(OLD, OLD.clone(), is_clip=2.0)
    assert (weights == 1).all()
    assert (ratio == 1).all()


@pytest.mark.parametrize("is_clip", [0.5, 2.0, 5.0])
def test_older_log_probs_weigh_the_ratio_up_to_the_clip(is_clip):
    weights, ratio = importance_weights(OLD + RATIO.log(), OLD, is_clip=is_clip)
    torch.testing.assert_close(ratio, RATIO)
    torch.testing.assert_close(weights, torch.tensor([min(r, is_clip) for r in RATIO.tolist()], dtype=torch.float64))


def test_rollout_weights_multiply_after_the_clip():
    weights, _ = importance_weights(OLD + RATIO.log(), OLD, is_clip=2.0, rollout_is_weights=ROLLOUT)
    torch.testing.assert_close(weights, torch.tensor([0.25, 2.0, 0.95, 4.0, 0.5], dtype=torch.float64))


def test_without_clip_only_the_rollout_weights_are_left():
    weights, ratio = importance_weights(OLD + RATIO.log(), OLD, is_clip=None, rollout_is_weights=ROLLOUT)
    torch.testing.assert_close(weights, ROLLOUT)
    torch.testing.assert_close(ratio, RATIO)


def test_with_nothing_given_the_weights_are_one():
    weights, ratio = importance_weights(OLD, None, is_clip=None)
    assert (weights == 1).all()
    assert (ratio == 1).all()


def test_nothing_is_differentiable():
    log_probs = (OLD + RATIO.log()).requires_grad_()
    weights, ratio = importance_weights(
        log_probs, OLD.clone().requires_grad_(), is_clip=2.0, rollout_is_weights=ROLLOUT.clone().requires_grad_()
    )
    assert not weights.requires_grad
    assert not ratio.requires_grad


def test_broken_old_log_probs_stay_finite():
    weights, ratio = importance_weights(OLD[:2], torch.tensor([-math.inf, 500.0]).double(), is_clip=2.0)
    assert weights[0] == 2.0
    assert 0 < weights[1] < 1e-8
    assert ratio.isfinite().all()


def test_weights_have_the_dtype_of_the_log_probs():
    weights, _ = importance_weights(OLD.float(), OLD, is_clip=2.0, rollout_is_weights=ROLLOUT.bfloat16())
    assert weights.dtype == torch.float32


def test_no_tokens_give_no_weights():
    empty = torch.zeros(0)
    weights, ratio = importance_weights(empty, empty, is_clip=2.0, rollout_is_weights=empty)
    assert weights.shape == ratio.shape == (0,)


@pytest.mark.parametrize("is_clip", [0.0, -1.0, math.nan])
def test_clip_that_is_not_positive_is_refused(is_clip):
    with pytest.raises(ValueError, match="is_clip="):
        importance_weights(OLD, OLD, is_clip=is_clip)


def test_clip_without_old_log_probs_is_refused():
    with pytest.raises(ValueError, match="set is_clip=None"):
        importance_weights(OLD, None, is_clip=2.0)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match="old_log_probs"):
        importance_weights(OLD, OLD[:-1], is_clip=2.0)
    with pytest.raises(ValueError, match="rollout_is_weights"):
        importance_weights(OLD, OLD, is_clip=2.0, rollout_is_weights=ROLLOUT[:1])
