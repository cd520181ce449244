# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The recipes of the paper's sections: what each of their commands sets, and that it can run.

Of the published scripts one set a key that does not exist, loops ran over variables that nobody had set, the number of
GPUs was exported and never read, and one name served five runs.
"""

import functools
import json

import pytest
from omegaconf import OmegaConf

from tests.recipe.commands import (
    ROOT,
    composed,
    every_method,
    every_run,
    faults_of,
    printed,
    script,
    value_of,
)

SDPO = "actor_rollout_ref.actor.self_distillation"
EACH_METHOD = pytest.mark.parametrize("run", every_method(), ids=lambda run: "-".join(run[1:]))
# Where a method has one that is another run of its own.
VARIANTS = [run for run in every_run() if run not in every_method()]


@functools.cache
def words_of(run, folder, **variables):
    return tuple(printed(run, folder, **variables))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("recipes")


def split(words):
    """Module, configuration and overrides."""
    assert words[:2] == ("python", "-m")
    assert words[3] == "--config-name"
    return words[2], words[4], [word for word in words[5:] if not word.startswith("hydra.")]


@EACH_METHOD
def test_the_command_composes_with_hydra_itself_and_passes_the_checks(compose, folder, run):
    _, name, overrides = split(words_of(run, folder))
    config = compose(name, *overrides)
    assert faults_of(config) == []
    # Nothing that must be there at the start, and nothing that belongs to one machine.
    assert config == composed(compose(name), overrides)


@pytest.mark.parametrize("run", VARIANTS, ids=lambda run: "-".join(run[1:]))
def test_every_task_and_variant_composes_and_passes_the_checks(compose, folder, run):
    _, name, overrides = split(words_of(run, folder))
    assert faults_of(composed(compose(name), overrides)) == []


@EACH_METHOD
@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"ENGINE": "sglang"}, {"actor_rollout_ref.rollout.name": "sglang"}),
        ({"N_GPUS": "8"}, {"trainer.n_gpus_per_node": "8", "trainer.nnodes": "1"}),
        (
            {"N_NODES": "2", "TP": "2"},
            {"trainer.nnodes": "2", "actor_rollout_ref.rollout.tensor_model_parallel_size": "2"},
        ),
        ({"N_GPUS": "1", "SEED": "7"}, {"trainer.n_gpus_per_node": "1", "trainer.seed": "7"}),
        ({"SMOKE": "1"}, {"trainer.n_gpus_per_node": "1"}),
    ],
    ids=lambda value: "-".join(value),
)
def test_shape_engine_seed_and_smoke_run_are_one_variable_each(compose, folder, run, variables, expected):
    words = words_of(run, folder, **variables)
    assert {key: value_of(words, key) for key in expected} == expected
    _, name, overrides = split(words)
    assert name.endswith("_cpu") == ("SMOKE" in variables)
    assert faults_of(composed(compose(name), overrides)) == []


def test_every_recipe_of_a_section_is_tried_here():
    scripts = sorted((ROOT / "recipe").glob("*/run.sh"))
    launching = {str(path.relative_to(ROOT)) for path in scripts if "launch verl_sdpo." in path.read_text("utf-8")}
    assert launching == {run[0] for run in every_method()}


def test_by_default_a_run_has_the_papers_four_gpus_resumes_and_saves(compose, folder):
    for run in every_run():
        words = words_of(run, folder)
        expected = {"trainer.nnodes": "1", "trainer.n_gpus_per_node": "4", "trainer.resume_mode": "auto"}
        assert {key: value_of(words, key) for key in expected} == expected
        _, name, _ = split(words)
        save_freq = value_of(words, "trainer.save_freq")
        assert int(save_freq if save_freq is not None else compose(name).trainer.save_freq) > 0


def test_every_run_has_a_folder_and_a_name_of_its_own_that_hold_no_hub_id(folder):
    folders, names = {}, {}
    for run in every_run():
        for model in ("Qwen/Qwen3-8B", "allenai/Olmo-3-7B-Instruct"):
            for seed in ("0", "1"):
                words = words_of(run, folder, MODEL=model, SEED=seed)
                place = value_of(words, "trainer.default_local_dir").removeprefix(str(folder / "out") + "/")
                name = value_of(words, "trainer.project_name") + " " + value_of(words, "trainer.experiment_name")
                assert place.count("/") == 5, place
                assert "/" not in name
                folders.setdefault(place, []).append((run, model, seed))
                names.setdefault(name, []).append((run, model, seed))
    # The variants that are the plain run, by the recipe's head and by the grid of E.2.1.
    shared = {each[0][0][0]: set() for each in folders.values() if len(each) > 1}
    for each in folders.values():
        for run, _, _ in each[1:]:
            shared[run[0]].add(run[-2:] if run[-1] != each[0][0][-1] else ())
    shared = {script: aliases - {()} for script, aliases in shared.items()}
    assert shared == {
        SCIENCE: {("sdpo", "jsd_lr1e-5_mbs32"), ("grpo", "lr1e-6_mbs8"), ("grpo_on_policy", "lr1e-5")},
        CODE: {("sdpo", "teacher_ema"), ("sdpo", "feedback_both"), ("sdpo", "questions32_rollouts8")},
    }
    assert [sorted(each) for each in folders.values()] == [sorted(each) for each in names.values()]


# What the paper's tables say, section by section, typed anew from them.
TABLE_12_SECTION_3 = {
    "data.train_batch_size": "32",
    "data.max_prompt_length": "2048",
    "data.max_response_length": "8192",
    "data.apply_chat_template_kwargs.enable_thinking": "false",
    "actor_rollout_ref.actor.ppo_mini_batch_size": "32",
    "actor_rollout_ref.rollout.n": "8",
    "actor_rollout_ref.rollout.val_kwargs.n": "16",
    "actor_rollout_ref.rollout.val_kwargs.temperature": "0.6",
    "actor_rollout_ref.rollout.val_kwargs.top_p": "0.95",
    "actor_rollout_ref.actor.optim.lr": "1e-5",
    "actor_rollout_ref.actor.optim.lr_warmup_steps": "10",
    "trainer.max_time": "5h",
    f"{SDPO}.distillation_topk": "100",
    f"{SDPO}.alpha": "0.5",
    f"{SDPO}.teacher_update_rate": "0.05",
    f"{SDPO}.include_environment_feedback": "false",
}
TABLE_13 = {
    "actor_rollout_ref.actor.policy_loss.loss_mode": "vanilla",
    "algorithm.norm_adv_by_std_in_grpo": "false",
    "actor_rollout_ref.actor.clip_ratio_high": "0.28",
    "actor_rollout_ref.actor.ppo_mini_batch_size": "8",
    "actor_rollout_ref.actor.optim.lr": "1e-6",
    "actor_rollout_ref.actor.optim.lr_warmup_steps": "10",
    "data.train_batch_size": "32",
    "actor_rollout_ref.rollout.n": "8",
}
TABLE_12_SECTION_4 = {
    "data.train_batch_size": "32",
    "actor_rollout_ref.actor.ppo_mini_batch_size": "1",
    "actor_rollout_ref.rollout.n": "8",
    "actor_rollout_ref.rollout.val_kwargs.n": "4",
    "actor_rollout_ref.actor.optim.lr": "1e-6",
    "actor_rollout_ref.actor.optim.lr_warmup_steps": "0",
    f"{SDPO}.distillation_topk": "20",
    f"{SDPO}.alpha": "1.0",
    # The published script set `ema_update_rate`, which is no key of its configuration.
    f"{SDPO}.teacher_update_rate": "0.01",
}
SCIENCE, CODE, TEST_TIME = (f"recipe/{name}/run.sh" for name in ("science_qa", "livecodebench", "test_time"))


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ((SCIENCE, "chemistry", "sdpo"), TABLE_12_SECTION_3),
        ((SCIENCE, "tooluse", "sdpo"), TABLE_12_SECTION_3),
        ((SCIENCE, "biology", "grpo"), TABLE_13),
        (
            (SCIENCE, "biology", "grpo_on_policy"),
            TABLE_13
            | {"actor_rollout_ref.actor.ppo_mini_batch_size": "32", "actor_rollout_ref.actor.optim.lr": "1e-5"},
        ),
        (
            (SCIENCE, "physics", "sdpo", "fkl_lr1e-6_mbs8"),
            TABLE_12_SECTION_3
            | {
                f"{SDPO}.alpha": "0.0",
                "actor_rollout_ref.actor.ppo_mini_batch_size": "8",
                "actor_rollout_ref.actor.optim.lr": "1e-6",
            },
        ),
        ((CODE, "sdpo"), TABLE_12_SECTION_4),
        (
            (CODE, "grpo"),
            TABLE_13
            | {"actor_rollout_ref.actor.optim.lr_warmup_steps": "0", "actor_rollout_ref.rollout.val_kwargs.n": "4"},
        ),
        ((CODE, "gspo"), {"actor_rollout_ref.actor.policy_loss.loss_mode": "gspo"}),
        ((CODE, "cispo"), {"actor_rollout_ref.actor.policy_loss.loss_mode": "cispo"}),
        (
            (CODE, "grpo_high_entropy"),
            TABLE_13 | {"actor_rollout_ref.actor.optim.lr_warmup_steps": "0", "algorithm.high_entropy_fraction": "0.2"},
        ),
        ((CODE, "sft_on_teacher"), {f"{SDPO}.generation_by": "teacher", f"{SDPO}.alpha": "0.0"}),
        ((CODE, "sdpo", "credit_logit"), TABLE_12_SECTION_4 | {f"{SDPO}.distillation_topk": "100"}),
        ((CODE, "sdpo", "credit_token"), TABLE_12_SECTION_4 | {f"{SDPO}.credit_assignment": "token_top1"}),
        ((CODE, "sdpo", "credit_sequence"), TABLE_12_SECTION_4 | {f"{SDPO}.credit_assignment": "sequence"}),
        ((CODE, "sdpo", "teacher_live"), TABLE_12_SECTION_4 | {f"{SDPO}.teacher_regularization": "live"}),
        ((CODE, "sdpo", "teacher_frozen"), TABLE_12_SECTION_4 | {f"{SDPO}.teacher_regularization": "frozen"}),
        (
            (CODE, "sdpo", "teacher_trust_region"),
            TABLE_12_SECTION_4 | {f"{SDPO}.teacher_regularization": "trust_region", f"{SDPO}.trust_region_mix": "0.01"},
        ),
        (
            (CODE, "sdpo", "hybrid"),
            {
                "algorithm.adv_estimator": "sdpo",
                "actor_rollout_ref.actor.policy_loss.loss_mode": "vanilla",
                f"{SDPO}.group_advantage_weight": "0.9",
            },
        ),
        (
            (CODE, "sdpo", "questions4_rollouts8"),
            TABLE_12_SECTION_4 | {"data.train_batch_size": "4", "actor_rollout_ref.rollout.n": "8"},
        ),
        (
            (TEST_TIME, "hard", "sdpo"),
            {
                "data.train_batch_size": "1",
                "actor_rollout_ref.rollout.n": "16",
                "actor_rollout_ref.actor.optim.lr": "1e-6",
                "test_time.budget": "2750",
                "test_time.method": "sdpo",
            },
        ),
        ((TEST_TIME, "hard", "best_of_k"), {"test_time.budget": "2944", "test_time.stop_at_first_success": "false"}),
        ((TEST_TIME, "very_hard", "multi_turn"), {"test_time.max_prompt_tokens": "32768", "test_time.budget": "2750"}),
    ],
    ids=lambda value: "-".join(value[1:]) if isinstance(value, tuple) else "",
)
def test_a_run_has_the_papers_settings(folder, run, expected):
    words = words_of(run, folder)
    assert {key: value_of(words, key) for key in expected} == expected


def test_what_the_teacher_reads_in_each_row_of_table_6(compose, folder):
    from verl_sdpo.algorithm.reprompt import plan_reprompts
    from verl_sdpo.algorithm.reprompt_config import RepromptConfig

    group = [
        {
            "uid": "q",
            "prompt": [{"role": "user", "content": "P"}],
            "response": response,
            "score": score,
            "feedback": words,
        }
        for response, score, words in (("wrong", 0.0, "F"), ("right", 1.0, ""))
    ]
    known = RepromptConfig.__dataclass_fields__
    shown = {}
    for variant in ("feedback_output", "feedback_solution", "feedback_both", "feedback_both_attempt"):
        _, name, overrides = split(words_of((CODE, "sdpo", variant), folder))
        options = OmegaConf.select(composed(compose(name), overrides), SDPO)
        config = RepromptConfig(**{key: value for key, value in options.items() if key in known})
        both, alone = plan_reprompts(group, config)[0], plan_reprompts(group[:1], config)[0]
        shown[variant] = [(plan.demonstration, plan.feedback, plan.own_attempt) for plan in (both, alone)]
    assert shown == {
        "feedback_output": [(None, "F", None), (None, "F", None)],
        "feedback_solution": [("right", None, None), (None, None, None)],
        "feedback_both": [("right", None, None), (None, "F", None)],
        "feedback_both_attempt": [("right", None, "wrong"), (None, "F", "wrong")],
    }


@pytest.mark.parametrize(
    ("run", "named"),
    [
        ((SCIENCE, "alchemy", "sdpo"), "alchemy"),
        ((SCIENCE, "chemistry", "ppo"), "ppo"),
        ((SCIENCE, "chemistry", "grpo_on_policy", "mbs8"), "mbs8"),
        ((CODE, "grpo", "teacher_live"), "teacher_live"),
        ((CODE, "sdpo", "questions5_rollouts4"), "questions5_rollouts4"),
        ((TEST_TIME, "hard", "sdpo", "attempts_and_feedback"), "attempts_and_feedback"),
    ],
    ids=lambda value: "-".join(value[1:]) if isinstance(value, tuple) else "",
)
def test_what_a_script_does_not_know_it_refuses_in_one_line(tmp_path, run, named):
    refused = script(run, tmp_path, DRY_RUN="1")
    assert refused.returncode == 2
    [line] = refused.stderr.splitlines()
    assert line.startswith("error: ")
    assert named in line


def test_an_engine_that_is_none_is_refused(tmp_path):
    refused = script((CODE, "sdpo"), tmp_path, DRY_RUN="1", ENGINE="vlm")
    assert refused.returncode == 2
    assert "ENGINE 'vlm' is not known: vllm sglang" in refused.stderr


def test_a_users_overrides_are_the_last_word(folder):
    words = words_of((CODE, "sdpo", "data.train_batch_size=64"), folder)
    assert value_of(words, "data.train_batch_size") == "64"
    words = words_of((CODE, "sdpo", "teacher_live", "trainer.seed=5"), folder)
    assert (value_of(words, "trainer.seed"), value_of(words, f"{SDPO}.teacher_regularization")) == ("5", "live")


def test_neither_a_dry_run_nor_asking_for_the_folder_writes_anything(tmp_path):
    for run in every_method():
        printed(run, tmp_path)
        shown = script(run, tmp_path, SHOW_FOLDER="1")
        assert shown.stdout.startswith(str(tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


def test_questions_of_the_very_hard_set_are_those_of_table_10(folder):
    hard = [1, 3, 10, 43, 46, 59, 69, 74, 86, 91, 92, 95, 100, 103, 111, 120, 125, 127, 129]
    rows = json.loads(value_of(words_of((TEST_TIME, "very_hard", "sdpo"), folder), "test_time.questions"))
    assert [hard[row] for row in rows] == [3, 10, 46, 74, 91, 92, 95, 103, 125]
    assert value_of(words_of((TEST_TIME, "hard", "sdpo"), folder), "test_time.questions") == "null"


def test_the_records_of_smoke_runs_become_rows_whose_own_answers_score(tmp_path):
    import subprocess
    import sys

    for dataset, splits in (("sciknoweval", 2), ("tooluse", 2)):
        folder = tmp_path / dataset
        for command in (
            ["recipe.smoke_records", "--dataset", dataset, "--output", str(folder / "source")],
            [f"data_preprocess.{dataset}", "--input", str(folder / "source"), "--output", str(folder)],
        ):
            run = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
            assert run.returncode == 0, run.stderr
        assert "refused                                     0" in run.stdout
        assert len(list(folder.glob("*.parquet"))) == splits
