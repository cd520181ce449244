# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Each measure on a run whose numbers are known by hand."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.reports.run_folders import ACCURACY, RECORDED, steps
from verl_sdpo.reports import measures
from verl_sdpo.reports.curves import NotThereError, generations_by_step, last_step, seconds_by_step
from verl_sdpo.reports.history import combine
from verl_sdpo.reports.identity import Identity
from verl_sdpo.reports.measures import Options
from verl_sdpo.reports.runs import Run, read_run

OPTIONS = Options()


def make_run(records=(), state="finished", results=None, folder=Path("nowhere"), **more):
    who = Identity("science_qa", "chemistry", "qwen3-8b", "sdpo", "", 0)
    return Run(who, folder, state, combine(records), results=results, **more)


# Half an hour a step: step 2 is the first hour's last, step 10 the fifth hour's.
CURVE = [0.9, 0.1, 0.3, 0.7, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.5, 0.95]


@pytest.mark.parametrize(("hours", "best"), [(0.5, 10.0), (1, 30.0), (1.25, 30.0), (1.5, 70.0), (5, 70.0), (5.5, 95.0)])
def test_best_within_hours_counts_training_time_and_not_the_model_before_it(hours, best):
    measured = measures.best_within_hours(make_run(steps(CURVE)), OPTIONS, hours)
    assert (measured.value, measured.short, measured.answers) == (pytest.approx(best), "", 16)


def test_hours_are_those_that_the_budget_counted_where_it_is_logged():
    # A resumed run: the log's own sum would be 2 x 1,800 s; the budget knows of the steps before.
    records = [
        (step, {"timing_s/step": 1800.0, "budget/seconds": 1800.0 * step, ACCURACY: 0.1 * step}) for step in (3, 4)
    ]
    run = make_run(records)
    assert seconds_by_step(run.history) == {0: 0.0, 3: 5400.0, 4: 7200.0}
    assert measures.best_within_hours(run, OPTIONS, 1.5).value == pytest.approx(30)
    with pytest.raises(NotThereError, match="no validation in this time"):
        measures.best_within_hours(run, OPTIONS, 1)


def test_without_the_budget_a_log_that_lacks_steps_has_no_hours():
    run = make_run([(step, {"timing_s/step": 1.0, ACCURACY: 0.5}) for step in (1, 3)])
    with pytest.raises(NotThereError, match="lacks steps"):
        measures.best_within_hours(run, OPTIONS, 1)


def test_a_log_of_accuracies_alone_has_neither_hours_nor_generations_but_its_steps():
    run = make_run([(0, {ACCURACY: 0.3}), (50, {ACCURACY: 0.5}), (100, {ACCURACY: 0.4})], generations_per_step=8)
    for ask in (lambda: seconds_by_step(run.history), lambda: generations_by_step(run), lambda: last_step(run.history)):
        with pytest.raises(NotThereError, match="no step's time is logged"):
            ask()
    with pytest.raises(NotThereError, match="no log"):
        seconds_by_step({})
    # It went past step 60, though nothing was validated there.
    assert measures.best_by_step(run, OPTIONS, 60).short == ""
    assert measures.best_by_step(run, OPTIONS, 101).short == "step 100"
    with pytest.raises(NotThereError, match="failed at step 100"):
        measures.best(replace(run, state="failed"), OPTIONS)


def test_validation_and_initialisation_are_no_training_time():
    records = [(1, {"timing_s/step": 10.0, "timing_s/testing": 7000.0}), (2, {"timing_s/step": 10.0})]
    assert seconds_by_step(combine(records)) == {0: 0.0, 1: 10.0, 2: 20.0}


def test_a_run_that_ended_before_the_bound_says_where():
    measured = measures.best_within_hours(make_run(steps([0.1, 0.2, 0.3])), OPTIONS, 5)
    assert (measured.value, measured.short) == (pytest.approx(30), "1.00 h")
    # The budget ends a run at the step before which it would be used up: not short.
    assert measures.best_within_hours(make_run(steps([0.1, 0.2, 0.3], seconds=1790)), OPTIONS, 1).short == ""


