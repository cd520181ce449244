# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The command, from folders to files; and what the figures show, read from their axes."""

import json
from dataclasses import replace

import numpy as np
import pytest
from matplotlib import image, pyplot

from tests.reports.run_folders import ACCURACY, RECORDED, steps, write_run
from verl_sdpo.reports import __main__, bar_figures, curve_figures, discovery_figures
from verl_sdpo.reports.figures import panels, styles
from verl_sdpo.reports.history import combine
from verl_sdpo.reports.identity import Identity
from verl_sdpo.reports.measures import Options
from verl_sdpo.reports.paper import paper_tables
from verl_sdpo.reports.runs import Run, find_runs
from verl_sdpo.reports.tables import fill
from verl_sdpo.statistics.bootstrap import interval


def report(capsys, *arguments):
    """Exit status, standard output, standard error."""
    status = __main__.main(list(map(str, arguments)))
    return status, *capsys.readouterr()


def written(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def runs(tmp_path):
    folder = tmp_path / "runs"
    for method, best in (("sdpo", 0.8), ("grpo", 0.7)):
        for seed in (0, 1):
            records = steps([0.4, *np.linspace(0.5, best, 10)], **{"response_length/mean": 1000 * best})
            for step, data in records[1:]:
                data["budget/generations"] = 256 * step
            write_run(folder / method / f"seed{seed}", records, state="finished", method=method, seed=seed)
    return folder


def test_the_recorded_quickstart_gives_the_table_that_its_log_says(tmp_path, capsys):
    status, out, err = report(capsys, RECORDED, "--output", tmp_path)
    assert (status, err) == (0, "")
    assert out.splitlines()[1].split() == "quickstart quickstart/passphrase base_model 1 0 0 0 1 0".split()
    [row] = [line for line in (tmp_path / "index.md").read_text().splitlines() if line.startswith("| quickstart |")]
    # Accuracies at steps 10, 20, ..., 60: as the log has them.
    log = [json.loads(line)["data"] for line in (RECORDED / "metrics.jsonl").open()]
    curve = [100 * data[name] for data in log for name in data if name.endswith("passphrase/acc/mean@4")]
    assert (len(curve), curve[0], max(curve), curve[-1]) == (7, 0.0, 99.21875, 99.21875)
    mean = sum(curve[1:]) / 6
    hours = sum(data.get("timing_s/step", 0) for data in log) / 3600
    expected = ["sdpo", "1", "4", "0.0", "99.2", "99.2", f"{mean:.1f}", "60", "7,680", f"{hours:.2f}", "4.0"]
    assert [text.strip() for text in row.strip("|").split("|")][3:] == expected
    assert "Without any run: Table 3, Table 7" in (tmp_path / "index.md").read_text()


def test_what_any_model_was_evaluated_on_is_in_the_index(tmp_path, capsys):
    """Not the paper's models only; what was evaluated and not trained is in no list of trainings."""
    for seed, scores in enumerate([{"ifeval": 0.8, "mmlu_pro": 0.6}, {"ifeval": 0.7}]):
        run = write_run(
            tmp_path / "runs" / str(seed),
            experiment="forgetting",
            task="harness",
            model="own",
            method="grpo",
            seed=seed,
        )
        results = {
            task: {"prompt_level_strict_acc,none": score, "exact_match,custom-extract": score}
            for task, score in scores.items()
        }
        (run / "evaluation").mkdir()
        (run / "evaluation" / "results_1.json").write_text(json.dumps({"results": results}))
    write_run(tmp_path / "runs" / "not_yet", experiment="forgetting", task="harness", model="own", method="sdpo")
    assert report(capsys, tmp_path / "runs", "--output", tmp_path / "out")[0] == 0
    _, trained, evaluated = (tmp_path / "out/index.md").read_text().partition("# The paper")[0].split("## All ")
    # Nothing says that the third one is no training.
    assert trained.startswith("training runs")
    assert "| sdpo |" in trained
    assert "grpo" not in trained
    title, _, header, _, row = evaluated.strip().splitlines()
    assert title == "benchmarks"
    assert header == "| experiment | task | model | method | runs | IFEval | MMLU-Pro |"
    assert row == "| forgetting | harness | own | grpo | 2 | 75.0 ± 5.0 | 60.0 (1) |"


def listed(output, first="science_qa"):
    """Of the lists of all runs the rows of an experiment, by column."""
    text = (output / "index.md").read_text().partition("# The paper")[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:2] == "| "]
    header = next(line for line in lines if line[0] == "experiment")
    return [dict(zip(header, line, strict=True)) for line in lines if line[0] == first]


