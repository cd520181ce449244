# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Aggregation by hand, against verl's, and independent of the split into micro-batches and ranks."""

import math

import pytest
import torch

from verl_sdpo.algorithm.aggregate import LOSS_AGG_MODES, aggregate_loss

# Rows of 3, 0, 1 and 5 tokens; the second has no target.
MASK = torch.tensor(
    [[1, 1, 1, 0, 0], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0], [1, 0, 0, 0, 1]]
)
NUM_TOKENS, NUM_SEQUENCES = 11, 4


def _token_loss():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(MASK.shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("token-mean", (6 + 5 + 100) / 6),
        ("token-sum", 6 + 5 + 100),
        ("seq-mean-token-sum", (6 + 5 + 100) / 3),
        ("seq-mean-token-mean", (2 + 5 + 50) / 3),
        ("seq-mean-token-sum-norm", (6 + 5 + 100) / 3 / 4),
    ],
)
def test_modes_by_hand(mode, expected):
    token_loss = torch.tensor([[1, 2, 3, 9], [5, 9, 9, 9], [9, 9, 9, 9], [40, 60, 9, 9]], dtype=torch.float64)
    mask = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0]])
    assert aggregate_loss(token_loss, mask, mode).item() == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("mode", LOSS_AGG_MODES)
@pytest.mark.parametrize("global_counts", [False, True])
@pytest.mark.parametrize("loss_scale_factor", [None, 7])
def test_value_is_that_of_verl(mode, global_counts, loss_scale_factor):
    agg_loss = pytest.importorskip("verl.trainer.ppo.core_algos").agg_loss
    token_loss, mask = _token_loss(), MASK.double()
    dp_size, num_tokens, num_sequences = (2, 31, 9) if global_counts else (1, None, None)
    expected = agg_loss(token_loss, mask, mode, dp_size, num_tokens, num_sequences, loss_scale_factor=loss_scale_factor)
    value = aggregate_loss(
        token_loss,
        mask,
        mode,
        dp_size=dp_size,
        num_tokens=num_tokens,
        num_sequences=num_sequences,
        loss_scale_factor=loss_scale_factor,
    )
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("mode", LOSS_AGG_MODES)
@pytest.mark.parametrize("rows_each", [1, 2, 3, 4])
def test_micro_batches_add_up_to_the_mini_batch(mode, rows_each):
    token_loss = _token_loss().requires_grad_()
    whole = aggregate_loss(token_loss, MASK, mode)
    parts = [
        aggregate_loss(loss, mask, mode, num_tokens=NUM_TOKENS, num_sequences=torch.tensor(NUM_SEQUENCES))
        for loss, mask in zip(token_loss.split(rows_each), MASK.split(rows_each), strict=True)
    ]
    torch.testing.assert_close(sum(parts), whole, rtol=1e-12, atol=1e-14)
    (expected,) = torch.autograd.grad(whole, token_loss)
    (gradient,) = torch.autograd.grad(sum(parts), token_loss)
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("mode", LOSS_AGG_MODES)
@pytest.mark.parametrize("dp_size", [2, 3, 6])
def test_mean_over_ranks_is_the_mini_batch(mode, dp_size):
    token_loss = _token_loss()
    per_rank = [
        aggregate_loss(loss, mask, mode, num_tokens=NUM_TOKENS, num_sequences=NUM_SEQUENCES, dp_size=dp_size)
        for loss, mask in zip(token_loss.chunk(dp_size), MASK.chunk(dp_size), strict=True)
    ]
    torch.testing.assert_close(sum(per_rank) / dp_size, aggregate_loss(token_loss, MASK, mode), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("mode", LOSS_AGG_MODES)
@pytest.mark.parametrize("counts", [{}, {"num_tokens": 0, "num_sequences": 0}, {"num_tokens": 9, "num_sequences": 2}])
def test_nothing_to_count_is_zero_with_a_graph(mode, counts):
    token_loss = torch.full((2, 3), math.nan, requires_grad=True)
    loss = aggregate_loss(token_loss, torch.zeros(2, 3), mode, **counts)
    loss.backward()
    assert loss.item() == 0
    assert (token_loss.grad == 0).all()


@pytest.mark.parametrize("mode", LOSS_AGG_MODES)
def test_masked_values_are_not_read(mode):
    token_loss = _token_loss()
    poisoned = torch.where(MASK.bool(), token_loss, math.nan).requires_grad_()
    loss = aggregate_loss(poisoned, MASK, mode)
    loss.backward()
    assert loss.item() == aggregate_loss(token_loss, MASK, mode).item()
    assert (poisoned.grad[MASK == 0] == 0).all()
    assert (poisoned.grad[MASK == 1] != 0).all()


@pytest.mark.parametrize("dtype", [torch.bool, torch.int32, torch.float32, torch.bfloat16])
def test_mask_may_have_any_dtype(dtype):
    for mode in LOSS_AGG_MODES:
        expected = aggregate_loss(_token_loss(), MASK, mode)
        assert aggregate_loss(_token_loss(), MASK.to(dtype), mode).item() == expected.item()


def test_low_precision_losses_are_summed_in_float32():
    token_loss = torch.ones(1, 4096, dtype=torch.bfloat16)
    loss = aggregate_loss(token_loss, torch.ones(1, 4096), "token-sum")
    assert loss.dtype == torch.float32
    assert loss.item() == 4096


@pytest.mark.parametrize(
    ("mode", "arguments", "message"),
    [
        ("mean", {}, "loss_agg_mode='mean' is unknown: use one of"),
        ("token-mean", {"dp_size": 2}, "num_tokens=None with dp_size=2"),
        ("seq-mean-token-sum", {"dp_size": 2, "num_tokens": 3}, "num_sequences=None with dp_size=2"),
        ("token-mean", {"dp_size": 0}, "dp_size=0"),
        ("seq-mean-token-sum-norm", {"loss_scale_factor": 0}, "loss_scale_factor=0"),
    ],
)
def test_settings_out_of_range_are_refused(mode, arguments, message):
    with pytest.raises(ValueError, match=message):
        aggregate_loss(_token_loss(), MASK, mode, **arguments)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match="response_len"):
        aggregate_loss(_token_loss(), MASK[:, :-1], "token-mean")
