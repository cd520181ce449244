# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The trainer around verl's loop: where a run goes on, what a step asks for, and when the model returns to its base."""

from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from verl_sdpo.checkpoint.manifest import Manifest
from verl_sdpo.config.test_time import TestTimeConfig as Options
from verl_sdpo.test_time import trainer as module
from verl_sdpo.test_time.recording import FIRST_ATTEMPT, QUESTION
from verl_sdpo.test_time.run_files import RunFiles
from verl_sdpo.test_time.turns import Questions, Rules, Turn


def turn(attempt, success=False):
    return Turn(attempt, f"r{attempt}", float(success), success, "wrong")


def manifest(place):
    return Manifest(1, 0, "", "", {}, {}, {} if place is None else {module.PLACE: place})


class FakeTrainer:
    """What stands behind the mixin: verl's step, as far as it is asked."""

    def __init__(self, log):
        self.log = log

    def _step_once(self, metrics, timing_raw, num_rows):
        self.log.append(("step", num_rows))
        return "batch"

    def _load_checkpoint(self):
        self.log.append("load")

    def _save_checkpoint(self):
        self.log.append("save")

    def on_sample_end(self):
        self.log.append("sleep")

    def on_step_end(self):
        self.log.append("weights")

    def _manifest(self):
        return manifest(None)


class Trainer(module.OneQuestionAtATime, FakeTrainer):
    pass


class Workers:
    """A worker group whose base has a digest."""

    def __init__(self, log, digest="base"):
        self.log, self.digest = log, digest

    def remember_base(self, seed):
        self.log.append(f"remember {seed}")
        return ["base"]

    def return_to_base(self):
        self.log.append("return")
        return [self.digest]


def make(tmp_path, monkeypatch, method="sdpo", names=("0", "1"), budget=6, n=4, rows=1, history=(), **options):
    log = []
    made = Trainer(log)
    made.test_time = Options(method=method, budget=budget, output_dir=str(tmp_path), **options)
    made.config = OmegaConf.create(
        {
            "trainer": {"seed": 5},
            "data": {"train_batch_size": rows},
            "actor_rollout_ref": {"rollout": {"n": n, "prompt_length": 100}},
        }
    )
    made.run_files, made.results = RunFiles(tmp_path), {}
    made.identity = {"method": method, "seed": 5, "budget": budget}
    made.resumed_from, made.global_steps = SimpleNamespace(manifest=None), 3
    made.questions = Questions(names, Rules(budget, made._attempts_per_step()), dict(history), {})
    made.train_dataset = [{"raw_prompt": [{"role": "user", "content": f"Question {row}"}]} for row in range(9)]
    made.actor_rollout_wg, made.base_digests = Workers(log), ["base"]
    made.total_training_steps = 1000
    made.self_distillation = SimpleNamespace(reprompt=SimpleNamespace(success_reward_threshold=0.5))
    made.verdicts = {}

    def take(name, step, attempts):
        return [turn(number, (name, number) in made.verdicts) for number in attempts]

    made.recorder = SimpleNamespace(take=SimpleNamespace(remote=take))
    monkeypatch.setattr(module.ray, "get", lambda value: value)
    monkeypatch.setattr(module, "start_recorder", lambda folder, threshold: made.recorder)
    return made


def ask(trainer):
    """The rows of the next step, as (question, first attempt, sessions)."""
    trainer._asked = {
        q.name: q.next_attempts() for q in trainer.questions.current(trainer.test_time.concurrent_questions)
    }
    rows = [row for name, numbers in trainer._asked.items() for row in trainer._rows(trainer.questions[name], numbers)]
    trainer._num_rows = len(rows)
    return [(row[QUESTION], row[FIRST_ATTEMPT], row["__rollout_n__"]) for row in rows], [row["uid"] for row in rows]


def test_questions_come_one_after_the_other_and_the_model_returns_in_between(tmp_path, monkeypatch):
    trainer = make(tmp_path, monkeypatch)
    trainer.verdicts = {("0", 6)}
    asked = []
    while trainer.questions.num_waiting:
        asked += ask(trainer)[0]
        trainer._step_once({}, {}, 1)
    assert asked == [("0", 1, 4), ("0", 5, 2), ("1", 1, 4), ("1", 5, 2)]
    step = ("step", 1)
    assert trainer.log == [step, step, "return", step, step, "return"]
    results = RunFiles(tmp_path).read_results(trainer.identity)
    assert {name: result["first_success"] for name, result in results.items()} == {"0": 6, "1": None}
    # verl's loop ends with this step.
    assert trainer.total_training_steps == trainer.global_steps


def test_a_question_that_stands_in_the_batch_twice_has_rows_of_its_own_attempts(tmp_path, monkeypatch):
    trainer = make(tmp_path, monkeypatch, budget=11, rows=2)
    rows, uids = ask(trainer)
    assert rows == [("0", 1, 4), ("0", 5, 4)]
    assert len(set(uids)) == 2
    # verl takes a key apart at its underscores.
    assert not any("_" in uid for uid in uids)
    trainer._step_once({}, {}, 1)
    assert ask(trainer)[0] == [("0", 9, 3)]


