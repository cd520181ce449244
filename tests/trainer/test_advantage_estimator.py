# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""`algorithm.adv_estimator=sdpo`: what verl gets when it asks for advantages by that name."""

import dataclasses

import numpy as np
import pytest
import torch
from verl import DataProto
from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage, get_adv_estimator_fn
from verl.trainer.ppo.v1.utils import compute_advantage_for_multi_trajectories

from verl_sdpo.config import SelfDistillationConfig
from verl_sdpo.trainer.advantage_estimator import ESTIMATOR, Evidence, SelfDistillationEstimator, advantage_metrics

GENERATOR = torch.Generator().manual_seed(3)
UIDS = np.array(["a", "a", "a", "b", "b", "c"], dtype=object)
LENGTHS = [5, 3, 1, 4, 5, 2]
MASK = torch.tensor([[float(place < length) for place in range(5)] for length in LENGTHS])
# The third sample has no target, the fourth none at its first token.
TARGETS = MASK.clone().long()
TARGETS[2] = 0
TARGETS[3, 0] = 0
# Rejection sampling took a token of the fifth sample out.
KEPT = MASK.clone()
KEPT[4, 1] = 0.0
STUDENT = -4 * torch.rand(6, 5, generator=GENERATOR, dtype=torch.float64)
TEACHER = -4 * torch.rand(6, 5, generator=GENERATOR, dtype=torch.float64)
REWARDS = torch.zeros(6, 5)
for row, (length, score) in enumerate(zip(LENGTHS, [1.0, 0.0, 0.5, 1.0, 0.0, 1.0], strict=True)):
    REWARDS[row, length - 1] = score
EVIDENCE = Evidence(STUDENT, TEACHER, TARGETS)


def advantages(config=None, evidence=EVIDENCE, mask=KEPT, **options):
    """As verl's trainer calls it (`verl.trainer.ppo.ray_trainer.compute_advantage`)."""
    with ESTIMATOR.given(SelfDistillationConfig.from_flat(options), evidence):
        made, returns = get_adv_estimator_fn("sdpo")(
            token_level_rewards=REWARDS.clone(), response_mask=mask, config=config, index=UIDS
        )
    assert returns is made
    return made


def by_hand(bound=None):
    """log q - log p of each token that counts, number by number."""
    expected = torch.zeros(6, 5, dtype=torch.float64)
    for row in range(6):
        for place in range(5):
            if TARGETS[row, place] and KEPT[row, place]:
                value = TEACHER[row, place].item() - STUDENT[row, place].item()
                expected[row, place] = value if bound is None else max(-bound, min(bound, value))
    return expected


def test_verl_finds_it_by_its_name():
    assert get_adv_estimator_fn("sdpo") is ESTIMATOR


def test_an_advantage_is_how_much_likelier_the_teacher_finds_the_token():
    made = advantages()
    assert made.dtype == torch.float64
    assert torch.allclose(made, by_hand(), rtol=0, atol=1e-15)


def test_tokens_without_a_target_rejected_ones_and_padding_have_none():
    made = advantages()
    assert (made[2] == 0).all()
    assert made[3, 0] == made[4, 1] == 0
    assert (made[MASK == 0] == 0).all()
    assert (made[(TARGETS != 0) & (KEPT != 0)] != 0).all()


def test_what_lies_at_other_tokens_is_not_read():
    student, teacher = STUDENT.clone(), TEACHER.clone()
    ignored = (TARGETS == 0) | (KEPT == 0)
    student[ignored], teacher[ignored] = float("nan"), float("inf")
    assert torch.equal(advantages(evidence=Evidence(student, teacher, TARGETS)), advantages())


def test_a_token_that_one_model_excludes_has_a_finite_advantage():
    teacher = TEACHER.clone()
    teacher[0, 0] = -float("inf")
    made = advantages(evidence=Evidence(STUDENT, teacher, TARGETS))
    assert made[0, 0].item() == pytest.approx(-100.0 - STUDENT[0, 0].item())


@pytest.mark.parametrize("bound", [0.5, 2.0, 100.0])
def test_advantages_are_bounded_on_both_sides(bound):
    made = advantages(advantage_clip=bound)
    assert torch.allclose(made, by_hand(bound), rtol=0, atol=1e-15)
    assert made.abs().max() <= bound


@pytest.mark.parametrize("bound", [None, 0.5])
def test_a_sequence_has_the_mean_of_its_bounded_advantages(bound):
    made = advantages(credit_assignment="sequence", alpha=1.0, advantage_clip=bound)
    tokens, counts = by_hand(bound), (TARGETS != 0) & (KEPT != 0)
    for row in range(6):
        mean = tokens[row].sum() / max(int(counts[row].sum()), 1)
        assert torch.allclose(made[row], torch.where(counts[row], mean, 0.0), rtol=0, atol=1e-15)


@pytest.mark.parametrize("credit", ["logit", "token_top1", "token"])
def test_other_credit_assignments_are_that_of_the_sampled_token(credit):
    alpha = {"alpha": 1.0} if credit == "token" else {}
    assert torch.equal(advantages(credit_assignment=credit, **alpha), advantages())


