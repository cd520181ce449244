# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""One SDPO or GRPO run on the quickstart's task in plain PyTorch, without verl and vLLM: a second a step on one core.

`python -m recipe.quickstart.simulation --seed 0` prints the validation accuracy every ten steps and, of SDPO, the
teacher's at the end. Task, reward, reprompting and loss are those of the trainer's runs, so that many settings can be
tried (docs/quickstart_task.md).
"""

from __future__ import annotations

import argparse
import copy
import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast, Qwen3ForCausalLM

from recipe.quickstart import base_model, task
from recipe.quickstart.sampling import answer_logits, chat_ids, sample
from recipe.quickstart.tokenizer import build_tokenizer
from verl_sdpo.algorithm import self_distillation_loss
from verl_sdpo.algorithm.reprompt import plan_reprompts
from verl_sdpo.algorithm.reprompt_config import RepromptConfig
from verl_sdpo.rewards.passphrase import compute_score

STEPS_BETWEEN_VALIDATIONS = 10
ANSWERS_PER_VALIDATION_QUESTION = 2
# Added to the run's seed for the questions' order and for sampling; the figures in docs/quickstart_task.md have these.
ORDER_SEED, SAMPLING_SEED = 1000, 77


class Rollouts(NamedTuple):
    """Questions, a sampled answer to each, and what the reward says."""

    items: Sequence[task.Item]
    prompts: list[list[int]]
    responses: torch.Tensor  # (bsz, response_len)
    texts: list[str]
    outcomes: list[dict[str, Any]]


def roll_out(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, items: Sequence[task.Item], generator: torch.Generator
) -> Rollouts:
    """One answer to each question at temperature 1."""
    prompts = [chat_ids(tokenizer, item.question) for item in items]
    responses = sample(model, prompts, generator)
    texts = tokenizer.batch_decode(responses, skip_special_tokens=True)
    return Rollouts(items, prompts, responses, texts, [compute_score(t, item.answer) for t, item in zip(texts, items)])


def teacher_prompts(rollouts: Rollouts, tokenizer: PreTrainedTokenizerFast) -> tuple[list[list[int]], torch.Tensor]:
    """Token ids of what the teacher reads, and the mask (bsz,) of the answers that have a target."""
    plans = plan_reprompts(
        [
            {"uid": i.question, "prompt": [{"role": "user", "content": i.question}], "response": text, **outcome}
            for i, text, outcome in zip(rollouts.items, rollouts.texts, rollouts.outcomes)
        ],
        RepromptConfig(),
    )
    ids = [chat_ids(tokenizer, plan.render()[-1]["content"]) for plan in plans]
    return ids, torch.tensor([plan.has_target for plan in plans])


def step_loss(
    settings: argparse.Namespace,
    model: PreTrainedModel,
    teacher: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    rollouts: Rollouts,
) -> torch.Tensor:
    """SDPO's or GRPO's. One update a step: the answers are the current model's own, and importance ratios are 1."""
    responses = rollouts.responses
    is_end = (responses == tokenizer.eos_token_id).int()
    mask = is_end.cumsum(dim=1) - is_end == 0  # (bsz, response_len), up to the end token
    logits = answer_logits(model, rollouts.prompts, responses[:, :-1], num_logits=responses.shape[1])
    if settings.method == "grpo":
        scores = torch.tensor([o["score"] for o in rollouts.outcomes]).view(-1, task.ROLLOUTS_PER_PROMPT)
        advantages = (scores - scores.mean(dim=1, keepdim=True)) / (scores.std(dim=1, keepdim=True) + 1e-6)
        log_probs = logits.log_softmax(dim=-1).gather(-1, responses[..., None])[..., 0]
        return -(log_probs * advantages.view(-1, 1))[mask].mean()
    ids, has_target = teacher_prompts(rollouts, tokenizer)
    with torch.no_grad():
        teacher_logits = answer_logits(teacher, ids, responses[:, :-1], num_logits=responses.shape[1])
    options = {"alpha": settings.alpha, "topk": settings.topk or None, "is_clip": None}
    options["distillation_mode"] = "topk_logits" if settings.topk else "full_logits"
    options["self_distillation_mask"] = has_target
    return self_distillation_loss(logits, teacher_logits, responses, mask, **options)[0]