def test_a_baseline_asks_several_questions_at_once_and_touches_no_weights(tmp_path, monkeypatch):
    names = ("0", "3", "5")
    trainer = make(tmp_path, monkeypatch, "best_of_k", names, 6, concurrent_questions=2)
    monkeypatch.setattr(trainer, "_only_generate", lambda metrics, timing_raw, num_rows: num_rows)
    trainer.verdicts = {("3", 2)}
    steps = []
    while trainer.questions.num_waiting:
        steps.append(ask(trainer)[0])
        trainer._step_once({}, {}, 1)
        trainer.on_sample_end()
        trainer.on_step_end()
        trainer._save_checkpoint()
    assert steps == [[("0", 1, 4), ("3", 1, 4)], [("0", 5, 2), ("5", 1, 4)], [("5", 5, 2)]]
    assert trainer.log == []


def test_a_model_that_did_not_come_back_to_its_base_stops_the_run(tmp_path, monkeypatch):
    trainer = make(tmp_path, monkeypatch, budget=4)
    trainer.actor_rollout_wg.digest = "something else"
    ask(trainer)
    with pytest.raises(RuntimeError, match="not what it was"):
        trainer._step_once({}, {}, 1)


def history(tmp_path, **numbers):
    files = RunFiles(tmp_path)
    for name, verdicts in numbers.items():
        for attempt, is_success in enumerate(verdicts, start=1):
            files.write_attempt(name.removeprefix("q"), attempt, 1, f"r{attempt}")
            if is_success is not None:
                files.write_verdict(name.removeprefix("q"), turn(attempt, is_success))


@pytest.mark.parametrize(
    ("place", "kept"),
    [
        (None, 0),
        ({"question": "0", "attempts": 4}, 4),
        ({"question": "1", "attempts": 4}, 0),
        ({"question": "0", "attempts": 0}, 0),
    ],
)
def test_sdpo_goes_on_with_the_attempts_that_its_checkpoint_learned_from(tmp_path, monkeypatch, place, kept):
    history(tmp_path, q0=[False] * 5 + [None])
    trainer = make(tmp_path, monkeypatch, budget=20)
    trainer.resumed_from.manifest = manifest(place)
    turns = trainer._take_up(Rules(20, 4))
    assert [each.attempt for each in turns["0"]] == list(range(1, kept + 1))
    assert [each.attempt for each in RunFiles(tmp_path).read_turns().get("0", [])] == list(range(1, kept + 1))


def test_a_question_that_the_files_show_to_be_over_is_over_whatever_the_checkpoint(tmp_path, monkeypatch):
    history(tmp_path, q0=[False, False, True], q1=[False] * 6)
    trainer = make(tmp_path, monkeypatch, budget=6)
    rules = Rules(6, 4)
    trainer.questions = Questions(("0", "1", "2"), rules, trainer._take_up(rules))
    trainer._load_checkpoint()
    assert {name: result["first_success"] for name, result in trainer.results.items()} == {"0": 3, "1": None}
    assert [question.name for question in trainer.questions.current(9)] == ["2"]


@pytest.mark.parametrize("method", ["best_of_k", "multi_turn"])
def test_a_baseline_goes_on_from_the_files_alone(tmp_path, monkeypatch, method):
    history(tmp_path, q0=[False] * 5 + [None, False])
    trainer = make(tmp_path, monkeypatch, method, budget=20)
    assert [each.attempt for each in trainer._take_up(Rules(20, 4))["0"]] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("steps", "place", "returns"),
    [
        (0, None, False),
        (7, {"question": "0", "attempts": 4}, False),
        (7, {"question": "1", "attempts": 4}, True),
        (7, None, True),
    ],
)
def test_a_checkpoint_of_another_question_is_left_for_the_base(tmp_path, monkeypatch, steps, place, returns):
    trainer = make(tmp_path, monkeypatch, budget=20, history={"0": [turn(1), turn(2), turn(3), turn(4)]})
    trainer.resumed_from.manifest, trainer.global_steps = manifest(place), steps
    trainer._load_checkpoint()
    # The base is taken before a checkpoint's weights are there.
    assert trainer.log == ["remember 5", "load"] + ["return"] * returns


def test_a_checkpoint_knows_its_question_and_how_far_it_was(tmp_path, monkeypatch):
    trainer = make(tmp_path, monkeypatch, budget=20, history={"0": [turn(1), turn(2)]})
    assert trainer._manifest().run[module.PLACE] == {"question": "0", "attempts": 2}
    trainer.questions.close("0")
    trainer.questions.close("1")
    assert module.PLACE not in trainer._manifest().run


def test_the_multi_turn_baselines_first_prompt_is_the_datasets_question(tmp_path, monkeypatch):
    from verl_sdpo.algorithm.reprompt_config import RepromptConfig

    trainer = make(tmp_path, monkeypatch, "multi_turn", budget=3)
    trainer.self_distillation = SimpleNamespace(reprompt=RepromptConfig())
    trainer.prompt_renderer = lambda messages, extra_info: messages[-1]["content"].split()
    trainer.tokenizer = SimpleNamespace(all_special_tokens=[])
    monkeypatch.setattr(trainer, "_only_generate", lambda metrics, timing_raw, num_rows: num_rows)
    [row] = trainer._rows(trainer.questions["0"], range(1, 2))
    assert row["raw_prompt"] == trainer.train_dataset[0]["raw_prompt"]
    ask(trainer)
    trainer._step_once({}, {}, 1)
    [row] = trainer._rows(trainer.questions["0"], range(2, 3))
    assert row["raw_prompt"][-1]["content"].startswith("Question 0\nThe following is feedback")
    assert trainer.train_dataset[0]["raw_prompt"] == [{"role": "user", "content": "Question 0"}]
