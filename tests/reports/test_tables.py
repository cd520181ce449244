# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Tables from synthetic logs whose cells are worked out by hand; and the paper's numbers against each other."""

import csv
import io
import json
import math

import pytest

from tests.reports.run_folders import steps, write_run
from verl_sdpo.reports import writing
from verl_sdpo.reports.discoveries import with_parts
from verl_sdpo.reports.measures import MEASURES, Options
from verl_sdpo.reports.paper import paper_tables, parts
from verl_sdpo.reports.runs import find_runs
from verl_sdpo.reports.tables import fill

OPTIONS = Options()


def table(name):
    return next(each for each in paper_tables() if each.name == name)


def filled(name, folder):
    runs, refused = find_runs([folder])
    assert refused == []
    return fill(table(name), runs, OPTIONS)


def cell(made, label, column, model="qwen3-8b"):
    rows = {(row.model, row.label): cells for row, cells in zip(made.table.rows, made.cells)}
    return dict(zip([column.label for column in made.table.columns], rows[model, label]))[column]


def lines_of(markdown):
    rows = [line.split("|")[1:-1] for line in markdown.splitlines() if line.startswith("| ")]
    return [[text.strip() for text in row] for row in rows]


def test_a_cell_is_the_mean_and_the_standard_error_over_seeds(tmp_path):
    # Two steps an hour; best within 1 h: 60, 70, 80; within 5 h: 90 each.
    for seed, best in enumerate((0.6, 0.7, 0.8)):
        write_run(tmp_path / f"{seed}", steps([0.4, 0.5, best, *([0.9] * 8)]), state="finished", seed=seed)
    made = filled("table3", tmp_path)
    first = cell(made, "SDPO", "Chemistry 1 h")
    assert (first.mean, first.num_runs, first.paper.value) == (pytest.approx(70), 3, 73.2)
    # Sample variance of 60, 70, 80 is 100; sqrt(100 / 3).
    assert first.error == pytest.approx(5.7735, abs=1e-4)
    fifth = cell(made, "SDPO", "Chemistry 5 h")
    assert (fifth.mean, fifth.error, fifth.remarks) == (pytest.approx(90), pytest.approx(0), ())
    base = cell(made, "before training", "Chemistry 1 h")
    assert (base.mean, base.paper.value, cell(made, "before training", "Chemistry 5 h").is_empty) == (
        pytest.approx(40),
        41.2,
        True,
    )
    [header, _, *rows] = lines_of(writing.table_markdown(made))
    assert header[3:5] == ["Chemistry 1 h", "Chemistry 5 h"]
    assert rows[6][:5] == ["qwen3-8b", "SDPO", "paper", "73.2", "80.9"]
    assert rows[7][2:5] == ["ours", "70.0 ± 5.8 (3)", "90.0 ± 0.0 (3)"]


def test_missing_runs_are_missing_and_never_zero(tmp_path):
    write_run(tmp_path / "0", steps([0.4, 0.5]), state="running", seed=0)
    write_run(tmp_path / "1", state="running", seed=1)
    made = filled("table3", tmp_path)
    hour = cell(made, "SDPO", "Chemistry 1 h")
    assert (hour.mean, hour.num_runs) == (None, 0)
    assert hour.missing == (
        "science_qa/chemistry/qwen3-8b/sdpo/seed0: running at 0.50 h",
        "science_qa/chemistry/qwen3-8b/sdpo/seed1: no log",
    )
    assert cell(made, "GRPO", "Physics 5 h").missing == ("no run of physics/qwen3-8b/grpo",)
    text = writing.table_markdown(made)
    for reason in (*hour.missing, "no run of physics/qwen3-8b/grpo"):
        assert text.count(f"- {reason}\n") == 1
    [_, _, *rows] = lines_of(text)
    ours = [row for row in rows if row[2] == "ours"]
    assert len(ours) == 8
    # The base model's accuracy is all that there is.
    assert {value for row in ours for value in row[3:]} == {"–", "", "40.0 (1)"}


def test_a_single_run_has_no_standard_error(tmp_path):
    write_run(tmp_path / "0", steps([0.4, *([0.5] * 10)]), state="finished")
    made = cell(filled("table3", tmp_path), "SDPO", "Chemistry 5 h")
    assert math.isnan(made.error)
    assert "| 50.0 (1) |" in writing.table_markdown(filled("table3", tmp_path))