def test_what_a_run_did_not_log_is_missing_and_never_zero(tmp_path, capsys):
    folder = tmp_path / "runs"
    # Half an hour a step.
    for seed, num_steps in enumerate((11, 3, 1)):
        write_run(folder / str(seed), steps([0.4] + num_steps * [0.5]), state="finished", seed=seed)
    write_run(folder / "queued", state="running", seed=3)
    # As a chart of W&B is exported: accuracies alone.
    exported = write_run(folder / "exported", method="grpo")
    (exported / "history.csv").write_text(f"Step,run - {ACCURACY}\n0,0.4\n10,0.6\n")
    hydra = exported / "hydra" / ".hydra"
    hydra.mkdir(parents=True)
    (hydra / "config.yaml").write_text("data: {train_batch_size: 4}\nactor_rollout_ref: {rollout: {n: 8}}\n")
    assert report(capsys, folder, "--output", tmp_path / "out", "--no-figures")[0] == 0
    grpo, sdpo = listed(tmp_path / "out")
    # Sample deviation of 11, 3, 1 steps: sqrt(28), over sqrt(3).
    assert (sdpo["runs"], sdpo["steps"], sdpo["hours"]) == ("4 (1 running)", "5 ± 3 (3)", "2.50 ± 1.53 (3)")
    # As many as there are runs needs no count.
    assert grpo["runs"] == "1"
    assert (grpo["best"], grpo["steps"], grpo["hours"], grpo.get("generations", "–")) == ("60.0", "–", "–", "–")


def test_groups_say_how_many_of_their_runs_are_not_finished(tmp_path, capsys):
    for seed, state in enumerate(("finished", "running", "failed", "failed", None)):
        write_run(tmp_path / "runs" / str(seed), steps([0.4, 0.5]), state=state, seed=seed)
    assert report(capsys, tmp_path / "runs", "--output", tmp_path / "out", "--no-figures")[0] == 0
    [row] = listed(tmp_path / "out")
    assert (row["runs"], row["steps"]) == ("5 (1 running, 2 failed)", "1")
    text = " ".join((tmp_path / "out/index.md").read_text().split())
    assert "runs that are running or failed count with what they have logged so far" in text
    assert "in brackets over how many where that is not all of them" in text


def test_the_same_runs_give_the_same_bytes_wherever_the_report_goes(runs, tmp_path, capsys):
    for name in ("a", "b"):
        assert report(capsys, runs, "--output", tmp_path / name)[0] == 0
    first, second = written(tmp_path / "a"), written(tmp_path / "b")
    assert first == second
    kinds = {name.rpartition(".")[2] for name in first}
    assert kinds == {"md", "csv", "png", "svg"}
    index = first["index.md"].decode()
    for name in first:
        assert name == "index.md" or name in index, name


def test_every_picture_shows_something(runs, tmp_path, capsys):
    report(capsys, runs, "--output", tmp_path / "out")
    pictures = sorted((tmp_path / "out/figures").glob("*.png"))
    assert [path.stem for path in pictures] == ["accuracy_science_qa_qwen3-8b", "response_length_science_qa_qwen3-8b"]
    for path in pictures:
        pixels = image.imread(path)[..., :3]
        # Blue and orange lines, on white.
        for color in ((0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00)):
            assert (np.abs(pixels - np.array(color) / 255).max(axis=-1) < 0.02).sum() > 50
        assert (pixels.min(axis=-1) > 0.99).mean() > 0.5


def test_tables_alone_need_no_figures(runs, tmp_path, capsys):
    report(capsys, runs, "--output", tmp_path / "out", "--no-figures")
    assert not (tmp_path / "out/figures").exists()
    assert "# Figures" not in (tmp_path / "out/index.md").read_text()


