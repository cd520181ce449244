# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Train the demonstration's base model from scratch: `python -m recipe.test_time.code_model --output DIR --seed 0`.

It learns to guess a code, any code; to guess one that has the words that feedback calls right; and to repeat a
solution. The codes of the examples are drawn anew for each, so none can be learned by heart, and those of the
demonstration's questions are as likely as all others: one in a thousand.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from recipe.quickstart.base_model import build_model
from recipe.quickstart.sampling import answer_logits, chat_ids, sample
from recipe.quickstart.tokenizer import ROLES, tokenizer_of
from recipe.test_time import code_task
from verl_sdpo.algorithm.reprompt import Reprompt
from verl_sdpo.algorithm.reprompt_config import BRACE_GROUP, RepromptConfig

_TEMPLATES = RepromptConfig().templates
HIDDEN_SIZE = 128
STEPS, BATCH_SIZE, LEARNING_RATE = 400, 64, 2e-3
WARMUP_STEPS, SECONDS_BETWEEN_LINES = 50, 10.0
# Shares of what the model is shown besides the question.
SHARES = {"nothing": 0.2, "feedback": 0.7, "solution": 0.1}
SAMPLES_A_CALL = 512


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Of the words of questions, codes, feedback and templates."""
    frames = [code_task.QUESTION, code_task.FEEDBACK, code_task.WRONG_WORD]
    frames += [_TEMPLATES.reprompt, _TEMPLATES.solution, _TEMPLATES.feedback]
    texts = [BRACE_GROUP.sub(" ", frame) for frame in frames]
    return tokenizer_of([*texts, "\n", *ROLES, *code_task.CODE_WORDS, *code_task.NAMES])


def draw_example(rng: random.Random) -> tuple[str, str]:
    """(user turn, code to answer with): a code, and what one might have been told about it."""
    question, code = code_task.QUESTION.format(name=rng.choice(code_task.NAMES)), code_task.draw_code(rng)
    kind = rng.choices(list(SHARES), weights=list(SHARES.values()))[0]
    solution = feedback = None
    if kind == "solution":
        solution = code
    elif kind == "feedback":
        feedback = code_task.feedback_on(_draw_attempt(rng, code), code) or None
    prompt = ({"role": "user", "content": question},)
    return Reprompt(prompt, solution, feedback, None, _TEMPLATES).render()[-1]["content"], code


def _draw_attempt(rng: random.Random, code: str) -> str:
    """A guess that shares as many words with the code as chance has it, or more."""
    share = rng.choice((0.0, 0.3, 0.6))
    return " ".join(
        word if rng.random() < share else guess for word, guess in zip(code.split(), code_task.draw_code(rng).split())
    )


def train(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, seed: int, steps: int) -> None:
    """Train in place on fresh examples."""
    rng, started, last = random.Random(f"hidden code model {seed}"), time.monotonic(), 0.0
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    model.train()
    for step in range(steps):
        factor = min(1.0, (step + 1) / WARMUP_STEPS) * min(1.0, max(0.02, 2.5 * (steps - step) / steps))
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * factor
        optimizer.zero_grad()
        examples = [draw_example(rng) for _ in range(BATCH_SIZE)]
        prompts = [chat_ids(tokenizer, turn) for turn, _ in examples]
        answers = torch.tensor([tokenizer.convert_tokens_to_ids(code.split()) for _, code in examples])
        targets = torch.cat([answers, torch.full((len(examples), 1), tokenizer.eos_token_id)], dim=1)
        logits = answer_logits(model, prompts, answers, num_logits=targets.shape[1])
        loss = cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if (now := time.monotonic() - started) - last > SECONDS_BETWEEN_LINES or step + 1 == steps:
            print(f"  base model step {step + 1:4d}/{steps}  loss {loss.item():.3f}  {now:3.0f} s", flush=True)
            last = now
    model.eval()


@torch.no_grad()
def success_rates(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, questions: list[code_task.Item]
) -> list[float]:
    """The probability that an attempt at temperature 1 is the code, of each question: exact, from the model's own."""
    rates = []
    for item in questions:
        code = torch.tensor([tokenizer.convert_tokens_to_ids(item.code.split())])
        logits = answer_logits(model, [chat_ids(tokenizer, item.question)], code, num_logits=code.shape[1] + 1)
        targets = torch.cat([code, torch.tensor([[tokenizer.eos_token_id]])], dim=1)
        log_probs = logits.double().log_softmax(-1).gather(-1, targets[..., None])
        rates.append(float(log_probs.sum().exp()))
    return rates


@torch.no_grad()
def sampled_rate(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, item: code_task.Item, num_samples: int, seed: int
) -> float:
    """The same from samples."""
    generator, found = torch.Generator().manual_seed(seed), 0
    prompt = chat_ids(tokenizer, item.question)
    for start in range(0, num_samples, SAMPLES_A_CALL):
        num = min(SAMPLES_A_CALL, num_samples - start)
        texts = tokenizer.batch_decode(sample(model, [prompt] * num, generator), skip_special_tokens=True)
        found += sum(text == item.code for text in texts)
    return found / num_samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--samples", type=int, default=10_000, help="of the first question, to compare with its rate")
    arguments = parser.parse_args()
    tokenizer = build_tokenizer()
    model = build_model(tokenizer, arguments.seed, HIDDEN_SIZE)
    train(model, tokenizer, arguments.seed, arguments.steps)
    model.save_pretrained(arguments.output)
    tokenizer.save_pretrained(arguments.output)
    questions = code_task.items(arguments.seed)
    rates = success_rates(model, tokenizer, questions)
    sampled = sampled_rate(model, tokenizer, questions[0], arguments.samples, arguments.seed)
    found = {"rates": rates, "sampled_rate_of_first": sampled, "samples": arguments.samples}
    (arguments.output / "rates.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"  success rates of the base model: {min(rates):.4%} to {max(rates):.4%}; first {rates[0]:.4%},")
    print(f"  from {arguments.samples} samples {sampled:.4%}")


if __name__ == "__main__":
    main()