def simulate(
    settings: argparse.Namespace,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    report: Callable[[int, float], None] = lambda step, accuracy: None,
) -> PreTrainedModel:
    """Train `model` in place; returns the teacher, an average of its weights. `report(step, validation accuracy)`."""
    validation = task.validation_items(settings.seed, settings.words) * ANSWERS_PER_VALIDATION_QUESTION
    rng = random.Random(ORDER_SEED + settings.seed)
    generator = torch.Generator().manual_seed(SAMPLING_SEED + settings.seed)
    teacher, waiting = copy.deepcopy(model), []
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.lr, betas=(0.9, settings.beta2), weight_decay=0.01)
    for step in range(settings.steps):
        if settings.schedule == "cosine":
            optimizer.param_groups[0]["lr"] = settings.lr * 0.5 * (1 + math.cos(math.pi * step / settings.steps))
        if not waiting:
            waiting = task.train_items(settings.seed, settings.words)
            rng.shuffle(waiting)
        asked = [waiting.pop() for _ in range(task.PROMPTS_PER_STEP)]
        items = [item for item in asked for _ in range(task.ROLLOUTS_PER_PROMPT)]
        rollouts = roll_out(model, tokenizer, items, generator)
        optimizer.zero_grad()
        step_loss(settings, model, teacher, tokenizer, rollouts).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            for average, parameter in zip(teacher.parameters(), model.parameters()):
                average.lerp_(parameter, settings.teacher_update_rate)
        if (step + 1) % STEPS_BETWEEN_VALIDATIONS == 0 or step + 1 == settings.steps:
            outcomes = roll_out(model, tokenizer, validation, generator).outcomes
            report(step + 1, sum(outcome["acc"] for outcome in outcomes) / len(outcomes))
    return teacher


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The settings of a run; the defaults are the quickstart's."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--seed", type=int, default=0, help="of task, base model and run")
    add("--method", choices=("sdpo", "grpo"), default="sdpo")
    add("--new-words", type=int, choices=range(8, 17), default=8, help="how many there are to learn")
    add("--steps", type=int, default=50)
    add("--lr", type=float, default=3e-4)
    add("--schedule", choices=("constant", "cosine"), default="cosine", help="of the learning rate; cosine: to zero")
    add("--beta2", type=float, default=0.999, help="of AdamW")
    add("--alpha", type=float, default=0.5, help="0: forward KL, 0.5: Jensen-Shannon, 1: reverse KL")
    add("--topk", type=int, default=100, help="tokens of the distillation's support; 0: the whole vocabulary")
    add("--teacher-update-rate", type=float, default=0.05, help="of the average of weights; 0: frozen")
    add(
        "--base-model", type=Path, help="folder of base_model.py, of the same seed and number of words; made if missing"
    )
    settings = parser.parse_args(arguments)
    settings.words = task.ALL_NEW_WORDS[: settings.new_words]
    return settings


def load_base_model(settings: argparse.Namespace) -> tuple[PreTrainedTokenizerFast, PreTrainedModel]:
    """From its folder; where there is none yet, one is trained and saved there first."""
    folder = settings.base_model or Path(f"outputs/simulation/seed{settings.seed}_words{settings.new_words}")
    if not (folder / "accuracy.json").exists():
        base_model.make_base_model(folder, settings.seed, new_words=settings.words)
    tokenizer = build_tokenizer(settings.words)
    model = Qwen3ForCausalLM.from_pretrained(folder, dtype=torch.float32)
    if model.config.vocab_size != len(tokenizer):
        raise SystemExit(f"error: {folder} holds a base model of other words: name another folder with --base-model")
    return tokenizer, model


def main() -> None:
    settings = parse()
    torch.set_num_threads(1)  # the same sums in the same order on any number of cores
    tokenizer, model = load_base_model(settings)
    teacher = simulate(
        settings, model, tokenizer, lambda step, share: print(f"  step {step:3d}  accuracy {share:6.1%}", flush=True)
    )
    if settings.method == "sdpo":
        accuracies = base_model.measure(teacher, tokenizer, settings.seed, repeats=1, new_words=settings.words)
        print(f"  teacher, shown the feedback on a wrong answer: {accuracies['self_teacher']:.1%}")


if __name__ == "__main__":
    main()