def test_smoke_runs_are_reported_apart(runs, tmp_path, capsys):
    write_run(tmp_path / "runs/smoke", steps([0.1, 0.2]), seed=5, smoke=True)
    status, out, _ = report(capsys, runs, "--output", tmp_path / "out", "--no-figures")
    assert (status, "left out: 1 smoke runs, which --smoke shows" in out) == (0, True)
    assert ",5,0,val-core" not in (tmp_path / "out/metrics.csv").read_text()
    status, out, _ = report(capsys, runs, "--output", tmp_path / "smoke", "--no-figures", "--smoke")
    assert (status, "left out: 4 not made with SMOKE=1" in out) == (0, True)
    assert ",5,0,val-core" in (tmp_path / "smoke/metrics.csv").read_text()


def test_a_refused_run_is_named_and_the_others_are_reported(runs, tmp_path, capsys):
    (runs / "sdpo/seed1/run.json").unlink()
    status, out, _ = report(capsys, runs, "--output", tmp_path / "out", "--no-figures")
    assert status == 0
    [line] = [line for line in out.splitlines() if line.startswith("left out: ")]
    assert "sdpo/seed1: neither run.json nor" in line
    assert line in (tmp_path / "out/index.md").read_text()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "is no folder: name run folders"),
        (lambda folder: folder.mkdir(), "no run to report in"),
        (lambda folder: [write_run(folder / name, steps([0.1])) for name in "ab"], "are both science_qa"),
    ],
)
def test_what_cannot_be_reported_ends_with_one_line(tmp_path, capsys, make, message):
    make(tmp_path / "runs")
    status, _, err = report(capsys, tmp_path / "runs", "--output", tmp_path / "out")
    assert (status, err.count("\n"), err.startswith("report error: "), message in err) == (1, 1, True, True)
    assert not (tmp_path / "out").exists()


def test_a_metric_that_some_runs_have_is_averaged_over_those(tmp_path, capsys):
    for seed, source in enumerate("abb"):
        records = steps([0.1, 0.2 * (seed + 1)], metric=f"val-core/{source}/acc/mean@16")
        write_run(tmp_path / "runs" / source / str(seed), records, state="finished", seed=seed)
    asked = (tmp_path / "runs", "--output", tmp_path / "out", "--no-figures", "--metric", "val-core/b/acc/mean@16")
    assert report(capsys, *asked)[0] == 0
    [row] = listed(tmp_path / "out")
    assert (row["runs"], row["best"]) == ("3", "50.0 ± 10.0 (2)")
    assert "sdpo/seed0: does not log val-core/b/acc/mean@16" in (tmp_path / "out/index.md").read_text()


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("val-core/science/acc/mean@61", "no run logs val-core/science/acc/mean@61"),
        ("val-core/science/acc/best@16/mean", "val-core/science/acc/best@16/mean is no accuracy"),
        ("response_length/mean", "response_length/mean is no accuracy"),
    ],
)
def test_a_metric_that_nothing_can_be_made_from_is_refused(runs, tmp_path, capsys, metric, message):
    status, _, err = report(capsys, runs, "--output", tmp_path / "out", "--metric", metric)
    assert (status, err.count("\n"), f"report error: --metric: {message}" in err) == (1, 1, True)
    assert err.endswith("logged are val-core/science/acc/mean@16\n")
    assert not (tmp_path / "out").exists()


# What is drawn


def run_of(seed, records, variant="", results=None, generations=None, state="finished"):
    who = Identity("science_qa", "chemistry", "qwen3-8b", "sdpo", variant, seed)
    return Run(who, None, state, combine(records), generations, results)


def test_a_line_is_the_mean_over_seeds_at_the_steps_that_all_have():
    first = run_of(0, steps([0.2, 0.4, 0.6, 0.8], seconds=3600.0), generations=100)
    second = run_of(1, steps([0.4, 0.8, 1.0], seconds=7200.0), generations=100)

    def accuracy(run):
        return curve_figures.accuracy_curve(run)

    points, remarks = curve_figures.line([first, second], curve_figures.X_AXES["generations"], accuracy)
    assert remarks == []
    # Sample deviation of two values a, b is |a - b| / sqrt(2), the standard error half of |a - b|.
    assert points == [
        pytest.approx((0, 30, 10)),
        pytest.approx((100, 60, 20)),
        pytest.approx((200, 80, 20)),
    ]
    hours, _ = curve_figures.line([first, second], curve_figures.X_AXES["hours of training"], accuracy)
    assert [x for x, _, _ in hours] == pytest.approx([0, 1.5, 3])


