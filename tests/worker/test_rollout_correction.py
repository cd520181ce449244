# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""verl's rollout correction in the distillation loss: tokens and sequences with truncated weights, or rejected.

Weights and masks come from verl's own function, the loss from a formula written out here, in float64.
"""

import dataclasses
from types import SimpleNamespace
from unittest import mock

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from tests.worker.engine_case import (
    VOCAB,
    actor_config,
    batch_of,
    make_samples,
    make_worker,
    metrics_of,
    other_weights,
    plain_model,
    set_student,
    set_teacher,
    whole,
)

WORLDS = pytest.mark.parametrize("world", [1, 2], ids=["one rank", "two ranks"])
# Tool results in between; the second and the sixth have no target. Of two mini-batches each has four samples.
MASKS = [[1, 1, 1, 1], [1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 1, 1], [1, 1, 1], [1, 0, 1, 1], [0, 1, 1, 1], [1] * 7, [1, 1]]
TARGETS = [1, 0, 1, 1, 1, 0, 1, 1]
SAMPLES = make_samples(MASKS, TARGETS)
# old - rollout log-probs: tokens near and far, and a fourth and an eighth sample that are far as a whole.
FAR = {3: 1.4, 7: -1.2}
IS_CLIP = 1.2
FULL = {"distillation_topk": None, "is_clip": IS_CLIP, "teacher_update_rate": 0.0}

WEIGHTS = {
    "token": {"rollout_is": "token", "rollout_is_threshold": 1.5},
    "token, none outside": {"rollout_is": "token", "rollout_is_threshold": "0.6_1.5"},
    "sequence": {"rollout_is": "sequence", "rollout_is_threshold": 2.0},
    "sequence, none outside": {"rollout_is": "sequence", "rollout_is_threshold": "0.4_2.0"},
    "no weights": {"rollout_is": None},
}
REJECTIONS = {
    "nothing rejected": {},
    "tokens rejected": {"rollout_rs": "token_k1", "rollout_rs_threshold": "0.5_2.5"},
    "sequences rejected": {"rollout_rs": "seq_mean_k1", "rollout_rs_threshold": "0.5_2.5"},
    "both rejected": {"rollout_rs": "token_k3,seq_max_k2", "rollout_rs_threshold": "0.4,0.6"},
}


def padded(rows, dtype=torch.float32):
    return pad_sequence([torch.tensor(row, dtype=dtype) for row in rows], batch_first=True)


def rollout_log_probs(old_log_probs, seed=87):
    """What the rollout engine may have said where the trainer says `old_log_probs`."""
    generator = torch.Generator().manual_seed(seed)
    noise = [0.6 * torch.randn(len(row), generator=generator) + FAR.get(i, 0.0) for i, row in enumerate(old_log_probs)]
    return [(torch.tensor(row) - far).tolist() for row, far in zip(old_log_probs, noise, strict=True)]


def corrected(samples, correction):
    """The samples with verl's weights, and without the tokens that verl rejects."""
    from verl.trainer.ppo.rollout_corr_helper import compute_rollout_correction_and_rejection_mask

    old_log_probs = [sample.old_log_probs for sample in samples]
    weights, kept, _ = compute_rollout_correction_and_rejection_mask(
        old_log_prob=padded(old_log_probs),
        rollout_log_prob=padded(rollout_log_probs(old_log_probs)),
        response_mask=padded([sample.mask for sample in samples], torch.int64),
        **correction,
    )
    weights = torch.zeros(len(samples), 0) if weights is None else weights.batch["rollout_is_weights"]
    return [
        dataclasses.replace(
            sample,
            mask=kept[i, : len(sample.mask)].tolist(),
            rollout_weights=weights[i, : len(sample.mask)].tolist(),
        )
        for i, sample in enumerate(samples)
    ]


def batch(samples, uncorrected, **settings):
    """As the worker gets it: `response_mask` without the rejected tokens, `loss_mask` as the rollout left it."""
    data = batch_of(samples, has_rollout_weights=bool(samples[0].rollout_weights), **settings)
    masks = [torch.tensor(sample.mask) for sample in uncorrected]
    data["loss_mask"] = torch.nested.as_nested_tensor(masks, layout=torch.jagged)
    return data