def grpo(norm_by_std):
    made, _ = compute_grpo_outcome_advantage(
        token_level_rewards=REWARDS.clone(), response_mask=KEPT, index=UIDS, norm_adv_by_std_in_grpo=norm_by_std
    )
    return made


@pytest.mark.parametrize(
    ("config", "norm_by_std"),
    [(None, True), ({}, True), ({"norm_adv_by_std_in_grpo": True}, True), ({"norm_adv_by_std_in_grpo": False}, False)],
)
def test_a_share_of_one_is_verls_grpo_exactly(config, norm_by_std):
    nonsense = Evidence(STUDENT, torch.full_like(TEACHER, float("nan")), TARGETS)
    for evidence in (EVIDENCE, nonsense):
        assert torch.equal(advantages(config, evidence, group_advantage_weight=1.0), grpo(norm_by_std).double())
    assert not torch.equal(grpo(True), grpo(False))


@pytest.mark.parametrize("norm_by_std", [True, False])
def test_a_share_of_one_is_verls_grpo_for_sessions_of_several_outputs_too(norm_by_std):
    keys = ["a_0_1", "a_1_0", "a_0_0", "b_0_0", "b_1_0", "c_0_0"]
    data = DataProto.from_dict(
        {"token_level_rewards": REWARDS.clone(), "response_mask": KEPT.clone()}, non_tensors={"uid": UIDS}
    )
    expected = compute_advantage_for_multi_trajectories(
        data, keys, adv_estimator="grpo", norm_adv_by_std_in_grpo=norm_by_std
    ).batch["advantages"]
    evidence = dataclasses.replace(EVIDENCE, final_outputs=torch.tensor([0, 1, 0, 3, 4, 5]))
    made = advantages({"norm_adv_by_std_in_grpo": norm_by_std}, evidence, group_advantage_weight=1.0)
    assert torch.equal(made, expected.double())
    assert not torch.equal(made, grpo(norm_by_std).double())


@pytest.mark.parametrize("norm_by_std", [True, False])
@pytest.mark.parametrize("share", [0.1, 0.9])
def test_between_the_ends_it_is_equation_3(share, norm_by_std):
    made = advantages({"norm_adv_by_std_in_grpo": norm_by_std}, group_advantage_weight=share, advantage_clip=1.0)
    expected = share * grpo(norm_by_std).double() + (1 - share) * by_hand(1.0)
    assert torch.allclose(made, expected, rtol=0, atol=1e-12)


def test_without_a_share_of_grpo_no_groups_are_needed():
    with ESTIMATOR.given(SelfDistillationConfig(), EVIDENCE):
        made, _ = ESTIMATOR(token_level_rewards=REWARDS, response_mask=KEPT)
    assert torch.equal(made, advantages())


def test_rewards_are_not_changed():
    rewards = REWARDS.clone()
    with ESTIMATOR.given(SelfDistillationConfig(group_advantage_weight=0.9), EVIDENCE):
        ESTIMATOR(token_level_rewards=rewards, response_mask=KEPT, index=UIDS)
    assert torch.equal(rewards, REWARDS)


def test_it_carries_no_gradient():
    student = STUDENT.clone().requires_grad_()
    assert not advantages(evidence=Evidence(student, TEACHER, TARGETS), group_advantage_weight=0.5).requires_grad


def test_without_what_the_teacher_said_it_says_how_to_run_it():
    with pytest.raises(RuntimeError, match="without the teacher's log-probabilities: run it through python -m verl_sd"):
        SelfDistillationEstimator()(token_level_rewards=REWARDS, response_mask=KEPT, config={}, index=UIDS)


@pytest.mark.parametrize("raises", [False, True], ids=["at its end", "after an exception"])
def test_after_its_context_nothing_is_kept(raises):
    estimator = SelfDistillationEstimator()
    with (
        pytest.raises(ZeroDivisionError) if raises else torch.no_grad(),
        estimator.given(SelfDistillationConfig(), EVIDENCE),
    ):
        for _ in range(2):
            estimator(token_level_rewards=REWARDS, response_mask=KEPT)
        if raises:
            raise ZeroDivisionError
    assert vars(estimator) == vars(SelfDistillationEstimator())
    with pytest.raises(RuntimeError, match="without the teacher's"):
        estimator(token_level_rewards=REWARDS, response_mask=KEPT)


def test_the_metrics_are_about_tokens_with_a_target():
    differences = [TEACHER[row, place] - STUDENT[row, place] for row, place in TARGETS.nonzero().tolist()]
    metrics = advantage_metrics(EVIDENCE)
    assert metrics == {
        "self_distillation/advantage": pytest.approx(sum(differences).item() / len(differences)),
        "self_distillation/advantage_abs_max": pytest.approx(max(abs(each.item()) for each in differences)),
    }


def test_a_token_that_the_teacher_excludes_leaves_the_metrics_finite():
    teacher = TEACHER.clone()
    teacher[0, 0] = -float("inf")
    metrics = advantage_metrics(Evidence(STUDENT, teacher, TARGETS))
    assert metrics["self_distillation/advantage_abs_max"] == pytest.approx(100.0 + STUDENT[0, 0].item())


def test_without_a_target_the_metrics_are_zero():
    assert set(advantage_metrics(Evidence(STUDENT, TEACHER, torch.zeros_like(TARGETS))).values()) == {0.0}
