# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The trainer around verl's loop: where a run goes on, what a step asks for, and when the model returns to its base."""

import json
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from recipe import run_metrics
from verl_sdpo.checkpoint.manifest import Manifest
from verl_sdpo.config.test_time import TestTimeConfig as Options
from verl_sdpo.test_time import trainer as module
from verl_sdpo.test_time.recording import FIRST_ATTEMPT, QUESTION
from verl_sdpo.test_time.run_files import RunFiles
from verl_sdpo.test_time.turns import Questions, Rules, Turn
from verl_sdpo.trainer.watching import Watching
from verl_sdpo.watch.budget import Budget


def turn(attempt, success=False):
    return Turn(attempt, f"r{attempt}", float(success), success, "wrong")


def manifest(place):
    return Manifest(1, 0, "", "", {}, {}, {} if place is None else {module.PLACE: place})


class FakeTrainer:
    """What stands behind the mixin: verl's step, as far as it is asked."""

    # As they are behind it in a run.
    _end_if_spent, _plan_end = Watching._end_if_spent, Watching._plan_end

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
    made.total_training_steps, made.budget = 1000, Budget()
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


class Killed(Exception):
    pass


def start_baseline(folder, monkeypatch, kill_at=None, max_seconds=None):
    """verl's loop over one start of best-of-k, two of eight attempts a step; returns the trainer at its end.

    Args:
        kill_at: (step, attempt): all is over before the verdict on this attempt, of the two that this step makes.
        max_seconds: `trainer.max_time`; a step takes 2.5 of them.
    """
    trainer = make(folder, monkeypatch, "best_of_k", budget=8, n=2)
    trainer.budget.max_seconds = max_seconds
    trainer.results = trainer.run_files.read_results(trainer.identity)
    rules = Rules(8, 2)
    trainer.questions = Questions(("0", "1"), rules, trainer._take_up(rules), trainer.results)
    trainer.global_steps = 0

    def generate(metrics, timing_raw, num_rows):
        for name, numbers in trainer._asked.items():
            for number in numbers:
                trainer.run_files.write_attempt(name, number, trainer.global_steps, f"r{number}")
            for number in numbers:
                if (trainer.global_steps, number) == kill_at:
                    raise Killed
                trainer.run_files.write_verdict(name, turn(number))
        return SimpleNamespace(tags=[{} for numbers in trainer._asked.values() for _ in numbers])

    monkeypatch.setattr(trainer, "_only_generate", generate)
    trainer._load_checkpoint()
    # As verl's file logger: every start empties it.
    with (folder / run_metrics.METRICS).open("w") as log:
        trainer.global_steps += 1
        while trainer.questions.num_waiting and trainer.global_steps <= trainer.total_training_steps:
            ask(trainer)
            metrics = {}
            batch = trainer._step_once(metrics, {})
            trainer._compute_metrics(batch, metrics, {"step": 2.5})
            log.write(json.dumps({"step": trainer.global_steps, "data": metrics}) + "\n")
            trainer.global_steps += 1
    return trainer


@pytest.mark.parametrize(
    ("kill_at", "steps"),
    [
        # Nothing of the fifth step is kept: it is made again.
        ((5, 1), [1, 2, 3, 4, 5, 6, 7, 8]),
        # Half of it is: what is left is asked from the sixth on, and the fifth has no line.
        ((5, 2), [1, 2, 3, 4, 6, 7, 8, 9]),
    ],
)
def test_a_baselines_log_steps_and_counts_go_on_where_it_was_killed(tmp_path, monkeypatch, kill_at, steps):
    with pytest.raises(Killed):
        start_baseline(tmp_path, monkeypatch, kill_at=kill_at)
    run_metrics.put_metrics_aside(tmp_path)
    start_baseline(tmp_path, monkeypatch)
    run_metrics.join_metrics(tmp_path)
    logged = [json.loads(line) for line in (tmp_path / run_metrics.METRICS).read_text().splitlines()]
    assert [record["step"] for record in logged] == steps
    made = [json.loads(line) for line in (tmp_path / "attempts.jsonl").read_text().splitlines()]
    assert [(line["question"], line["attempt"]) for line in made] == [(q, k) for q in "01" for k in range(1, 9)]
    # No step's number is given twice: each is one batch, or what is left of one.
    assert [line["step"] for line in made] == sorted(line["step"] for line in made)
    assert {line["step"] for line in made} == set(steps) | {5}
    assert all([line["step"] for line in made].count(step) <= 2 for step in steps)
    # Every attempt that is kept was paid for once; of a step that was killed nobody knows the time.
    assert logged[-1]["data"]["budget/generations"] == 16
    assert [record["data"]["budget/seconds"] for record in logged] == [2.5 * k for k in range(1, 9)]


