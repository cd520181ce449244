# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests' runs start from, and what they leave."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from data_preprocess.schema import chat_prompt, make_row
from data_preprocess.writer import write_parquet
from recipe.tiny_model import build_model, build_tokenizer

NUM_ROWS = 24


def write_inputs(folder: Path) -> None:
    """An untrained model and questions that it cannot answer."""
    tokenizer = build_tokenizer()
    tokenizer.save_pretrained(folder / "model")
    build_model(tokenizer, seed=0).save_pretrained(folder / "model")
    for split in ("train", "test"):
        rows = [
            make_row(
                data_source="multiple_choice/e2e",
                prompt=chat_prompt(f"Question {split} {index}: which letter?\nA) one\nB) two\nC) three\nD) four"),
                ground_truth="ABCD"[index % 4],
                ability="test",
                split=split,
                index=index,
            )
            for index in range(NUM_ROWS if split == "train" else 4)
        ]
        write_parquet(rows, folder / f"{split}.parquet")


def logged(folder: Path, name: str) -> dict[int, dict[str, float]]:
    lines = (folder / f"{name}.jsonl").read_text().splitlines()
    return {record["step"]: record["data"] for record in map(json.loads, lines)}


def leaves(value, path="") -> dict[str, object]:
    """Every tensor and number of a checkpoint file, by its place in it."""
    if isinstance(value, dict):
        return {k: v for key, item in value.items() for k, v in leaves(item, f"{path}/{key}").items()}
    if isinstance(value, list | tuple):
        return {k: v for index, item in enumerate(value) for k, v in leaves(item, f"{path}/{index}").items()}
    if isinstance(value, torch.Tensor):
        return {path: value.to_local() if hasattr(value, "to_local") else value}
    return {path: value}


def is_equal(left: object, right: object) -> bool:
    return torch.equal(left, right) if isinstance(left, torch.Tensor) else left == right