# --- the definition --------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Distillation:
    """Options of the loss, in the formula's words."""

    form: str = "logit"  # or "token", "sequence"
    is_clip: float | None = IS_CLIP
    loss_agg_mode: str = "token-mean"
    loss_scale_factor: float | None = None

    def definition(self, samples, student_logits, teacher_logits) -> torch.Tensor:
        """The loss over whole samples, token by token; logits are `(response_len, vocab)` for each sample."""
        sums, counts = [], []
        for sample, of_student, of_teacher in zip(samples, student_logits, teacher_logits, strict=True):
            counted = [t for t, is_kept in enumerate(sample.mask) if is_kept]
            if not sample.has_target or not counted:
                continue
            log_p, log_q = of_student.log_softmax(-1), of_teacher.detach().log_softmax(-1)
            gaps = [(log_p[t, sample.response[t]] - log_q[t, sample.response[t]]).detach() for t in counted]
            terms = []
            for t, gap in zip(counted, gaps, strict=True):
                token = sample.response[t]
                if self.form == "logit":
                    p, q = log_p[t].exp(), log_q[t].exp()
                    m = (p + q) / 2
                    term = 0.5 * (p * (p / m).log()).sum() + 0.5 * (q * (q / m).log()).sum()
                else:
                    factor = gap if self.form == "token" else sum(gaps) / len(gaps)
                    term = factor * log_p[t, token]
                terms.append(self.weight(sample, t, log_p[t, token]) * term)
            sums.append(sum(terms))
            counts.append(len(terms))
        loss = sum(sums)
        if self.loss_agg_mode == "token-mean":
            return loss / sum(counts)
        if self.loss_agg_mode == "token-sum":
            return loss
        if self.loss_agg_mode == "seq-mean-token-mean":
            return sum(total / count for total, count in zip(sums, counts, strict=True)) / len(counts)
        return loss / len(counts) / (self.loss_scale_factor or 1.0)

    def weight(self, sample, t, log_prob) -> float:
        """Each factor is bounded on its own, and their product is not."""
        of_rollout = sample.rollout_weights[t] if sample.rollout_weights else 1.0
        return of_rollout if self.is_clip is None else min(ratio(sample, t, log_prob), self.is_clip) * of_rollout

    def weights(self, samples, student_logits) -> list[float]:
        """The weights of all tokens that count."""
        return [self.weight(sample, t, log_prob) for sample, t, log_prob in counted_tokens(samples, student_logits)]


def ratio(sample, t, log_prob):
    """The student's probability of a token now over that at the start of the step."""
    return (log_prob.detach().double() - torch.tensor(sample.old_log_probs[t])).exp().item()


def counted_tokens(samples, student_logits):
    """`(sample, place in the response, the student's log-probability)` of all tokens that count."""
    return [
        (sample, t, logits.detach().log_softmax(-1)[t, sample.response[t]])
        for sample, logits in zip(samples, student_logits, strict=True)
        for t, is_kept in enumerate(sample.mask)
        if is_kept and sample.has_target
    ]


# --- the adapter on tensors ------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Models:
    """Logits of both models: the student's of packed prompts and responses, the teacher's of responses."""

    student: torch.Tensor  # (num_packed_tokens, vocab)
    teacher: list[torch.Tensor]  # for each sample (response_len, vocab)

    def of_responses(self) -> list[torch.Tensor]:
        """The student's logits of each sample's response tokens."""
        found, end = [], 0
        for sample in SAMPLES:
            end += len(sample.prompt + sample.response)
            found.append(self.student[end - len(sample.response) - 1 : end - 1])
        return found


def models_and_samples(has_moved):
    """Both models, and the samples with the log-probs that the student had at the start of the step."""
    generator = torch.Generator().manual_seed(7)
    normal = lambda num: 1.5 * torch.randn(num, VOCAB, generator=generator, dtype=torch.float64)  # noqa: E731
    models = Models(
        normal(sum(len(sample.prompt + sample.response) for sample in SAMPLES)),
        [normal(len(sample.response)) for sample in SAMPLES],
    )
    samples = []
    for sample, logits in zip(SAMPLES, models.of_responses(), strict=True):
        log_probs = logits.log_softmax(-1)[range(len(sample.response)), sample.response]
        samples.append(dataclasses.replace(sample, old_log_probs=log_probs.float().tolist()))
    if has_moved:
        models.student = models.student + 0.3 * normal(len(models.student))
    models.student.requires_grad_()
    return models, samples


