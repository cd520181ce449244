# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The page's divergence is what verl's worker minimised: from its own checkpoint, sharded over two ranks."""

import pytest
import torch

from recipe.tiny_model import build_tokenizer
from tests.checkpoint.small_run import manifest
from tests.worker.engine_case import (
    batch_of,
    make_samples,
    make_worker,
    metrics_of,
    other_weights,
    save_model,
    set_student,
)
from tests.worker.rank_processes import Ranks
from tests.worker.test_teacher_choice import options
from verl_sdpo.checkpoint.store import CheckpointStore
from verl_sdpo.config import SelfDistillationConfig, flat_defaults
from verl_sdpo.config.self_distillation import TEACHERS
from verl_sdpo.reports.token_records import Sample, StepRecord
from verl_sdpo.reports.token_weights import load_models
from verl_sdpo.reports.tokens import compared

# A tool's answer in some; the third has no target.
MASKS = [[1, 1, 1], [1] * 5, [1, 1], [1, 0, 1, 1], [1] * 6, [1, 0, 0, 1, 1], [1, 1, 1, 1], [1, 1]]
SAMPLES = make_samples(MASKS, [1, 1, 0, 1, 1, 1, 1, 1])
TEMPERATURE, SKIPPED = 0.7, 1


def of_run(kind, small):
    return options(kind, small) | {"skip_first_tokens": SKIPPED}


def train(rank, world, path, small, folders):
    """By kind of teacher: a checkpoint, then the divergence that is logged of the step after it."""
    seen = {}
    for kind in TEACHERS:
        worker = make_worker(path, options=of_run(kind, small))
        set_student(worker, other_weights(path))
        worker.teacher.update()
        worker.save_checkpoint(str(folders[kind] / "actor"), global_step=4)
        batch = batch_of(SAMPLES[rank::world], world=world, temperature=TEMPERATURE)
        seen[kind] = float(metrics_of(worker.train_mini_batch(batch))["self_distillation/divergence"][0])
    return seen


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(folder, saved models, what each rank logged)."""
    folder = tmp_path_factory.mktemp("trained")
    path = save_model(folder / "untied", is_tied=False)
    small = save_model(folder / "small", is_tied=False, num_layers=1, hidden_size=16)
    stores = {kind: CheckpointStore(folder / "runs" / kind) for kind in TEACHERS}
    folders = {kind: store.begin(4) for kind, store in stores.items()}
    ranks = Ranks(folder, worlds=(2,))
    try:
        logged = ranks.run(train, path, small, folders)[2]
    finally:
        ranks.close()
    for kind, store in stores.items():
        build_tokenizer().save_pretrained(folders[kind] / "actor" / "huggingface")
        store.finish(manifest(4), keep=None)
    return folder / "runs", path, small, logged


@pytest.mark.parametrize("kind", TEACHERS)
def test_the_mean_divergence_is_the_one_that_the_step_logged(trained, kind):
    runs, path, small, logged = trained
    samples = [
        Sample("q", 0.0, None, None, s.prompt, s.teacher_prompt if s.has_target else None, s.response, s.mask)
        for s in SAMPLES
    ]
    chosen = SelfDistillationConfig.from_flat(flat_defaults() | of_run(kind, small))
    record = StepRecord(5, "of a test", str(path), False, "fp32", TEMPERATURE, chosen, samples)
    models = load_models(record, runs / kind, "cpu")
    assert "step 5 began with: global_step_4" in models.words[0]
    values = []
    for sample, gaps in compared(record, samples, models, topk=3):
        counted = torch.tensor(sample.counts(SKIPPED), dtype=torch.bool)
        values += gaps.divergence[counted].tolist() if gaps else []
    num_own = sum(sum(s.mask) for s in SAMPLES if s.has_target)
    assert len(values) == num_own - SKIPPED * (len(SAMPLES) - 1)
    mean = sum(values) / len(values)
    assert mean > 1e-3
    for rank in logged:
        assert mean == pytest.approx(rank[kind], rel=1e-5)
