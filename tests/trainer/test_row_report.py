# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Rows that verl leaves out or cuts are counted and told of, with verl's own dataset."""

import logging

import pytest
from omegaconf import open_dict
from verl.utils.dataset.rl_dataset import RLHFDataset

from tests.preflight.sound_run import row, write_rows
from verl_sdpo.trainer.prompt_renderer import PromptRenderer
from verl_sdpo.trainer.row_report import report_rows

LIMIT = 100


@pytest.fixture
def report(compose, tokenizer, tmp_path, caplog):
    """`report(lengths, filters)`: of questions with so many words; and what was logged."""

    def made(lengths, filters):
        path = write_rows(
            tmp_path / "train.parquet",
            [row(number, prompt=[{"role": "user", "content": "w " * length}]) for number, length in enumerate(lengths)],
        )
        config = compose("sdpo_trainer_cpu")
        with open_dict(config):
            config.data.update(filter_overlong_prompts=filters, max_prompt_length=LIMIT, cache_dir=str(tmp_path))
            config.data.filter_overlong_prompts_workers = 1
        dataset = RLHFDataset(data_files=path, tokenizer=tokenizer, config=config.data)
        caplog.set_level(logging.INFO, "verl_sdpo")
        counted = report_rows("train", dataset, PromptRenderer(config, tokenizer, "qwen3"), LIMIT)
        [record] = [each for each in caplog.records if each.name == "verl_sdpo.trainer.row_report"]
        return counted.metrics(), record

    return made


def test_rows_that_fit_are_counted_without_a_warning(report):
    metrics, record = report([1, 2, 3], True)
    assert metrics == {"data/train_rows": 3, "data/train_rows_dropped": 0, "data/train_prompts_overlong": 0}
    assert record.levelno == logging.INFO


def test_rows_that_verl_drops_are_told_of(report):
    metrics, record = report([1, 200, 3, 300], True)
    assert metrics == {"data/train_rows": 2, "data/train_rows_dropped": 2, "data/train_prompts_overlong": 0}
    assert record.levelno == logging.WARNING
    assert "2 dropped" in record.getMessage()


def test_rows_that_will_be_cut_are_told_of(report):
    metrics, record = report([1, 200, 3, 300], False)
    assert metrics == {"data/train_rows": 4, "data/train_rows_dropped": 0, "data/train_prompts_overlong": 2}
    assert record.levelno == logging.WARNING
    assert f"2 longer than data.max_prompt_length={LIMIT}" in record.getMessage()
