# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""verl's own reader takes the files as they are, with every row, through a tokenizer built here."""

import datasets
import pytest
from omegaconf import OmegaConf
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from data_preprocess.schema import chat_prompt, make_row, write_parquet

TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }} : {{ message['content'] }} {% endfor %}"
    "{% if add_generation_prompt %}assistant :{% endif %}"
)


@pytest.fixture
def read(tmp_path, monkeypatch):
    from verl.utils.dataset.rl_dataset import RLHFDataset

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets_cache")
    backend = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", pad_token="[UNK]")
    tokenizer.chat_template = TEMPLATE

    def reader(files, max_prompt_length=64):
        config = {
            "cache_dir": str(tmp_path / "cache"),
            "max_prompt_length": max_prompt_length,
            "filter_overlong_prompts": True,
            "filter_overlong_prompts_workers": None,
        }
        return RLHFDataset([str(file) for file in files], tokenizer, OmegaConf.create(config))

    return reader


def _rows(split, num, **changes):
    return [
        make_row(
            data_source="multiple_choice/test",
            prompt=chat_prompt(f"Question {index} ?\n\nA: yes\nB: no", "\nBe brief .\n" if index % 2 else None),
            ground_truth="AB"[index % 2],
            ability="science",
            split=split,
            index=index,
            **changes,
        )
        for index in range(num)
    ]


def test_verl_reads_every_row_unchanged(tmp_path, read):
    rows = _rows("train", 5)
    write_parquet(rows, tmp_path / "train.parquet")
    dataset = read([tmp_path / "train.parquet"])
    assert len(dataset) == 5
    for index, row in enumerate(rows):
        got = dataset[index]
        assert got["raw_prompt"] == row["prompt"]
        assert {name: got[name] for name in row} == row
        assert got["index"] == index
        assert got["tools_kwargs"] == {}


def test_files_with_and_without_the_optional_fields_read_together(tmp_path, read):
    write_parquet(_rows("train", 2), tmp_path / "bare.parquet")
    full = _rows("train", 3, privileged_context="It is A.", source_id="q1", details={"options": "AB"})
    write_parquet(full, tmp_path / "full.parquet")
    dataset = read([tmp_path / "bare.parquet", tmp_path / "full.parquet"])
    assert [dataset[index]["privileged_context"] for index in range(5)] == [None, None] + ["It is A."] * 3


def test_verl_s_length_filter_sees_real_lengths(tmp_path, read):
    write_parquet(_rows("train", 4), tmp_path / "train.parquet")
    # user : Question N ? A: yes B: no assistant : -> 11 words; with the system turn 16.
    assert len(read([tmp_path / "train.parquet"], max_prompt_length=11)) == 2
    assert len(read([tmp_path / "train.parquet"], max_prompt_length=10)) == 0
