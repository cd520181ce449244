# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Questions, a checkpoint whose teacher is another model than its student, and an engine that answers from a list."""

from __future__ import annotations

import json

from data_preprocess.schema import chat_prompt, make_row
from data_preprocess.writer import write_parquet
from recipe.tiny_model import build_model, build_tokenizer
from tests.checkpoint.small_run import manifest
from tests.checkpoint.test_export import save
from verl_sdpo.checkpoint.store import CheckpointStore
from verl_sdpo.evaluate.generate import Response

# A reward that random text wins now and then, and of which some responses get no verdict.
REWARD = '''
def compute_score(data_source, solution_str, ground_truth, extra_info=None):
    """Right: an odd number of characters. Votes: whether the first character is ASCII."""
    return {
        "score": float(len(solution_str) % 2),
        "pred": solution_str[:1].isascii() if solution_str else None,
        "sandbox_error": float(solution_str.count("!") == 1),
        "feedback": f"{len(solution_str)} characters, truncated {extra_info['truncated']}",
    }
'''


def rows(letters="ABCD", source="multiple_choice/e"):
    return [
        make_row(
            data_source=f"{source}{index % 2}",
            prompt=chat_prompt(f"Question {index}: which letter?"),
            ground_truth=letter,
            ability="test",
            split="test",
            index=index,
        )
        for index, letter in enumerate(letters)
    ]


def write_data(path, letters="ABCD"):
    write_parquet(rows(letters), path)
    return str(path)


def write_model(folder, seed=1):
    tokenizer = build_tokenizer()
    tokenizer.save_pretrained(folder)
    build_model(tokenizer, seed).save_pretrained(folder)
    return str(folder)


def write_run(root, settings=None, steps=(4,)):
    """A run's folder; student and teacher are untrained models of seeds 1 and 2."""
    tokenizer = build_tokenizer()
    student, teacher = build_model(tokenizer, seed=1), build_model(tokenizer, seed=2)
    shards = {name: tensor.detach() for name, tensor in teacher.named_parameters()}
    store = CheckpointStore(root)
    for step in steps:
        folder = store.begin(step)
        save(folder, tokenizer, student, {"kind": "ema", "num_updates": step, "rate": 0.5, "shards": shards})
        if settings is not None:
            (folder / "config.json").write_text(json.dumps(settings))
        store.finish(manifest(step), keep=None)
    return str(root)


class FakeEngine:
    """In place of `generate`: answers in turn what it was given; remembers what it was asked."""

    def __init__(self, answers, cut_off=()):
        self.answers = list(answers)
        self.cut_off = set(cut_off)
        self.calls = []

    def __call__(self, engine, prompts, sampling):
        self.calls.append((engine, prompts, sampling))
        encode, place = build_tokenizer().encode, iter(range(len(self.answers)))

        def response():
            number = next(place)
            return Response(encode(self.answers[number]) + [258] * (number not in self.cut_off), number in self.cut_off)

        return [[response() for _ in range(sampling.n)] for _ in prompts]