@pytest.mark.parametrize("state", ["running", "failed"])
def test_an_unfinished_run_counts_for_what_it_has_passed_and_for_nothing_else(state):
    run = make_run(steps([0.1, 0.2, 0.4, 0.3]), state)
    assert measures.best_within_hours(run, OPTIONS, 1).value == pytest.approx(40)
    assert measures.best_by_step(run, OPTIONS, 3).value == pytest.approx(40)
    for measure in (
        lambda: measures.best_within_hours(run, OPTIONS, 5),
        lambda: measures.best_by_step(run, OPTIONS, 4),
        lambda: measures.average_by_step(run, OPTIONS, 4),
        lambda: measures.best(run, OPTIONS),
        lambda: measures.mean_response_length(run, OPTIONS, 5),
    ):
        with pytest.raises(NotThereError, match=f"{state} at"):
            measure()


def test_best_and_average_by_step_leave_later_steps_and_step_0_out():
    run = make_run(steps([0.9, 0.1, None, 0.5, 0.8]))
    assert measures.best_by_step(run, OPTIONS, 3).value == pytest.approx(50)
    assert measures.average_by_step(run, OPTIONS, 3).value == pytest.approx((10 + 50) / 2)
    assert measures.average_by_step(run, OPTIONS, 90).short == "step 4"
    assert measures.initial_accuracy(run, OPTIONS).value == pytest.approx(90)


def test_response_length_and_entropy_are_means_over_steps():
    run = make_run(steps([0.1, 0.2, 0.3, 0.4], **{"actor/entropy": 0.5}))
    # 100, 200 tokens in the first hour.
    assert measures.mean_response_length(run, OPTIONS, 1).value == 150
    assert measures.mean_entropy(run, OPTIONS, 2).value == 0.5
    with pytest.raises(NotThereError, match="actor/entropy is not logged"):
        measures.mean_entropy(make_run(steps([0.1, 0.2])), OPTIONS, 60)


def test_a_mean_over_steps_needs_no_times_to_know_how_far_it_goes():
    run = make_run([(step, {"actor/entropy": 0.4}) for step in range(1, 91)])
    assert measures.mean_entropy(run, OPTIONS, 60) == measures.Measured(pytest.approx(0.4))
    assert measures.mean_entropy(run, OPTIONS, 100).short == "step 90"


def test_the_self_teachers_accuracy_is_that_before_training():
    teacher = ACCURACY.replace("val-core", "val-self-teacher")
    run = make_run([(0, {ACCURACY: 0.3, teacher: 0.4}), (1, {ACCURACY: 0.5, teacher: 0.9})])
    assert measures.initial_teacher_accuracy(run, OPTIONS).value == pytest.approx(40)
    with pytest.raises(NotThereError, match="self-teacher not validated before training"):
        measures.initial_teacher_accuracy(make_run(steps([0.1, 0.2])), OPTIONS)


def test_accuracy_is_preferred_to_reward_and_more_answers_to_fewer():
    names = ["val-core/a/reward/mean@32", "val-core/a/acc/mean@4", "val-core/a/acc/mean@16"]
    run = make_run([(1, {name: index / 10 for index, name in enumerate(names, start=1)})])
    assert measures.best(run, OPTIONS).value == pytest.approx(30)
    assert measures.best(run, Options(metric=names[0])).value == pytest.approx(10)


def test_of_several_data_sources_one_has_to_be_chosen():
    run = make_run([(1, {"val-core/a/acc/mean@4": 0.1, "val-core/b/acc/mean@4": 0.2})])
    with pytest.raises(NotThereError, match="validates a and b: choose with --metric"):
        measures.best(run, OPTIONS)
    assert measures.best(run, Options(metric="val-core/b/acc/mean@4")).value == pytest.approx(20)


