# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Train the quickstart's base model from scratch and save it as a Hugging Face folder. About a minute on two cores.

`python -m recipe.quickstart.base_model --output DIR --seed 0`

Besides the model and its tokenizer the folder gets `accuracy.json`: how often the model is right on the validation
questions, without a hint and as its own teacher, shown the feedback on a wrong answer.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel, PreTrainedTokenizerFast, Qwen3ForCausalLM

from recipe.quickstart import task
from recipe.quickstart.base_examples import Example, draw_example, teacher_turn
from recipe.quickstart.sampling import answer_logits, chat_ids, sample
from recipe.quickstart.tokenizer import build_tokenizer
from recipe.tiny_model import small_qwen3
from verl_sdpo.rewards.passphrase import compute_score

STEPS = 320
EMBEDDING_STD = 0.1
BATCH_SIZE = 64
LEARNING_RATE = 1e-3
WARMUP_STEPS = 50
DECAY_SHARE = 0.4  # of the steps, at the end, in which the learning rate falls to a twentieth
SECONDS_BETWEEN_LINES = 5.0


def build_model(tokenizer: PreTrainedTokenizerFast, seed: int, hidden_size: int = 256) -> Qwen3ForCausalLM:
    """Two layers of Qwen3, 1.3 million parameters in float32 with the default size, untrained."""
    model = small_qwen3(
        len(tokenizer),
        hidden_size=hidden_size,
        num_layers=2,
        num_heads=4,
        seed=seed,
        num_key_value_heads=4,
        max_position_embeddings=512,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    # Nothing in pre-training tells the new words apart, so weight decay and shared gradients draw them together. Far
    # apart at the start (five times the usual scale) they stay apart, and can be learned one by one afterwards.
    torch.nn.init.normal_(model.get_input_embeddings().weight, std=EMBEDDING_STD)
    return model


def train(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    seed: int,
    steps: int = STEPS,
    report: Callable[[int, float], None] = lambda step, loss: None,
    new_words: Sequence[str] = task.NEW_WORDS,
) -> None:
    """Train in place on `steps` batches of fresh examples. `report(step, loss)` is called after each step."""
    rng, page = random.Random(f"base model {seed}"), task.known_page(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    model.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * _rate_factor(step, steps)
        optimizer.zero_grad()
        loss = _backward(model, tokenizer, [draw_example(rng, page, new_words) for _ in range(BATCH_SIZE)])
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        report(step + 1, loss)
    model.eval()


def measure(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    seed: int,
    repeats: int = 4,
    new_words: Sequence[str] = task.NEW_WORDS,
) -> dict[str, float]:
    """Accuracies on the validation questions, 0 to 1.

    `without_hint` and `self_teacher` are sampled at temperature 1, `repeats` times a question, and have greedy
    counterparts. The self-teacher reads the feedback on a wrong answer drawn at random.
    """
    rng, items = random.Random(f"measure {seed}"), task.validation_items(seed, new_words) * repeats
    hinted = []
    for item in items:
        feedback = compute_score(task.draw_answer(rng), item.answer)["feedback"]
        hinted.append(teacher_turn(item.question, feedback=feedback) if feedback else item.question)
    accuracies = {}
    for name, turns in (("without_hint", [item.question for item in items]), ("self_teacher", hinted)):
        prompts = [chat_ids(tokenizer, turn) for turn in turns]
        for suffix, generator in (("", torch.Generator().manual_seed(seed)), ("_greedy", None)):
            texts = tokenizer.batch_decode(sample(model, prompts, generator), skip_special_tokens=True)
            scores = [compute_score(text, item.answer)["acc"] for text, item in zip(texts, items)]
            accuracies[name + suffix] = sum(scores) / len(scores)
    return accuracies


def _rate_factor(step: int, steps: int) -> float:
    warmup = min(1.0, (step + 1) / WARMUP_STEPS)
    return warmup * min(1.0, max(0.05, (steps - step) / (steps * DECAY_SHARE)))


def _backward(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, examples: list[Example]) -> float:
    """Gradients of the mean loss over all answer tokens; prompts of like length together, to save padding."""
    end_id = tokenizer.eos_token_id
    rows = []
    for example in examples:
        written, answer = (tokenizer.convert_tokens_to_ids(words) for words in (example.written, example.answer))
        rows.append((chat_ids(tokenizer, example.user_turn), written, [*answer, end_id]))
    rows.sort(key=lambda row: len(row[0]))
    total = 0.0
    for part in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
        prompts, written, targets = zip(*part)
        targets = torch.tensor(targets)  # (bsz, num_words + 1)
        logits = answer_logits(model, prompts, torch.tensor(written), num_logits=targets.shape[1])
        loss = cross_entropy(logits.flatten(0, 1), targets.flatten()) * len(part) / len(rows)
        loss.backward()
        total += loss.item()
    return total


def _line_printer(steps: int) -> Callable[[int, float], None]:
    started = time.monotonic()
    last = started

    def report(step: int, loss: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > SECONDS_BETWEEN_LINES or step == steps:
            print(f"  base model step {step:3d}/{steps}  loss {loss:.3f}  {now - started:3.0f} s", flush=True)
            last = now

    return report


def make_base_model(output: Path, seed: int, steps: int = STEPS, new_words: Sequence[str] = task.NEW_WORDS) -> None:
    """Train, measure and save; prints how far it is, and the accuracies. `accuracy.json` is written last."""
    tokenizer = build_tokenizer(new_words)
    model = build_model(tokenizer, seed)
    train(model, tokenizer, seed, steps, _line_printer(steps), new_words)
    accuracies = measure(model, tokenizer, seed, new_words=new_words)
    model.save_pretrained(output)
    tokenizer.save_pretrained(output)
    (output / "accuracy.json").write_text(json.dumps(accuracies, indent=2) + "\n", encoding="utf-8")
    for name, label in (("without_hint", "without a hint"), ("self_teacher", "self-teacher (shown the feedback)")):
        sampled, greedy = accuracies[name], accuracies[f"{name}_greedy"]
        print(f"  {label}: {sampled:.1%} sampled at temperature 1, {greedy:.1%} greedy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    make_base_model(arguments.output, arguments.seed, arguments.steps)


if __name__ == "__main__":
    main()