def test_a_run_that_ended_early_and_one_with_other_answers_are_marked(tmp_path):
    write_run(tmp_path / "0", steps([0.4, 0.5, 0.6], metric="val-core/science/acc/mean@4"), state="finished")
    made = filled("table3", tmp_path)
    who = "science_qa/chemistry/qwen3-8b/sdpo/seed0"
    assert cell(made, "SDPO", "Chemistry 1 h").remarks == (f"{who}: avg@4",)
    assert cell(made, "SDPO", "Chemistry 5 h").remarks == (f"{who}: ended after 1.00 h", f"{who}: avg@4")
    text = writing.table_markdown(made)
    assert "| 60.0 (1)† |" in text
    assert f"† Not quite the same measure:\n\n- {who}: avg@4\n- {who}: ended after 1.00 h\n" in text


def test_table_3_has_the_plain_runs_and_table_7_the_best_variant_of_each_task(tmp_path):
    best = {("chemistry", ""): 0.5, ("chemistry", "lr1e-6"): 0.7, ("physics", ""): 0.8, ("physics", "lr1e-6"): 0.6}
    for (task, variant), value in best.items():
        for seed in (0, 1):
            records = steps([0.4, *([value] * 10)])
            write_run(tmp_path / task / f"v{variant}" / f"{seed}", records, task=task, variant=variant, seed=seed)
    plain, chosen = filled("table3", tmp_path), filled("table7", tmp_path)
    assert [cell(plain, "SDPO", f"{task} 5 h").mean for task in ("Chemistry", "Physics")] == [50, 80]
    assert [cell(chosen, "SDPO", f"{task} 5 h").mean for task in ("Chemistry", "Physics")] == pytest.approx([70, 80])
    assert [cell(chosen, "SDPO", f"{task} 5 h").variant for task in ("Chemistry", "Physics")] == ["lr1e-6", ""]
    assert "| 70.0 ± 0.0 (2) lr1e-6 |" in writing.table_markdown(chosen)


def test_a_best_variant_of_fewer_runs_than_another_is_marked_and_the_missing_runs_of_all_are_said(tmp_path):
    for seed in (0, 1, 2):
        write_run(tmp_path / f"plain{seed}", steps([0.4, *([0.6] * 10)]), state="finished", seed=seed)
    write_run(tmp_path / "lucky", steps([0.4, *([0.7] * 10)]), state="finished", variant="lr1e-6")
    write_run(tmp_path / "begun", steps([0.4, 0.5]), state="running", variant="lr1e-5")
    write_run(tmp_path / "plain3", steps([0.4, 0.5]), state="running", seed=3)
    made = filled("table7", tmp_path)
    chosen = cell(made, "SDPO", "Chemistry 5 h")
    assert (chosen.mean, chosen.num_runs, chosen.variant) == (pytest.approx(70), 1, "lr1e-6")
    who = "science_qa/chemistry/qwen3-8b/sdpo"
    assert chosen.remarks == (f"{who}_lr1e-6: the best mean is of 1 run, {who} has 3",)
    assert chosen.missing == (f"{who}/seed3: running at 0.50 h", f"{who}_lr1e-5/seed0: running at 0.50 h")
    assert "| 70.0 (1)† lr1e-6 |" in writing.table_markdown(made)
    # Among as many runs the choice needs no word.
    for seed in (1, 2):
        more = steps([0.4, *([0.7] * 10)])
        write_run(tmp_path / f"lucky{seed}", more, state="finished", variant="lr1e-6", seed=seed)
    assert cell(filled("table7", tmp_path), "SDPO", "Chemistry 5 h").remarks == ()


def test_runs_of_another_model_method_task_or_experiment_are_in_no_cell(tmp_path):
    others = {"model": "Qwen/Qwen3-4B", "method": "gspo", "task": "history", "experiment": "quickstart"}
    for name, value in others.items():
        write_run(tmp_path / name, steps([0.4, *([0.5] * 10)]), **{name: value})
    made = filled("table3", tmp_path)
    shown = {row.label: [c.num_runs for c in cells] for row, cells in zip(made.table.rows, made.cells)}
    assert [shown[name] for name in ("SDPO", "GRPO", "GRPO on-policy")] == [[0] * 10] * 3
    # Whatever trained it: before training the model is the same.
    assert made.cells[0][0].num_runs == 1


