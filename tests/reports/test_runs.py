# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Which folders are runs, who they are, and what is said of those that cannot be told."""

import json
import shutil

import pytest

from tests.reports.run_folders import ACCURACY, RECORDED, identity, steps, write_run
from verl_sdpo.reports.history import UnreadableError
from verl_sdpo.reports.identity import Identity
from verl_sdpo.reports.runs import find_runs, read_run


def test_runs_are_found_below_a_folder_in_the_order_of_who_they_are(tmp_path):
    for seed in (1, 0):
        folder = write_run(
            tmp_path / f"a/b/seed{seed}", steps([0.1, 0.2]), seed=seed, model="allenai/Olmo-3-7B-Instruct"
        )
        # Not logs of this run, wherever they came from.
        write_run(folder / "checkpoints" / "other", steps([0.9]), seed=9)
        write_run(folder / "rollouts", seed=10)
    runs, refused = find_runs([tmp_path, tmp_path / "a"])
    assert [run.identity.seed for run in runs] == [0, 1]
    assert runs[0].identity == Identity("science_qa", "chemistry", "olmo-3-7b-instruct", "sdpo", "", 0)
    assert str(runs[1].identity) == "science_qa/chemistry/olmo-3-7b-instruct/sdpo/seed1"
    assert refused == []


def test_the_state_is_that_of_status_json(tmp_path):
    assert read_run(write_run(tmp_path / "a", state="running")).state == "running"
    assert read_run(write_run(tmp_path / "b")).state == "unknown"


def test_a_run_without_run_json_is_who_its_configuration_says(tmp_path):
    run = read_run(RECORDED)
    assert run.identity == Identity("quickstart", "quickstart/passphrase", "base_model", "sdpo", "", 0)
    # 16 prompts x 8 rollouts; the log has no budget/generations.
    assert run.generations_per_step == 128
    shutil.copytree(RECORDED, tmp_path / "run")
    config = tmp_path / "run/hydra/.hydra/config.yaml"
    # As the quickstart's script sets them: the run's own seed is left at 0.
    text = config.read_text().replace("sdpo_seed0", "frozen_seed3").replace("seed: ${trainer.seed}", "seed: 3")
    config.write_text(text)
    assert read_run(tmp_path / "run").identity.label == "sdpo_frozen"
    assert read_run(tmp_path / "run").identity.seed == 3
    config.write_text(text.replace("loss_mode: sdpo", "loss_mode: vanilla").replace("frozen_", "grpo_"))
    assert read_run(tmp_path / "run").identity.label == "grpo"
    # A baseline at test time trains nothing, and its configuration still has a loss.
    config.write_text(text.replace("frozen_", "best_of_k_") + "test_time:\n  method: best_of_k\n")
    assert read_run(tmp_path / "run").identity.label == "best_of_k"


def test_verls_default_name_is_no_variant(tmp_path, compose):
    name = compose("sdpo_trainer").trainer.experiment_name
    shutil.copytree(RECORDED, tmp_path / "run")
    config = tmp_path / "run/hydra/.hydra/config.yaml"
    config.write_text(config.read_text().replace("sdpo_seed0", name))
    assert read_run(tmp_path / "run").identity.label == "sdpo"


def test_a_run_of_which_nobody_says_what_it_is_is_refused_in_one_line(tmp_path):
    good = write_run(tmp_path / "good", steps([0.1, 0.2]))
    nameless = write_run(tmp_path / "nameless", steps([0.1, 0.2]))
    (nameless / "run.json").unlink()
    runs, refused = find_runs([tmp_path])
    assert [run.folder for run in runs] == [good]
    assert refused == [
        f"{nameless}: neither run.json nor hydra/.hydra/config.yaml: write a run.json with experiment, task, model, "
        "method, seed"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "run.json: not JSON"),
        ("[]", "run.json: experiment has to be there as str"),
        (json.dumps(identity(seed="0")), "run.json: seed has to be there as int"),
        (json.dumps(identity(task=None)), "run.json: task has to be there as str"),
    ],
)
def test_a_run_json_that_lacks_something_is_refused(tmp_path, text, message):
    folder = write_run(tmp_path / "run", steps([0.1]))
    (folder / "run.json").write_text(text)
    with pytest.raises(UnreadableError, match=message):
        read_run(folder)


@pytest.mark.parametrize("text", ["trainer: {seed: many}", 'trainer: {experiment_name: "${gone}"}', "3", "a: [1,"])
def test_a_configuration_that_says_nothing_of_a_run_is_refused_in_one_line(tmp_path, text):
    folder = write_run(tmp_path / "run", steps([0.1]))
    (folder / "run.json").unlink()
    (folder / "hydra/.hydra").mkdir(parents=True)
    (folder / "hydra/.hydra/config.yaml").write_text(text)
    good = write_run(tmp_path / "good", steps([0.1]))
    runs, refused = find_runs([tmp_path])
    assert [run.folder for run in runs] == [good]
    [line] = refused
    assert line.startswith(f"{folder}/hydra/.hydra/config.yaml: not a composed configuration (")
    assert "\n" not in line


def test_a_file_that_the_system_does_not_give_costs_its_run_alone(tmp_path):
    good = write_run(tmp_path / "good", steps([0.1]))
    # Root may read everything, but nobody a folder as a file.
    (write_run(tmp_path / "closed", seed=1) / "history.csv").mkdir()
    runs, [line] = find_runs([tmp_path])
    assert ([run.folder for run in runs], "closed/history.csv" in line) == ([good], True)


def test_two_folders_with_the_same_run_are_refused(tmp_path):
    write_run(tmp_path / "a", steps([0.1]))
    write_run(tmp_path / "b", steps([0.2]))
    with pytest.raises(UnreadableError, match=r"a and .*b are both science_qa/chemistry/qwen3-8b/sdpo/seed0: give one"):
        find_runs([tmp_path])


def test_a_run_without_a_log_is_a_run(tmp_path):
    [run], _ = find_runs([write_run(tmp_path / "run", state="running")])
    assert run.history == {}


def test_remarks_on_the_log_stay_with_the_run(tmp_path):
    folder = write_run(tmp_path / "run", [(1, {ACCURACY: 0.5})])
    with (folder / "metrics.jsonl").open("a") as log:
        log.write('{"step')
    assert read_run(folder).remarks == ("metrics.jsonl: damaged and left out: line 2",)