def config_of(distillation):
    from verl.workers.config import FSDPEngineConfig

    credit = {"credit_assignment": distillation.form} | ({} if distillation.form == "logit" else {"alpha": 1.0})
    return actor_config(
        FSDPEngineConfig(strategy="fsdp2", use_torch_compile=False),
        FULL | credit | {"is_clip": distillation.is_clip},
        distillation.loss_agg_mode,
        loss_scale_factor=distillation.loss_scale_factor,
    )


def adapted(models, samples, uncorrected, distillation):
    """`(loss, gradient of the student's packed logits, metrics)` of a mini-batch in four micro-batches on one rank."""
    from verl.utils import tensordict_utils as tu

    from verl_sdpo.worker.loss_adapter import SelfDistillationLoss
    from verl_sdpo.worker.sdpo_worker import SdpoTrainingWorker, _mark_targets

    loss_fn = SelfDistillationLoss(config_of(distillation))
    data = batch(samples, uncorrected)
    _mark_targets(data, skip_first_tokens=0)
    rank = SimpleNamespace(device_name="cpu", engine=SimpleNamespace(get_data_parallel_group=lambda: None))
    with mock.patch("torch.distributed.all_reduce"):
        num_tokens, num_sequences = SdpoTrainingWorker._count_targets(rank, data)
    tu.assign_non_tensor(data, num_target_tokens=num_tokens, num_target_sequences=num_sequences, dp_size=1)

    student = models.student.detach().clone().requires_grad_()
    parts = student.split([int(part["input_ids"].offsets()[-1]) for part in tu.chunk_tensordict(data, 4)])
    total, metrics = 0.0, {}
    for number, (part, logits) in enumerate(zip(tu.chunk_tensordict(data, 4), parts, strict=True)):
        loss_fn.targets = SimpleNamespace(logits=speaker(part, models.teacher[2 * number : 2 * number + 2]))
        offsets = part["input_ids"].offsets()
        values = loss_fn(student_logits=logits.unsqueeze(0), data=part)
        output = {name: torch.nested.nested_tensor_from_jagged(v.squeeze(0), offsets) for name, v in values.items()}
        loss, found = loss_fn(model_output=output, data=part)
        total = total + loss
        for name, metric in found.items():
            metrics[name] = metrics.get(name, 0.0) + float(metric.aggregate())
    total.backward()
    return total.detach(), student.grad, metrics


def speaker(data, teacher_logits):
    """The teacher: its logits of the counted tokens of the targets asked for, at temperature 1."""
    places, masks = data["target_index"].tolist(), data["target_mask"].unbind()

    def logits(targets, temperature):
        assert temperature == 1.0
        return torch.cat([teacher_logits[places.index(target)][masks[places.index(target)] != 0] for target in targets])

    return logits