def test_the_mean_over_tasks_is_there_when_all_tasks_are(tmp_path):
    tasks = ("chemistry", "physics", "biology", "material", "tooluse")
    # Mean of 100, 200 tokens in two steps; a seed more of chemistry has 100 more.
    for number, task in enumerate(tasks[:-1]):
        write_run(tmp_path / task, steps([0.4, 0.5, 0.6]), task=task, seed=number)
    assert cell(filled("table8", tmp_path), "SDPO", "mean over tasks").mean is None
    for task in tasks:
        records = [(step, data | {"response_length/mean": 250.0}) for step, data in steps([0.4, 0.5, 0.6])]
        write_run(tmp_path / f"{task}1", records, task=task, seed=9)
    write_run(tmp_path / "tooluse0", steps([0.4, 0.5, 0.6]), task="tooluse", seed=0)
    made = cell(filled("table8", tmp_path), "SDPO", "mean over tasks")
    # Each task: 150 and 250, mean 200, standard error 50; five independent tasks: 50 / sqrt(5).
    assert (made.mean, made.num_runs, made.paper.value) == (pytest.approx(200), 2, 255.8)
    assert made.error == pytest.approx(50 / math.sqrt(5))


def test_tables_4_and_6_are_of_the_ablations_and_the_plain_run(tmp_path):
    values = {"": 0.49, "teacher_live": 0.36, "feedback_output": 0.40}
    for variant, value in values.items():
        records = steps([0.28, 0.3, value], **{"actor/entropy": 0.25})
        told = {"experiment": "livecodebench", "task": "v6", "variant": variant}
        write_run(tmp_path / f"v{variant}", records, state="finished", **told)
    teachers, feedback = filled("table4", tmp_path), filled("table6", tmp_path)
    assert cell(teachers, "EMA", "best to step 90").mean == pytest.approx(49)
    assert cell(teachers, "live", "mean to step 90").mean == pytest.approx(33)
    assert cell(teachers, "trust region", "best to step 90").missing == (
        "no run of qwen3-8b/sdpo_teacher_trust_region",
    )
    assert cell(feedback, "output", "best to step 60").mean == pytest.approx(40)
    assert cell(feedback, "output and solution", "entropy").mean == pytest.approx(0.25)
    assert cell(feedback, "output and solution", "entropy").paper.value == 0.38


def test_table_5_has_the_training_run_and_the_evaluation_run_of_a_method(tmp_path):
    told = {"method": "grpo", "model": "Qwen/Qwen3-8B"}
    write_run(tmp_path / "a", steps([0.28, *([0.4] * 80)]), experiment="livecodebench", task="v6", **told)
    harness = write_run(tmp_path / "b", experiment="forgetting", task="harness", **told) / "harness/name__of_model"
    harness.mkdir(parents=True)
    scores = {"results": {"ifeval": {"prompt_level_strict_acc,none": 0.822}}}
    (harness / "results_2026-01-01T00-00-00.000000.json").write_text(json.dumps(scores))
    made = filled("table5", tmp_path)
    assert cell(made, "GRPO", "LiveCodeBench v6").mean == pytest.approx(40)
    assert (cell(made, "GRPO", "IFEval").mean, cell(made, "GRPO", "IFEval").missing) == (pytest.approx(82.2), ())
    assert cell(made, "GRPO", "MMLU-Pro").missing == ("forgetting/harness/qwen3-8b/grpo/seed0: mmlu_pro not evaluated",)


def test_an_evaluation_with_more_answers_than_the_papers_is_marked(tmp_path):
    told = {"experiment": "livecodebench", "task": "v6", "method": "grpo"}
    run = write_run(tmp_path / "a", steps([0.28, 0.4], metric="val-core/lcb/acc/mean@4"), **told)
    (run / "evaluation").mkdir()
    # As `python -m verl_sdpo.evaluate` writes by default.
    ours = {"data_sources": {"livecodebench_v6": {"avg@16": {"value": 0.45}}}}
    (run / "evaluation" / "results.json").write_text(json.dumps(ours))
    made = filled("table5", tmp_path)
    assert cell(made, "GRPO", "LiveCodeBench v6").remarks == ("livecodebench/v6/qwen3-8b/grpo/seed0: avg@16",)
    assert "| 45.0 (1)† |" in writing.table_markdown(made)


