# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A step whose update makes its own old log-probabilities is the step with verl's pass for them."""

import pytest
import torch

from tests.worker.engine_case import (
    actor_config,
    batch_of,
    gradients_of,
    make_samples,
    make_worker,
    other_weights,
    set_teacher,
)

WORLDS = pytest.mark.parametrize("world", [1, 2], ids=["one rank", "two ranks"])
SAMPLES = make_samples([[1] * size for size in (3, 5, 2, 4, 1, 6, 3, 2)], [1, 1, 0, 1, 0, 1, 1, 1])
THRESHOLD = 1.2
KINDS = {
    "weighted": {"rollout_is": "token"},
    "not weighted": {"rollout_is": None},
    "weighted, plain": {"rollout_is": "token", "distillation_head": "plain"},
}


def jagged(rows):
    return torch.nested.as_nested_tensor([row.float() for row in rows], layout=torch.jagged)


def with_pass(worker, data, rollout_is):
    """As verl's trainer: a pass for old log-probabilities, and weights of the rollout made of them."""
    from verl.trainer.ppo.rollout_corr_helper import compute_rollout_correction_weights

    passed = worker.infer_batch(batch_of(data, compute_loss=False))
    old = []
    for sample, log_probs in zip(data, passed["log_probs"].unbind(), strict=True):
        length = len(sample.response)
        old.append(log_probs[-length - 1 : -1])
    weights = []
    for sample, row in zip(data, old, strict=True):
        ratio = row - torch.tensor(sample.old_log_probs)
        made, _ = compute_rollout_correction_weights(
            ratio[None], torch.ones_like(ratio)[None], rollout_is="token", rollout_is_threshold=THRESHOLD
        )
        weights.append(made[0])
    batch = {"old_log_probs": jagged(old)}
    return batch if rollout_is is None else batch | {"rollout_is_weights": jagged(weights)}


def train(rank, world, path):
    """By kind: metrics and gradients, with the pass and without. A sample's `old_log_probs` are the rollout's here."""
    from verl_sdpo.worker.loss_adapter import OLD_IS_OWN, ROLLOUT_THRESHOLD

    worker, seen = make_worker(path), {}
    samples = SAMPLES[rank::world]
    for name, kind in KINDS.items():
        options = {"distillation_topk": 7, "teacher_update_rate": 0.0}
        options |= {key: value for key, value in kind.items() if key != "rollout_is"}
        for has_pass in (True, False):
            worker.start_self_distillation(actor_config(worker.engine_config, options))
            set_teacher(worker, other_weights(path))
            settings = (
                {} if has_pass else {OLD_IS_OWN: True, ROLLOUT_THRESHOLD: THRESHOLD if kind["rollout_is"] else 0.0}
            )
            batch = batch_of(samples, world=world, **settings)
            batch["rollout_log_probs"] = batch["old_log_probs"]
            if has_pass:
                for field, values in with_pass(worker, samples, kind["rollout_is"]).items():
                    batch[field] = values
            gradients, metrics = gradients_of(worker, batch)
            seen[name, has_pass] = (metrics, gradients)
    return seen


@pytest.fixture(scope="module")
def seen(ranks, models):
    return ranks.run(train, models["untied"])


def value(metrics, name):
    return float(metrics[f"self_distillation/{name}"][0])


@WORLDS
@pytest.mark.parametrize("kind", KINDS)
def test_loss_weights_and_gradients_are_those_with_the_pass(seen, kind, world):
    (metrics, gradients), (own_metrics, own_gradients) = (seen[world][0][kind, has_pass] for has_pass in (True, False))
    for name in ("loss", "importance_weight", "importance_ratio", "divergence", "rollout_log_prob_gap_max"):
        assert value(own_metrics, name) == pytest.approx(value(metrics, name), rel=1e-5), name
    for name, gradient in gradients.items():
        size = gradient.abs().max().item()
        assert size > 1e-6
        torch.testing.assert_close(own_gradients[name], gradient, rtol=1e-4, atol=1e-5 * size, msg=name)


@WORLDS
def test_the_rollouts_weights_act_and_are_bounded(seen, world):
    weighted, plain, unweighted = (
        seen[world][0][kind, False][0] for kind in ("weighted", "weighted, plain", "not weighted")
    )
    assert value(unweighted, "importance_weight") == pytest.approx(1.0, abs=1e-6)
    assert value(weighted, "importance_weight") == pytest.approx(value(plain, "importance_weight"), rel=1e-5)
    assert 0.0 < value(weighted, "importance_weight") < THRESHOLD
    assert value(weighted, "importance_ratio") == pytest.approx(1.0, abs=1e-6)


def test_the_largest_gap_to_the_rollout_is_that_of_a_token_with_a_target(seen):
    metrics, _ = seen[1][0]["weighted", True]
    assert value(metrics, "rollout_log_prob_gap_max") > 0.5


@pytest.mark.parametrize("threshold", [0.5, 1.0, 2.0])
def test_weights_by_token_are_verls(threshold):
    from verl.trainer.ppo.rollout_corr_helper import compute_rollout_correction_weights

    from verl_sdpo.algorithm.importance import truncated_rollout_weights

    log_probs = torch.tensor([[-1.0, -2.0, -30.0, -0.5]], dtype=torch.float64)
    of_rollout = torch.tensor([[-1.5, -1.0, -1.0, -60.0]], dtype=torch.float64)
    expected, _ = compute_rollout_correction_weights(
        log_probs - of_rollout, torch.ones_like(log_probs), rollout_is="token", rollout_is_threshold=threshold
    )
    assert torch.allclose(truncated_rollout_weights(log_probs, of_rollout, threshold), expected, rtol=1e-12)
