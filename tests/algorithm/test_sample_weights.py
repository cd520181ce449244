# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Weights of samples and tokens, by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from verl_sdpo.algorithm import sample_weights
from verl_sdpo.algorithm.sample_weights import SampleWeights, token_entropy_weights, weigh_samples

# Groups of pass rate 1/4, 1 and 1/2, interleaved; a score of the threshold itself is a success.
UIDS = ["a", "b", "a", "c", "a", "b", "c", "a"]
SCORES = [1.0, 0.9, 0.4, 0.5, 0.0, 1.0, 0.49, 0.1]
THRESHOLD = 0.5
QUARTER, HALF = math.sqrt(3) / 4, 0.5


def _weigh(kind, has_target=(True,) * 8, scores=SCORES, uids=UIDS):
    return weigh_samples(kind, scores, uids, has_target, THRESHOLD)


def test_by_default_every_sample_counts_alike():
    assert _weigh(None) == SampleWeights(distillation=[1.0] * 8, policy_gradient=[1.0] * 8)


def test_success_routing_sends_each_sample_to_one_loss():
    successes = [1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0]
    weights = _weigh("success_routing")
    assert weights.policy_gradient == successes
    assert weights.distillation == [1.0 - success for success in successes]


def test_pass_rate_weighs_by_the_spread_of_the_group_over_its_mean():
    weights = _weigh("pass_rate")
    mean = (4 * QUARTER + 2 * 0.0 + 2 * HALF) / 8
    roots = [QUARTER, 0.0, QUARTER, HALF, QUARTER, 0.0, HALF, QUARTER]
    assert weights.distillation == pytest.approx([root / mean for root in roots], rel=1e-14)
    assert weights.policy_gradient == [1.0] * 8


def test_pass_rate_is_of_all_samples_but_its_mean_of_those_with_a_target():
    # Only one of group a and one of group c have a target.
    weights = _weigh("pass_rate", has_target=[1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    mean = (QUARTER + HALF) / 2
    assert weights.distillation[0] == pytest.approx(QUARTER / mean, rel=1e-14)
    assert weights.distillation[3] == pytest.approx(HALF / mean, rel=1e-14)


@given(
    samples=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from([0.0, 0.5, 1.0]), st.booleans()), min_size=0, max_size=20
    )
)
@settings(max_examples=50, deadline=None)
def test_pass_rate_weights_have_mean_one_over_the_targets_or_are_all_zero(samples):
    uids, scores, has_target = [[sample[i] for sample in samples] for i in range(3)]
    weights = weigh_samples("pass_rate", scores, uids, has_target, THRESHOLD).distillation
    successes = {uid: [s >= THRESHOLD for u, s in zip(uids, scores, strict=True) if u == uid] for uid in uids}
    is_mixed = [0 < sum(successes[uid]) < len(successes[uid]) for uid in uids]
    with_target = [weight for weight, target in zip(weights, has_target, strict=True) if target]
    if any(mixed and target for mixed, target in zip(is_mixed, has_target, strict=True)):
        assert sum(with_target) / len(with_target) == pytest.approx(1.0)
        assert [weight > 0 for weight in weights] == is_mixed
    else:
        assert weights == [0.0] * len(samples)


@pytest.mark.parametrize("kind", [None, "success_routing", "pass_rate"])
def test_no_samples_have_no_weights(kind):
    assert weigh_samples(kind, [], [], [], THRESHOLD) == SampleWeights([], [])


def test_a_new_kind_is_a_function_and_an_entry(monkeypatch):
    monkeypatch.setitem(
        sample_weights.SAMPLE_WEIGHTINGS,
        "failures_twice",
        lambda is_success, uids, has_target: SampleWeights([2.0 - s for s in is_success], [0.0] * len(uids)),
    )
    assert _weigh("failures_twice").distillation == [1.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 2.0]


def test_an_unknown_kind_and_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="sample weighting 'srpo' is unknown: use one of .*'success_routing'"):
        _weigh("srpo")
    with pytest.raises(ValueError, match="8 scores, 7 uids and 8 has_target"):
        _weigh(None, uids=UIDS[1:])
    with pytest.raises(ValueError, match="8 scores, 8 uids and 2 has_target"):
        _weigh(None, has_target=[True, False])


# Tokens

VOCAB = 16
ENTROPY = torch.tensor([0.0, math.log(2), math.log(4), math.log(16)], dtype=torch.float64)


def test_by_default_every_token_counts_alike():
    weights = token_entropy_weights(None, ENTROPY.flip(0), ENTROPY, VOCAB)
    assert torch.equal(weights, torch.ones(4, dtype=torch.float64))


def test_teacher_confidence_falls_from_one_where_certain_to_zero_where_uniform():
    weights = token_entropy_weights("teacher_confidence", torch.zeros_like(ENTROPY), ENTROPY, VOCAB)
    torch.testing.assert_close(weights, torch.tensor([1.0, 0.75, 0.5, 0.0], dtype=torch.float64), rtol=0, atol=1e-15)


def test_teacher_confidence_is_not_negative_for_an_entropy_rounded_up():
    above = torch.tensor([math.log(VOCAB) * 1.001])
    assert token_entropy_weights("teacher_confidence", above, above, VOCAB).item() == 0.0


@pytest.mark.parametrize("kind", [None, "teacher_confidence"])
def test_token_weights_are_detached_and_of_the_tokens_shape_and_dtype(kind):
    entropy = torch.full((3,), 0.5, requires_grad=True)
    weights = token_entropy_weights(kind, entropy, entropy, VOCAB)
    assert not weights.requires_grad
    assert (weights.shape, weights.dtype) == ((3,), torch.float32)
    assert token_entropy_weights(kind, entropy[:0], entropy[:0], VOCAB).shape == (0,)


def test_token_weights_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="token weighting 'entropy' is unknown: use one of .*'teacher_confidence'"):
        token_entropy_weights("entropy", ENTROPY, ENTROPY, VOCAB)
    with pytest.raises(ValueError, match="vocab_size=1 must be at least 2"):
        token_entropy_weights("teacher_confidence", ENTROPY, ENTROPY, 1)
    with pytest.raises(ValueError, match=r"student_entropy \(3,\) and teacher_entropy \(4,\)"):
        token_entropy_weights("teacher_confidence", ENTROPY[1:], ENTROPY, VOCAB)
