# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Test-time runs as a user starts them: on two questions, killed at the second one and started again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from data_preprocess.schema import chat_prompt, make_row
from data_preprocess.writer import write_parquet
from recipe.tiny_model import build_model, build_tokenizer
from tests.e2e.training_run import TrainingRun

pytestmark = pytest.mark.e2e

# Not imported: that would register its reward for the other tests of this process.
REWARD, DATA_SOURCE = Path(__file__).with_name("rare_reward.py"), "rare"
ROLLOUTS, BUDGET = 4, 14
# The last step of a question has what is left of its budget.
STEP_SIZES = [4, 4, 4, 2]
START_SECONDS = 400
# Neither can be answered, so that the whole budget is spent.
QUESTIONS = ["never", "never"]


def write_inputs(folder: Path) -> None:
    tokenizer = build_tokenizer()
    tokenizer.save_pretrained(folder / "model")
    build_model(tokenizer, seed=0).save_pretrained(folder / "model")
    rows = [
        make_row(
            data_source=DATA_SOURCE,
            prompt=chat_prompt(f"Question {index}"),
            ground_truth=truth,
            ability="test",
            split="train",
            index=index,
        )
        for index, truth in enumerate(QUESTIONS)
    ]
    write_parquet(rows, folder / "questions.parquet")


def start(folder: Path, name: str, *more: str) -> TrainingRun:
    overrides = [
        f"data.train_files={folder}/questions.parquet",
        "data.max_prompt_length=256",
        "data.max_response_length=12",
        "reward.custom_reward_function.path=pkg://verl_sdpo.rewards",
        f"+reward.custom_reward_function.reward_kwargs.reward_modules=[{REWARD}]",
        f"actor_rollout_ref.model.path={folder}/model",
        "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=4",
        "actor_rollout_ref.actor.optim.lr=1e-3",
        "actor_rollout_ref.actor.self_distillation.max_reprompt_len=512",
        # Compares the rollout's probabilities with the trainer's, in each step.
        "actor_rollout_ref.actor.self_distillation.recompute_old_log_probs=true",
        f"actor_rollout_ref.rollout.n={ROLLOUTS}",
        "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=4",
        "actor_rollout_ref.rollout.max_model_len=512",
        "actor_rollout_ref.rollout.checkpoint_engine.update_weights_bucket_megabytes=16",
        f"test_time.budget={BUDGET}",
        f"test_time.output_dir={folder}/run",
        "trainer.save_freq=1",
        "trainer.logger=[console,file]",
        f"hydra.run.dir={folder}/hydra_{name}",
        *more,
    ]
    environment = {"VERL_FILE_LOGGER_PATH": str(folder / f"{name}.jsonl")}
    return TrainingRun(
        overrides, folder / f"{name}.log", environment, module="verl_sdpo.test_time", config="sdpo_test_time_cpu"
    )


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def budgets(folder: Path, name: str) -> list[tuple[int, float, float]]:
    """Step, seconds and generations, as verl's logger was told them."""
    return [
        (record["step"], record["data"]["budget/seconds"], record["data"]["budget/generations"])
        for record in lines(folder / f"{name}.jsonl")
    ]


def metrics(folder: Path, name: str) -> list[dict]:
    return [record["data"] for record in lines(folder / f"{name}.jsonl")]


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("test_time")
    write_inputs(folder)
    first = start(folder, "first")
    # Two steps of the second question are made, a third is on its way.
    first.kill_when(lambda: len(metrics(folder, "first")) == len(STEP_SIZES) + 2, START_SECONDS)
    (folder / "killed_attempts.jsonl").write_bytes((folder / "run" / "attempts.jsonl").read_bytes())
    second = start(folder, "second")
    assert second.wait(START_SECONDS) == 0, second.tail()
    return folder


def test_every_question_has_its_budget_and_no_attempt_counts_twice(runs):
    for name in ("attempts.jsonl", "verdicts.jsonl"):
        numbers = sorted((line["question"], line["attempt"]) for line in lines(runs / "run" / name))
        assert numbers == [(str(question), k) for question in range(2) for k in range(1, BUDGET + 1)]
    results = json.loads((runs / "run" / "results.json").read_text())
    expected = {"first_success": None, "generations": BUDGET, "successes": 0, "unjudged": 0}
    assert results == {
        "method": "sdpo",
        "seed": 0,
        "budget": BUDGET,
        "questions": {"0": expected, "1": expected},
    }


def test_the_second_run_asks_the_second_question_only_and_keeps_what_the_checkpoint_had_learned_from(runs):
    before = {(a["question"], a["attempt"]): a for a in lines(runs / "killed_attempts.jsonl")}
    after = {(a["question"], a["attempt"]): a for a in lines(runs / "run" / "attempts.jsonl")}
    kept = [key for key, attempt in after.items() if before.get(key) == attempt]
    assert set(kept) >= {("0", k) for k in range(1, BUDGET + 1)} | {("1", k) for k in range(1, ROLLOUTS + 1)}
    assert {record["test_time/question"] for record in metrics(runs, "second")} == {1.0}
    assert len(metrics(runs, "second")) in (1, 2, 3)


def test_the_model_is_the_base_again_after_each_question(runs):
    digests = [
        re.findall(r"back at the base (\w+)", (runs / f"{name}.log").read_text()) for name in ("first", "second")
    ]
    assert len(digests[0]) == len(digests[1]) == 1
    # The same after a restart: the base depends on model and seed, and on nothing that came before.
    assert digests[0] == digests[1]


def test_the_model_learns_in_between_and_the_rollout_engine_follows_it(runs):
    logged = metrics(runs, "first")
    assert all(record["self_distillation/num_optimizer_steps"] == 1 for record in logged)
    distances = [record["self_distillation/teacher_distance"] for record in logged]
    # The teacher is left behind further at each step of a question, and not at all by the one before.
    assert distances[0] < distances[1] < distances[2]
    assert distances[len(STEP_SIZES)] < distances[len(STEP_SIZES) - 1] / 2
    assert all(record["training/rollout_probs_diff_max"] < 1e-4 for record in logged)


def test_every_generation_is_counted(runs):
    steps = [record["test_time/generations"] for record in metrics(runs, "first")][: len(STEP_SIZES)]
    assert steps == [4.0, 8.0, 12.0, 14.0]


@pytest.mark.long
def test_a_baseline_goes_on_with_its_steps_its_time_and_its_generations(tmp_path):
    # Its steps are short; of so many some are left when the kill comes.
    budget, method = 120, ("test_time.method=best_of_k", "test_time.budget=120")
    write_inputs(tmp_path)
    first = start(tmp_path, "first", *method)
    first.kill_when(lambda: len(metrics(tmp_path, "first")) > budget // ROLLOUTS, START_SECONDS)
    logged = budgets(tmp_path, "first")
    second = start(tmp_path, "second", *method)
    assert second.wait(START_SECONDS) == 0, second.tail()
    logged += budgets(tmp_path, "second")
    made = lines(tmp_path / "run" / "attempts.jsonl")
    assert sorted((line["question"], line["attempt"]) for line in made) == [
        (str(question), k) for question in range(2) for k in range(1, budget + 1)
    ]
    # No step's number is used twice, and time and generations only grow, over the kill too.
    steps, seconds, generations = zip(*logged, strict=True)
    assert list(steps) == sorted(set(steps))
    assert set(steps) <= {line["step"] for line in made}
    assert len(metrics(tmp_path, "second")) < budget // ROLLOUTS
    assert list(seconds) == sorted(set(seconds))
    assert list(generations) == sorted(set(generations))
    assert generations[-1] == 2 * budget