def test_a_run_without_the_axis_is_in_no_line():
    without = run_of(0, steps([0.2, 0.4]))
    why = f"{without.identity}: budget/generations is not logged"
    made = curve_figures.line([without], curve_figures.X_AXES["generations"], curve_figures.accuracy_curve)
    assert made == ([], [why])
    figure, axes = panels(1, 1)
    remarks = curve_figures.draw(
        axes[0, 0], {"sdpo": [without]}, curve_figures.X_AXES["generations"], curve_figures.accuracy_curve
    )
    assert (remarks, axes[0, 0].lines[:]) == ([why], [])
    pyplot.close(figure)


def hours_line(*runs):
    return curve_figures.line(runs, curve_figures.X_AXES["hours of training"], curve_figures.accuracy_curve)


def test_a_seed_that_has_just_begun_or_failed_early_does_not_shorten_its_methods_line():
    whole = [run_of(seed, steps([0.2, 0.4, 0.6, 0.8 + 0.1 * seed])) for seed in (0, 1)]
    begun = run_of(2, [(0, {ACCURACY: 0.2})], state="running")
    failed = run_of(3, steps([0.0, 0.0]), state="failed")
    points, remarks = hours_line(*whole, begun, failed)
    assert points == hours_line(*whole)[0]
    assert [mean for _, mean, _ in points] == pytest.approx([20, 40, 60, 85])
    assert remarks == [
        f"{begun.identity}: no step's time is logged",
        f"{failed.identity}: failed at step 1, not in the mean of the finished runs",
    ]
    # Nothing finished yet: what is still running is shown, and what failed is not.
    running = [replace(run, state="running") for run in whole]
    points, remarks = hours_line(*running, failed)
    assert (len(points), remarks) == (
        4,
        [f"{failed.identity}: failed at step 1, not in the mean of the running runs"],
    )
    assert len(hours_line(failed)[0]) == 2


def test_runs_that_were_never_validated_at_the_same_step_have_no_line_and_a_word():
    first, second = run_of(0, steps([None, 0.2, None])), run_of(1, steps([None, None, 0.4]))
    assert hours_line(first, second) == (
        [],
        [f"{first.identity} and 1 more: no step that all of them have"],
    )


def test_what_is_in_no_figure_is_said_in_the_index(runs, tmp_path, capsys):
    write_run(runs / "sdpo/seed2", steps([0.4, 0.5]), state="failed", method="sdpo", seed=2)
    for method, firsts in (("sdpo", (3, None)), ("best_of_k", (5, 6, 7)), ("multi_turn", ())):
        told = {"experiment": "test_time", "task": "x", "method": method, "state": "running"}
        write_run(runs / "later" / method, results=results_of(*firsts), **told)
    assert report(capsys, runs, "--output", tmp_path / "out")[0] == 0
    text = (tmp_path / "out/index.md").read_text()
    picture = "discovery_test_time_x_qwen3-8b"
    assert "x, qwen3-8b: 2 questions" in (tmp_path / f"out/figures/{picture}.svg").read_text()
    assert "sdpo (1 seed)" in (tmp_path / f"out/figures/{picture}.svg").read_text()
    left_out = text.partition("# Figures")[2].partition("Not drawn")[2].partition("# Files")[0]
    assert left_out.strip().splitlines()[2:] == [
        "- science_qa/chemistry/qwen3-8b/sdpo/seed2: budget/generations is not logged",
        "- science_qa/chemistry/qwen3-8b/sdpo/seed2: failed at step 1, not in the mean of the finished runs",
        "- test_time/x/qwen3-8b/multi_turn/seed0: no question is over",
        f"- {picture}: of 3 questions that are over the 2 that all runs have",
    ]


def test_test_time_runs_without_a_common_question_have_no_figure_and_a_word(tmp_path):
    runs = [run_of(0, (), results=results_of(2)), run_of(1, (), results=results_of(None, 3))]
    del runs[1].results["questions"]["0"]
    made = discovery_figures.discovery_figures(runs, [], tmp_path)
    assert made == (
        [],
        ["discovery_science_qa_chemistry_qwen3-8b: of 2 questions that are over the 0 that all runs have"],
    )