def assert_as_defined(distillation, correction, has_moved):
    models, uncorrected = models_and_samples(has_moved)
    samples = corrected(uncorrected, correction)
    loss, gradient, metrics = adapted(models, samples, uncorrected, distillation)
    expected = distillation.definition(samples, models.of_responses(), models.teacher)
    expected.backward()
    torch.testing.assert_close(loss, expected.detach(), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(gradient, models.student.grad, rtol=1e-6, atol=1e-9)
    assert gradient.abs().max() > 1e-4
    weights = torch.tensor(distillation.weights(samples, models.of_responses()))
    assert metrics["self_distillation/importance_weight"] == pytest.approx(weights.mean().item(), rel=1e-5)


BY_MOVE = pytest.mark.parametrize("has_moved", [False, True], ids=["first mini-batch", "later mini-batch"])
BY_WEIGHTS = pytest.mark.parametrize("weights", WEIGHTS)
BY_REJECTION = pytest.mark.parametrize("rejection", REJECTIONS)


@BY_MOVE
@BY_REJECTION
@BY_WEIGHTS
def test_loss_and_gradient_are_those_of_the_definition(weights, rejection, has_moved):
    assert_as_defined(Distillation(), WEIGHTS[weights] | REJECTIONS[rejection], has_moved)


@BY_MOVE
@pytest.mark.parametrize("form", ["token", "sequence"])
def test_losses_of_sampled_tokens_are_corrected_too_and_a_sequences_mean_is_over_the_tokens_left(form, has_moved):
    assert_as_defined(Distillation(form), WEIGHTS["token"] | REJECTIONS["both rejected"], has_moved)


@pytest.mark.parametrize("rejection", ["tokens rejected", "sequences rejected"])
@pytest.mark.parametrize(
    ("loss_agg_mode", "scale"),
    [
        ("token-mean", None),
        ("token-sum", None),
        ("seq-mean-token-sum", None),
        ("seq-mean-token-mean", None),
        ("seq-mean-token-sum-norm", 7.0),
    ],
)
def test_the_counts_to_divide_by_are_those_of_the_tokens_and_sequences_left(loss_agg_mode, scale, rejection):
    distillation = Distillation(loss_agg_mode=loss_agg_mode, loss_scale_factor=scale)
    assert_as_defined(distillation, WEIGHTS["sequence"] | REJECTIONS[rejection], has_moved=True)


@BY_WEIGHTS
def test_in_the_first_mini_batch_only_the_rollouts_weight_acts(weights):
    models, uncorrected = models_and_samples(has_moved=False)
    samples = corrected(uncorrected, WEIGHTS[weights])
    _, gradient, metrics = adapted(models, samples, uncorrected, Distillation())
    _, without_ratio, _ = adapted(models, samples, uncorrected, Distillation(is_clip=None))
    torch.testing.assert_close(gradient, without_ratio, rtol=1e-5, atol=1e-9)
    assert metrics["self_distillation/importance_ratio"] == pytest.approx(1.0, abs=1e-6)
    counted = Distillation(is_clip=None).weights(samples, models.of_responses())
    assert metrics["self_distillation/importance_weight"] == pytest.approx(sum(counted) / len(counted), rel=1e-5)


@BY_WEIGHTS
def test_in_a_later_one_the_ratio_can_be_left_out_and_the_rollouts_weight_stays(weights):
    assert_as_defined(Distillation(is_clip=None), WEIGHTS[weights] | REJECTIONS["tokens rejected"], has_moved=True)


def test_a_ratio_and_a_rollouts_weight_are_bounded_each_on_its_own():
    models, uncorrected = models_and_samples(has_moved=True)
    samples = corrected(uncorrected, WEIGHTS["token"])
    heaviest, place, log_prob = max(
        counted_tokens(samples, models.of_responses()), key=lambda counted: Distillation().weight(*counted)
    )
    threshold = WEIGHTS["token"]["rollout_is_threshold"]
    assert ratio(heaviest, place, log_prob) > IS_CLIP
    assert heaviest.rollout_weights[place] == threshold
    alone = [
        dataclasses.replace(s, mask=[int(s is heaviest and t == place) for t in range(len(s.mask))]) for s in samples
    ]
    _, _, metrics = adapted(models, alone, uncorrected, Distillation())
    assert metrics["self_distillation/importance_weight"] == pytest.approx(IS_CLIP * threshold, rel=1e-6)


def packed_rows(samples):
    """For each response token `(sample, place in the response, row of the packed logits that predicts it)`."""
    end = 0
    for number, sample in enumerate(samples):
        end += len(sample.prompt + sample.response)
        for t in range(len(sample.response)):
            yield number, t, end - len(sample.response) - 1 + t


@BY_MOVE
@pytest.mark.parametrize("rejection", list(REJECTIONS)[1:])
def test_a_rejected_token_has_no_gradient_and_every_other_one_has(rejection, has_moved):
    models, uncorrected = models_and_samples(has_moved)
    samples = corrected(uncorrected, WEIGHTS["token"] | REJECTIONS[rejection])
    _, gradient, _ = adapted(models, samples, uncorrected, Distillation())
    learned = {row for number, t, row in packed_rows(samples) if samples[number].mask[t] and samples[number].has_target}
    assert {row for row in range(len(gradient)) if gradient[row].any()} == learned
    rejected = [t for number, t, _ in packed_rows(samples) if uncorrected[number].mask[t] > samples[number].mask[t]]
    assert rejected


def test_a_token_whose_weight_verl_sets_to_zero_is_not_rejected_and_stays_in_the_count():
    models, uncorrected = models_and_samples(has_moved=False)
    samples = corrected(uncorrected, WEIGHTS["token, none outside"])
    zeros = [
        (number, t)
        for number, t, _ in packed_rows(samples)
        if samples[number].has_target and samples[number].mask[t] and samples[number].rollout_weights[t] == 0.0
    ]
    assert zeros
    weighed, gradient, _ = adapted(models, samples, uncorrected, Distillation())
    dropped = [
        dataclasses.replace(s, mask=[m * ((number, t) not in zeros) for t, m in enumerate(s.mask)])
        for number, s in enumerate(samples)
    ]
    left, _, _ = adapted(models, dropped, uncorrected, Distillation())
    num_tokens = sum(sum(s.mask) for s in samples if s.has_target)
    torch.testing.assert_close(weighed * num_tokens, left * (num_tokens - len(zeros)), rtol=1e-9, atol=0.0)
    rows = [row for number, t, row in packed_rows(samples) if (number, t) in zeros]
    assert not gradient[rows].any()


def test_the_first_tokens_that_are_left_out_are_the_responses_own_also_where_one_of_them_was_rejected():
    from verl_sdpo.worker.sdpo_worker import _mark_targets

    own = [[t for t, is_own in enumerate(sample.mask) if is_own] for sample in SAMPLES]
    rejecting = [
        [int(m and t != places[0]) for t, m in enumerate(s.mask)] for s, places in zip(SAMPLES, own, strict=True)
    ]
    data = batch([dataclasses.replace(s, mask=mask) for s, mask in zip(SAMPLES, rejecting, strict=True)], SAMPLES)
    _mark_targets(data, skip_first_tokens=2)
    marked = [row.nonzero().squeeze(-1).tolist() for row in data["target_mask"].unbind()]
    assert marked == [places[2:] if sample.has_target else [] for sample, places in zip(SAMPLES, own, strict=True)]


def test_the_cases_truncate_reject_and_keep():
    for has_moved in (False, True):
        models, uncorrected = models_and_samples(has_moved)
        assert_the_regime_matters(uncorrected)
        ratios = [ratio(*counted) for counted in counted_tokens(uncorrected, models.of_responses())]
        if has_moved:
            assert min(ratios) < 0.9
            assert sum(of_token > IS_CLIP for of_token in ratios) >= 2
        else:
            assert ratios == pytest.approx([1.0] * len(ratios), abs=1e-6)


def assert_the_regime_matters(uncorrected):
    with_target = lambda samples: [sample for sample in samples if sample.has_target]  # noqa: E731
    for weights in ("token", "sequence"):
        bound = WEIGHTS[weights]["rollout_is_threshold"]
        for half in (slice(0, 4), slice(4, 8)):
            found = with_target(corrected(uncorrected, WEIGHTS[weights])[half])
            values = [w for s in found for w, is_own in zip(s.rollout_weights, s.mask, strict=True) if is_own]
            assert max(values) == bound, (weights, half)
            assert min(values) < 0.7 * bound, (weights, half)
    pairs = list(zip(uncorrected, corrected(uncorrected, REJECTIONS["tokens rejected"]), strict=True))
    assert sum(0 < sum(after.mask) < sum(before.mask) for before, after in pairs if before.has_target) >= 2
    pairs = list(zip(uncorrected, corrected(uncorrected, REJECTIONS["sequences rejected"]), strict=True))
    assert [sum(after.mask) == 0 for _, after in pairs] == [number in FAR for number in range(len(pairs))]
    assert all(after.mask == before.mask or sum(after.mask) == 0 for before, after in pairs)


# --- verl's engine ---------------------------------------------------------------------------------------------------

# Rejection of both levels with weights of both levels; the loss of a sequence needs the count of the sequences.
ENGINE_CASES = {
    ("token", "tokens rejected"): (WEIGHTS["token"] | REJECTIONS["tokens rejected"], "token-mean"),
    ("sequence", "sequences rejected"): (WEIGHTS["sequence"] | REJECTIONS["sequences rejected"], "seq-mean-token-mean"),
}
MINI_BATCHES = {"one mini-batch": 1, "two mini-batches": 2}


def train(rank, world, path, samples_by_case, uncorrected):
    """By case and number of mini-batches: for each mini-batch the weights before it and its gradient; the metrics."""
    worker = make_worker(path, optimizer={"lr": 0.003})
    start = {name: p.detach() for name, p in plain_model(path).named_parameters()}
    seen = {}
    for case, samples in samples_by_case.items():
        for name, number in MINI_BATCHES.items():
            set_student(worker, start)
            worker.start_self_distillation(actor_config(worker.engine_config, FULL, ENGINE_CASES[case][1]))
            set_teacher(worker, other_weights(path))
            steps = []
            part = slice(rank, None, world)
            data = batch(samples[part], uncorrected[part], world=world, mini_batch_size=len(samples) // number)
            with mock.patch.object(worker.engine, "optimizer_step", recorder(worker.engine, steps)):
                metrics = metrics_of(worker.train_mini_batch(data))
            names = [f"self_distillation/{key}" for key in ("loss", "importance_ratio", "importance_weight")]
            seen[case, name] = (steps, {key: [float(value) for value in metrics[key]] for key in names})
    return seen


def recorder(engine, steps):
    step = engine.optimizer_step

    def recording_step():
        parameters = list(engine.module.named_parameters())
        steps.append(({name: whole(p) for name, p in parameters}, {name: whole(p.grad) for name, p in parameters}))
        return step()

    return recording_step


def response_logits(model, prompt, sample):
    return model(torch.tensor([prompt + sample.response])).logits[0, len(prompt) - 1 : -1]


@pytest.fixture(scope="module")
def of_the_engine(models):
    """`(samples with the log-probs of the saved student, the same by case with rollout correction)`."""
    student = plain_model(models["untied"]).double()
    uncorrected = []
    with torch.no_grad():
        for sample in SAMPLES:
            log_probs = response_logits(student, sample.prompt, sample).log_softmax(-1)
            old_log_probs = log_probs[range(len(sample.response)), sample.response].float().tolist()
            uncorrected.append(dataclasses.replace(sample, old_log_probs=old_log_probs))
    assert_the_regime_matters(uncorrected)
    return uncorrected, {case: corrected(uncorrected, correction) for case, (correction, _) in ENGINE_CASES.items()}


@pytest.fixture(scope="module")
def trained(ranks, models, of_the_engine):
    uncorrected, samples_by_case = of_the_engine
    return ranks.run(train, models["untied"], samples_by_case, uncorrected)


@WORLDS
@pytest.mark.parametrize("mini_batches", MINI_BATCHES)
@pytest.mark.parametrize("case", ENGINE_CASES, ids=", ".join)
def test_through_verls_engine_each_mini_batch_has_the_loss_and_gradient_of_the_definition(
    trained, models, of_the_engine, case, mini_batches, world
):
    samples = of_the_engine[1][case]
    teacher = plain_model(models["untied"])
    teacher.load_state_dict(other_weights(models["untied"]))
    teacher.double()
    distillation = Distillation(loss_agg_mode=ENGINE_CASES[case][1])
    size = len(samples) // MINI_BATCHES[mini_batches]
    for steps, metrics in (rank[case, mini_batches] for rank in trained[world]):
        assert len(steps) == MINI_BATCHES[mini_batches]
        for number, (weights, gradients) in enumerate(steps):
            student = plain_model(models["untied"])
            student.load_state_dict(weights)
            student.double()
            part = samples[number * size : (number + 1) * size]
            student_logits = [response_logits(student, s.prompt, s) for s in part]
            teacher_logits = [response_logits(teacher, s.teacher_prompt, s).detach() for s in part]
            loss = distillation.definition(part, student_logits, teacher_logits)
            loss.backward()
            assert metrics["self_distillation/loss"][number] == pytest.approx(loss.item(), rel=1e-4)
            factors = distillation.weights(part, student_logits)
            mean = sum(factors) / len(factors)
            assert metrics["self_distillation/importance_weight"][number] == pytest.approx(mean, rel=1e-4)
            for name, p in student.named_parameters():
                largest = p.grad.abs().max().item()
                assert largest > 1e-5
                torch.testing.assert_close(gradients[name].double(), p.grad, rtol=1e-3, atol=1e-3 * largest, msg=name)


@WORLDS
@pytest.mark.parametrize("case", ENGINE_CASES, ids=", ".join)
def test_the_ratio_is_one_in_the_first_mini_batch_and_clipped_in_the_second(
    trained, models, of_the_engine, case, world
):
    for rank in trained[world]:
        for name in MINI_BATCHES:
            ratios = rank[case, name][1]["self_distillation/importance_ratio"]
            assert ratios[0] == pytest.approx(1.0, abs=1e-4)
        weights, _ = rank[case, "two mini-batches"][0][1]
        student = plain_model(models["untied"])
        student.load_state_dict(weights)
        samples = of_the_engine[1][case][4:]
        logits = [response_logits(student, s.prompt, s).double() for s in samples]
        ratios = [ratio(*counted) for counted in counted_tokens(samples, logits)]
        assert min(ratios) < IS_CLIP < max(ratios)