def test_section_5s_table_is_of_results_files(tmp_path):
    def write(method, task, seed, firsts, budget=2750, **more):
        found = {
            str(q): {"first_success": first, "generations": first or budget} | more for q, first in enumerate(firsts)
        }
        results = {"method": method, "seed": seed, "budget": budget, "questions": found}
        told = {"experiment": "test_time", "task": task, "method": method, "seed": seed}
        write_run(tmp_path / f"{method}{task}{seed}", results=results, **told)

    # Of nine very hard questions one is solved by the first seed, none by the second.
    write("sdpo", "very_hard", 0, [1000] + [None] * 8)
    write("sdpo", "very_hard", 1, [None] * 9)
    write("sdpo", "hard", 0, [100] * 18)
    # After the paper's 2,750 generations.
    write("best_of_k", "very_hard", 0, [2800] + [None] * 8, budget=2944)
    made = filled("test_time", tmp_path)
    # 2,750 - 1,750 / 9 and 2,750.
    assert cell(made, "SDPO", "first success very hard").mean == pytest.approx(2750 - 1750 / 18)
    assert cell(made, "SDPO", "first success very hard").num_runs == 2
    assert cell(made, "SDPO", "discovery@2750 very hard").mean == pytest.approx(100 / 18)
    [reason] = cell(made, "SDPO", "discovery@2750 hard").missing
    assert reason == "test_time/hard/qwen3-8b/sdpo/seed0: 18 of 19 questions are over"
    assert cell(made, "best of k", "discovery@2750 very hard").mean == 0
    assert cell(made, "best of k", "first success very hard").mean == pytest.approx(2750)
    assert cell(made, "multi-turn", "discovery@2750 hard").missing == ("no run of hard/qwen3-8b/multi_turn",)


def test_very_hard_questions_are_cut_out_of_runs_on_all_that_are_hard(tmp_path):
    [part] = parts()
    assert (part.task, part.of, len(part.questions)) == ("very_hard", "hard", 9)
    # Of Table 10's 19 ids, in order, those that it marks as very hard.
    ids = [1, 3, 10, 43, 46, 59, 69, 74, 86, 91, 92, 95, 100, 103, 111, 120, 125, 127, 129]
    assert [ids[int(row)] for row in sorted(part.questions, key=int)] == [3, 10, 46, 74, 91, 92, 95, 103, 125]

    def write(name, task, firsts, seed):
        found = {question: {"first_success": first, "generations": first or 2750} for question, first in firsts.items()}
        results = {"method": "sdpo", "seed": seed, "budget": 2750, "questions": found}
        write_run(tmp_path / name, results=results, experiment="test_time", task=task, method="sdpo", seed=seed)

    very_hard = dict.fromkeys(part.questions)
    others = {str(row): 50 for row in range(19) if str(row) not in part.questions}
    write("both", "hard", others | very_hard, 0)
    write("both_again", "very_hard", very_hard | {"2": 275}, 0)
    write("hard", "hard", others | very_hard | {"1": 2750}, 1)
    # Not all nine are over.
    write("begun", "hard", others | {"1": 2750}, 2)
    runs, _ = find_runs([tmp_path])
    made = fill(table("test_time"), with_parts(runs, parts()), OPTIONS)
    found = cell(made, "SDPO", "discovery@2750 very hard")
    assert (found.num_runs, found.mean) == (2, pytest.approx(100 / 9))
    # 275 and eight times the bound, and nine times the bound.
    assert cell(made, "SDPO", "first success very hard").mean == pytest.approx(2750 - 2475 / 18)
    assert cell(made, "SDPO", "discovery@2750 hard").num_runs == 2