def test_a_baselines_time_is_bounded_over_all_its_starts(tmp_path, monkeypatch):
    with pytest.raises(Killed):
        start_baseline(tmp_path, monkeypatch, kill_at=(3, 6), max_seconds=10.0)
    # Two steps took 5 s, and half of the killed one is kept: two more fit.
    assert start_baseline(tmp_path, monkeypatch, max_seconds=10.0).global_steps - 1 == 5
    # And then none.
    trainer = start_baseline(tmp_path, monkeypatch, max_seconds=10.0)
    assert (trainer.global_steps - 1, trainer.budget.seconds) == (5, 10.0)


def test_sdpo_goes_on_after_the_steps_of_a_question_that_ended_beyond_its_checkpoint(tmp_path, monkeypatch):
    files = RunFiles(tmp_path)
    for step in range(1, 9):
        question, first = ("0", 2 * step - 1) if step <= 6 else ("1", 2 * step - 13)
        for number in (first, first + 1):
            files.write_attempt(question, number, step, "r")
            files.write_verdict(question, turn(number, (step, number) == (6, 12)))
        files.write_spent(step, Budget(seconds=10.0 * step, generations=2 * step).state_dict())
    trainer = make(tmp_path, monkeypatch, budget=20, n=2)
    # Of the first question's fourth step; it was solved at its sixth, and the second one's two are made again.
    trainer.resumed_from.manifest = manifest({"question": "0", "attempts": 8})
    trainer.global_steps, trainer.budget = 4, Budget(seconds=41.0, generations=8)
    rules = Rules(20, 2)
    trainer.questions = Questions(("0", "1"), rules, trainer._take_up(rules))
    trainer._load_checkpoint()
    assert trainer.log == ["remember 5", "load", "return"]
    assert (trainer.global_steps, trainer.budget.seconds, trainer.budget.generations) == (6, 60.0, 12)
    # Killed in its next step: the lines of steps that are made again count no more.
    again = make(tmp_path, monkeypatch, budget=20, n=2)
    again.resumed_from.manifest = trainer.resumed_from.manifest
    again._take_up(rules)
    assert [json.loads(line)["step"] for line in (tmp_path / "spent.jsonl").read_text().splitlines()] == [*range(1, 7)]


def test_a_checkpoint_of_the_question_in_progress_has_its_own_counts(tmp_path, monkeypatch):
    history(tmp_path, q0=[False] * 4)
    RunFiles(tmp_path).write_spent(1, Budget(seconds=99.0, generations=99).state_dict())
    trainer = make(tmp_path, monkeypatch, budget=20)
    trainer.resumed_from.manifest = manifest({"question": "0", "attempts": 4})
    trainer.global_steps, trainer.budget = 1, Budget(seconds=7.0, generations=4)
    rules = Rules(20, 4)
    trainer.questions = Questions(("0", "1"), rules, trainer._take_up(rules))
    trainer._load_checkpoint()
    assert (trainer.global_steps, trainer.budget.seconds, trainer.budget.generations) == (1, 7.0, 4)
