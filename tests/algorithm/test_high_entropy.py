# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Which tokens keep their advantage, from the definition: those above the entropies' quantile over the batch."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from verl_sdpo.algorithm.high_entropy import high_entropy_advantages

MASK = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]])
# Masked positions have the largest entropies of all: they must not move the threshold.
ENTROPY = torch.tensor([[0.1, 0.9, 0.4, 9.0], [0.3, 0.7, 9.0, 9.0]])
ADVANTAGES = torch.tensor([[1.0, 1.0, 1.0, 5.0], [-2.0, -2.0, 5.0, 5.0]])


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [
        (0.2, [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]),
        # A fifth of five tokens and a little more is rounded up to two.
        (0.21, [[0.0, 1.0, 0.0, 0.0], [0.0, -2.0, 0.0, 0.0]]),
        (0.6, [[0.0, 1.0, 1.0, 0.0], [0.0, -2.0, 0.0, 0.0]]),
        (1.0, [[1.0, 1.0, 1.0, 0.0], [-2.0, -2.0, 0.0, 0.0]]),
    ],
)
def test_the_least_sure_tokens_of_the_batch_keep_their_advantage(fraction, expected):
    kept = high_entropy_advantages(ADVANTAGES, ENTROPY, MASK, fraction)
    assert kept.tolist() == expected


def test_equal_entropies_are_treated_alike():
    kept = high_entropy_advantages(torch.ones(1, 4), torch.full((1, 4), 0.5), torch.ones(1, 4), 0.25)
    assert kept.tolist() == [[1.0] * 4]


def test_a_batch_in_which_nothing_counts_has_no_advantages():
    assert high_entropy_advantages(ADVANTAGES, ENTROPY, torch.zeros(2, 4), 0.2).tolist() == [[0.0] * 4] * 2


@given(
    st.lists(st.floats(0, 12, width=32), min_size=1, max_size=40, unique=True),
    st.floats(0.01, 1.0),
)
def test_no_token_that_is_left_out_is_less_sure_than_one_that_stays(entropies, fraction):
    entropy = torch.tensor([entropies])
    kept = high_entropy_advantages(torch.ones_like(entropy), entropy, torch.ones_like(entropy), fraction)[0] == 1
    assert int(kept.sum()) == min(-(-fraction * len(entropies) // 1), len(entropies))
    assert not (~kept).any() or entropy[0][~kept].max() < entropy[0][kept].min()