@pytest.mark.parametrize(
    "metric", ["val-core/a/acc/mean@4", "val-core/science/acc/best@16/mean", "response_length/mean"]
)
def test_a_metric_that_is_asked_for_is_taken_or_missing(metric):
    run = make_run(steps([0.1, 0.2]))
    with pytest.raises(NotThereError, match=f"does not log {metric}"):
        measures.best(run, Options(metric=metric))
    with pytest.raises(NotThereError, match="no log"):
        measures.best(make_run(), Options(metric=metric))


def test_scores_of_benchmarks_come_from_the_newest_file_that_has_them(tmp_path):
    folder = tmp_path / "harness" / "model"
    folder.mkdir(parents=True)
    first = {
        "ifeval": {"prompt_level_strict_acc,none": 0.5, "alias": "ifeval"},
        "mmlu_pro": {"exact_match,custom-extract": 0.6},
    }
    (folder / "results_2026-01-01T00-00-00.json").write_text(json.dumps({"results": first}))
    second = {"ifeval": {"prompt_level_strict_acc,none": 0.832}}
    (folder / "results_2026-01-02T00-00-00.json").write_text(json.dumps({"results": second}))
    run = make_run(steps([0.1, 0.2]), folder=tmp_path)
    assert measures.external_score(run, OPTIONS, "ifeval").value == pytest.approx(83.2)
    assert measures.external_score(run, OPTIONS, "mmlu_pro").value == pytest.approx(60)
    with pytest.raises(NotThereError, match="arena_hard_hard not evaluated"):
        measures.external_score(run, OPTIONS, "arena_hard_hard")
    (folder / "arena_hard.json").write_text(json.dumps({"hard": 12.3, "creative": 11}))
    assert measures.external_score(run, OPTIONS, "arena_hard_hard").value == 12.3
    assert measures.external_score(run, OPTIONS, "arena_hard_creative").value == 11
    # Nothing says how the final model does on LiveCodeBench, so its validation does.
    assert measures.evaluated_or_best_by_step(run, OPTIONS, 1).value == pytest.approx(20)
    ours = {"data_sources": {"livecodebench/v6": {"avg@4": {"value": 0.4}, "pass@1": {"value": 0.9}}}}
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / "results.json").write_text(json.dumps(ours))
    measured = measures.evaluated_or_best_by_step(run, OPTIONS, 1)
    assert (measured.value, measured.answers) == (pytest.approx(40), 4)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "true", "null", '"0.5"'])
def test_a_score_that_is_no_finite_number_is_looked_for_in_the_file_before(tmp_path, number):
    folder = tmp_path / "harness"
    folder.mkdir()
    lm_eval = '{{"results": {{"ifeval": {{"prompt_level_strict_acc,none": {}}}}}}}'
    (folder / "results_1.json").write_text(lm_eval.format(0.5))
    (folder / "results_2.json").write_text(lm_eval.format(number))
    ours = f'{{"data_sources": {{"lcb": {{"avg@4": {{"value": {number}}}}}}}}}'
    (folder / "results_3.json").write_text(ours)
    (folder / "arena_hard.json").write_text(f'{{"hard": {number}}}')
    run = make_run(folder=tmp_path)
    assert measures.external_score(run, OPTIONS, "ifeval").value == 50
    for benchmark in ("livecodebench", "arena_hard_hard"):
        with pytest.raises(NotThereError, match=f"{benchmark} not evaluated"):
            measures.external_score(run, OPTIONS, benchmark)


def test_the_recorded_quickstart_has_the_numbers_that_its_own_table_said():
    run = read_run(RECORDED)
    assert measures.initial_accuracy(run, OPTIONS).value == 0
    assert measures.best(run, OPTIONS).value == pytest.approx(99.21875)
    assert measures.best(run, OPTIONS).answers == 4
    assert generations_by_step(run)[60] == 7680
    # What the line of step 60 says, and the one before it.
    assert run.history["timing_s/step"][60] == pytest.approx(5.762, abs=1e-3)
    total = sum(json.loads(line)["data"].get("timing_s/step", 0) for line in (RECORDED / "metrics.jsonl").open())
    assert seconds_by_step(run.history)[60] == pytest.approx(total)