def test_a_method_has_its_colour_whatever_else_is_drawn():
    assert styles(["grpo", "sdpo"])["sdpo"] == styles(["sdpo", "sdpo_teacher_live"])["sdpo"] == styles(["SDPO"])["SDPO"]
    many = styles([f"variant{number}" for number in range(6)] + ["sdpo"])
    assert len({style["color"] for style in many.values()}) == 7


def test_missing_bars_are_words_and_not_bars(tmp_path):
    told = {"experiment": "livecodebench", "task": "v6", "variant": "teacher_live"}
    write_run(tmp_path / "0", steps([0.2, 0.4]), **told)
    [table] = [table for table in paper_tables() if table.name == "table4"]
    made = fill(table, find_runs([tmp_path])[0], Options())
    shown = []
    saved = bar_figures.save
    bar_figures.save = lambda figure, folder, name: shown.append(figure)
    try:
        bar_figures.bar_figure(made, tmp_path)
    finally:
        bar_figures.save = saved
    panel = shown[0].axes[0]
    assert [bar.get_height() for bar in panel.patches] == pytest.approx([40])
    assert [text.get_text() for text in panel.texts] == ["missing"] * 3
    assert panel.get_ylim()[0] == 0
    pyplot.close(shown[0])


def results_of(*firsts, budget=10):
    questions = {
        str(number): {"first_success": first, "generations": first or budget} for number, first in enumerate(firsts)
    }
    return {"method": "sdpo", "seed": 0, "budget": budget, "questions": questions}


def test_the_discovery_curve_and_its_band_are_those_of_the_seeds():
    runs = [run_of(0, (), results=results_of(2, None)), run_of(1, (), results=results_of(2, 5))]
    curve, places, low, high = discovery_figures.curve_and_band(runs, frozenset("01"))
    # One question of two at 2 for both seeds; the second one at 5 for one seed.
    assert curve.tolist() == [0, 50, 50, 50, 75, 75, 75, 75, 75, 75]
    assert places.tolist() == list(range(1, 11))
    assert (low[:4].tolist(), high[:4].tolist()) == ([0, 50, 50, 50], [0, 50, 50, 50])
    assert (low[9], high[9]) == interval(np.array([50.0, 100.0]), level=0.9, resamples=2000) == (50, 100)


def test_the_band_s_level_is_the_paper_s():
    firsts = (1, 1, 1, 2, 3, 4, 5, 7, None, None)
    runs = [run_of(seed, (), results=results_of(first)) for seed, first in enumerate(firsts)]
    curve, _, low, high = discovery_figures.curve_and_band(runs, frozenset("0"))
    solved = np.array([100.0 * (first is not None and first <= 7) for first in firsts])
    assert curve[6] == pytest.approx(80)
    # Of ten seeds eight have solved it: percentiles 5 and 95 of the share of a binomial with 10 and 0.8.
    assert (low[6], high[6]) == interval(solved, level=0.9, resamples=2000) == (60, 100)


def test_discovery_is_drawn_of_the_questions_that_all_methods_tried(tmp_path, capsys):
    for method, firsts in (("sdpo", (1, 2, 3)), ("best_of_k", (5, None))):
        write_run(
            tmp_path / "runs" / method, results=results_of(*firsts), experiment="test_time", task="x", method=method
        )
    assert report(capsys, tmp_path / "runs", "--output", tmp_path / "out")[0] == 0
    picture = "discovery_test_time_x_qwen3-8b"
    assert "x, qwen3-8b: 2 questions" in (tmp_path / f"out/figures/{picture}.svg").read_text()
    rows = [line for line in (tmp_path / "out/index.md").read_text().splitlines() if line.startswith("| test_time |")]
    # (5 + 10) / 2, of which one is solved, and (1 + 2 + 3) / 3.
    assert [[text.strip() for text in row.split("|")[4:-1]] for row in rows] == [
        ["best_of_k", "1", "2", "1.0", "10", "7.5", "50.0"],
        ["sdpo", "1", "3", "3.0", "10", "2.0", "100.0"],
    ]
    text = " ".join((tmp_path / "out/index.md").read_text().split())
    assert "| questions | solved | budget | first success | discovery@budget |" in text
    assert "a question that is not solved counts there with the budget" in text