def test_the_csv_has_every_cell_that_is_asked_for_and_empty_fields_for_what_is_missing(tmp_path):
    write_run(tmp_path / "0", steps([0.4, *([0.5] * 10)]), state="finished")
    rows = list(csv.DictReader(io.StringIO(writing.cells_csv([filled("table3", tmp_path)]))))
    # 6 rows of methods with 10 cells, 2 of base models with 5.
    assert len(rows) == 70
    [there] = [row for row in rows if row["ours"] and row["column"] == "Chemistry 5 h"]
    assert (there["ours"], there["paper"], there["runs"], there["standard_error"]) == ("50", "80.9", "1", "")
    gone = next(row for row in rows if row["row"] == "GRPO" and row["column"] == "Physics 1 h")
    assert (gone["ours"], gone["runs"], gone["missing"]) == ("", "0", "no run of physics/qwen3-8b/grpo")


# The paper's numbers


def test_every_measure_of_the_paper_s_tables_exists():
    names = {column.measure for each in paper_tables() for column in each.columns} - {""}
    names |= {row.measure for each in paper_tables() for row in each.rows} - {None}
    assert names <= set(MEASURES)
    assert len(paper_tables()) == 12
    assert len({each.name for each in paper_tables()}) == 12


def paper(name, label, model="qwen3-8b"):
    [row] = [row for row in table(name).rows if (row.model, row.label) == (model, label)]
    return [None if number is None else number.value for number in row.paper]


MODELS = ("qwen3-8b", "olmo-3-7b-instruct")


def test_the_means_of_table_3_are_near_those_that_the_paper_states():
    means = {
        label: sum(sum(paper("table3", label, model)[1::2]) for model in MODELS) / 10 for label in ("SDPO", "GRPO")
    }
    assert means == {"SDPO": pytest.approx(70.2, abs=0.25), "GRPO": pytest.approx(66.6, abs=0.25)}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("label", ["SDPO", "GRPO", "GRPO on-policy"])
def test_five_hours_are_never_worse_than_one_and_a_choice_for_each_task_hardly_ever_worse_than_one_for_all(
    label, model
):
    one, five, chosen = (
        paper("table3", label, model)[::2],
        paper("table3", label, model)[1::2],
        paper("table7", label, model),
    )
    assert all(a <= b for a, b in zip(one, five))
    # Qwen3-8B SDPO on Material is printed as 78.4 and 78.3.
    assert all(a <= b + 0.11 for a, b in zip(five, chosen))


def test_the_ratio_of_lengths_is_the_one_that_the_paper_states():
    for model in MODELS:
        assert paper("table8", "GRPO on-policy", model)[-1] / paper("table8", "SDPO", model)[-1] == pytest.approx(
            3.2, abs=0.05
        )


@pytest.mark.parametrize("label", ["before training", "SFT on the self-teacher", "GRPO", "SDPO"])
def test_the_holdout_means_are_those_that_the_paper_states(label):
    *_, hard, creative, last, mean = numbers = paper("table5", label)
    assert (numbers[1] + hard + creative + last) / 4 == pytest.approx(mean, abs=0.051)


def test_table_5_has_the_model_before_training_from_any_run_and_the_mean_of_what_was_not_trained(tmp_path):
    for seed, accuracies in enumerate([[0.25, 0.5], [0.29, 0.6]]):
        told = {"experiment": "livecodebench", "task": "v6", "method": "sdpo", "seed": seed}
        write_run(tmp_path / f"trained{seed}", steps(accuracies), state="finished", **told)
    run = write_run(tmp_path / "base", experiment="forgetting", task="harness", method="base")
    (run / "evaluation").mkdir()
    scores = {"ifeval": {"prompt_level_strict_acc": 0.8}, "mmlu_pro": {"exact_match": 0.6}}
    (run / "evaluation" / "results_1.json").write_text(json.dumps({"results": scores}))
    made = filled("table5", tmp_path)
    assert cell(made, "before training", "LiveCodeBench v6").mean == pytest.approx(27)
    assert cell(made, "before training", "LiveCodeBench v6").num_runs == 2
    # ArenaHard is not there.
    assert cell(made, "before training", "holdout mean").missing == ("a mean needs all columns",)
    (run / "evaluation" / "arena_hard.json").write_text(json.dumps({"hard": 10, "creative": 14}))
    assert cell(filled("table5", tmp_path), "before training", "holdout mean").mean == pytest.approx(41)
