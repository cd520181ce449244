# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Malformed configurations and data: each is named by its key or row, with the exit code of its area, in seconds."""

import json
import os
import resource
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf, open_dict

from tests.preflight.sound_run import VOCABULARY, row, write_rows
from verl_sdpo.checkpoint.store import TRACKER
from verl_sdpo.preflight import disk
from verl_sdpo.preflight.examine import examine
from verl_sdpo.preflight.fault import EXIT_CODES
from verl_sdpo.preflight.overrides import unknown_override_faults
from verl_sdpo.preflight.report import report
from verl_sdpo.rewards import score
from verl_sdpo.sandbox import SandboxRefused

ACTOR, ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
OPTIONS = f"{ACTOR}.self_distillation"
REWARD = "reward.custom_reward_function"
SECONDS = 10.0


def rows(**changes):
    """Eight rows, the third of them with these changes."""
    return [row(number, **(changes if number == 3 else {})) for number in range(8)]


def prompt(content, **more):
    return [{"role": "user", "content": content} | more]


# Key, value, and words of what must be said of it beside the key.
CONFIG = [
    ("data.train_batch_size", "four", "'four' is not a whole number"),
    ("data.train_batch_size", 0, "at least 1"),
    ("data.max_prompt_length", 1.5, "1.5 is not a whole number"),
    ("data.shuffle", "maybe", "True or False"),
    ("data.truncation", "cut", "one of error, left"),
    (f"{ACTOR}.ppo_mini_batch_size", 8, "is more than data.train_batch_size=4"),
    (f"{ACTOR}.ppo_micro_batch_size_per_gpu", 3, "does not divide the 8 samples"),
    (f"{ACTOR}.ppo_micro_batch_size_per_gpu", None, "is needed; set it to a divisor of 8"),
    (f"{ROLLOUT}.tensor_model_parallel_size", 2, "does not divide the 1 ranks"),
    (f"{ROLLOUT}.max_model_len", 100, "set it to at least 192"),
    (f"{ROLLOUT}.temperature", -1.0, "a number of at least 0"),
    (f"{ROLLOUT}.gpu_memory_utilization", 90, "up to 1"),
    (f"{ACTOR}.optim.lr", float("nan"), "a number"),
    (f"{ACTOR}.loss_agg_mode", "mean", "one of token-mean"),
    (f"{OPTIONS}.alpha", 2.0, "Jensen-Shannon"),
    (f"{OPTIONS}.teacher_update_rate", -0.1, "frozen teacher"),
    (f"{OPTIONS}.distillation_topk", VOCABULARY + 1, f"more than the {VOCABULARY} ids"),
    (f"{OPTIONS}.solution_template", "{sucessful_previous_attempt}", "{successful_previous_attempt}"),
    (f"{OPTIONS}.hybrid_policy_loss", "vanila", "vanilla"),
    ("algorithm.adv_estimator", "grop", "grpo"),
    ("trainer.logger", ["consol"], "console"),
    ("trainer.logger", ["console", "swanlab"], "its package swanlab is not installed; install swanlab"),
    ("actor_rollout_ref.model.path", "/no/model", "is no folder"),
    (f"{REWARD}.path", "/no/reward.py", "cannot be read"),
    (f"{REWARD}.name", "score_it", "compute_score"),
    (f"{REWARD}.reward_kwargs", {"reveal_anser": True}, "reveal_answer"),
]
CONFIG_IDS = [f"{key.rpartition('.')[2]}={value}"[:40] for key, value, _ in CONFIG]


def damaged_train(content):
    return lambda sound: write_rows(sound.train, content)


def drop(column):
    def write(sound):
        pq.write_table(pq.read_table(sound.train).drop_columns([column]), sound.train)

    return write


def truncated(sound):
    sound.train.write_bytes(sound.train.read_bytes()[:200])


def corrupted(sound):
    data = bytearray(sound.train.read_bytes())
    data[40:200] = bytes(160)
    sound.train.write_bytes(data)


def no_rows(sound):
    pq.write_table(pq.read_table(sound.train).slice(0, 0), sound.train)


def other_types(sound):
    table = pq.read_table(sound.train)
    numbers = pa.array([1] * len(table))
    pq.write_table(table.set_column(0, "data_source", numbers), sound.train)


def two_files(sound):
    other = sound.folder / "other.parquet"
    write_rows(other, [row(9, extra_info={"index": "nine"})])
    sound.overrides["data.train_files"] = [str(sound.train), str(other)]


def lines(text):
    def write(sound):
        path = sound.folder / "train.jsonl"
        path.write_bytes(text)
        sound.overrides["data.train_files"] = str(path)

    return write


def too_long(sound):
    write_rows(sound.train, [row(number, prompt=prompt("word " * 100)) for number in range(8)])


# What is done to the sound run, the end of the place that must be named, and words of the problem.
DATA = {
    "missing file": (lambda sound: sound.train.unlink(), "train.parquet", "no such file"),
    "folder": (lambda sound: sound.overrides.update({"data.train_files": str(sound.folder)}), "", "is a folder"),
    "other kind": (lambda sound: sound.overrides.update({"data.train_files": __file__}), ".py", "does not read"),
    "truncated": (truncated, "train.parquet", "cannot be read as parquet"),
    "zeros within": (corrupted, "train.parquet", "cannot be read as parquet"),
    "no bytes": (lambda sound: sound.train.write_bytes(b""), "train.parquet", "cannot be read as parquet"),
    "no rows": (no_rows, "train.parquet", "has no rows"),
    "fewer rows than a batch": (damaged_train(rows()[:3]), "data.train_files", "3 rows, fewer than"),
    "no prompt column": (drop("prompt"), "train.parquet", "no column prompt"),
    "no reward_model column": (drop("reward_model"), "train.parquet", "no column reward_model.ground_truth"),
    "prompt is text": (
        damaged_train([row(number, prompt="?") for number in range(8)]),
        "column prompt",
        "not a list of messages",
    ),
    "data_source is a number": (other_types, "column data_source", "has type int64"),
    "two files that do not go together": (two_files, "column extra_info", "cannot read them together"),
    "prompt is null": (damaged_train(rows(prompt=None)), "row 3, prompt", "is null"),
    "prompt without a message": (damaged_train(rows(prompt=[])), "row 3, prompt", "has no message"),
    "message without content": (damaged_train(rows(prompt=prompt(None))), "row 3, prompt", "null as content"),
    "ground truth is broken": (
        damaged_train(rows(reward_model={"style": "rule", "ground_truth": ""})),
        "row 3",
        "ground truth",
    ),
    "reward_model is null": (damaged_train(rows(reward_model=None)), "row 3", "reward_model is null"),
    "unknown data source": (damaged_train(rows(data_source="riddles")), "row 3", "'riddles' has no reward"),
    "prompts too long": (too_long, "data.train_files", "longer than data.max_prompt_length=128"),
    "no JSON": (lines(json.dumps(row(1)).encode() + b"\n{'a': 1}\n"), "train.jsonl", "line 2 is no JSON object"),
    "byte order mark": (lines(b"\xef\xbb\xbf" + json.dumps(row(1)).encode()), "train.jsonl", "byte order mark"),
    "lone surrogate": (
        lines(b"\n".join(json.dumps(row(number, prompt=prompt("\ud800"))).encode() for number in range(8))),
        "row 0, prompt",
        "not valid Unicode",
    ),
    "lone surrogate in a part of a message": (
        lines(json.dumps(row(1, prompt=prompt([{"type": "text", "text": "ab\udfff"}]))).encode()),
        "row 0, prompt",
        "not valid Unicode in message 0 at character 2",
    ),
    "lone surrogate in a context": (
        lines(json.dumps(row(1, privileged_context="a\ud800")).encode()),
        "row 0, privileged_context",
        "not valid Unicode at character 1",
    ),
    "context is a number": (
        lines(b"\n".join(json.dumps(row(1, privileged_context=value)).encode() for value in (None, "hint", 7))),
        "row 2, privileged_context",
        "is int, not text",
    ),
    "column of contexts is of numbers": (
        damaged_train([row(number, privileged_context=number) for number in range(8)]),
        "column privileged_context",
        "has type int64; write it as text or null",
    ),
}


def tracker(text):
    def write(sound):
        sound.checkpoints.mkdir()
        (sound.checkpoints / TRACKER).write_text(text)

    return write


def checkpoint_without_actor(sound):
    (sound.checkpoints / "global_step_2").mkdir(parents=True)
    (sound.checkpoints / TRACKER).write_text("2")


def named_checkpoint(path):
    return lambda sound: sound.overrides.update(
        {"trainer.resume_mode": "resume_path", "trainer.resume_from_path": path}
    )


RESUME = {
    "empty tracker": (tracker(""), "trainer.default_local_dir", "has '', which is no step"),
    "tracker to nowhere": (tracker("7"), "trainer.default_local_dir", "names step 7, but"),
    "checkpoint without actor": (checkpoint_without_actor, "trainer.default_local_dir", "actor is missing"),
    "path to nowhere": (named_checkpoint("/no/global_step_3"), "trainer.resume_from_path", "does not exist"),
}


def reward_file(body):
    def write(sound):
        path = sound.folder / "mine.py"
        path.write_text(f"def compute_score(data_source, solution_str, ground_truth, extra_info=None):\n    {body}\n")
        sound.overrides[f"{REWARD}.path"] = str(path)

    return write


REWARDS = {
    "raises": (reward_file("raise KeyError('answer')"), REWARD, "raised KeyError: 'answer'"),
    "text": (reward_file("return 'good'"), REWARD, "'good' (str)"),
    "not finite": (reward_file("return {'score': float('nan')}"), REWARD, "not finite"),
    "no score": (reward_file("return {'acc': 1.0}"), REWARD, "without score, with acc"),
}


@pytest.fixture
def found(compose, sound):
    """Examine the sound run after some damage; it may take its time as long as it is short."""

    def examined(damage):
        damage(sound)
        config = compose("sdpo_trainer_cpu")
        with open_dict(config):
            for key, value in sound.overrides.items():
                OmegaConf.update(config, key, value, force_add=True)
        started = time.process_time()
        findings = examine(config)
        assert time.process_time() - started < SECONDS
        return findings

    return examined


def only_fatal(findings, area):
    """Of the faults, which must all be of one area and which must say what to do."""
    assert findings.exit_code() == EXIT_CODES[area]
    assert {fault.area for fault in findings.fatal()} == {area}, report(findings)
    assert all(fault.where and fault.problem and fault.remedy for fault in findings.faults)
    return findings.fatal()


def test_a_sound_run_has_no_fault_and_its_time_is_told(found):
    findings = found(lambda sound: None)
    assert findings.exit_code() == 0
    assert findings.faults == []
    told = report(findings)
    assert "10 rows can be scored" in told
    assert "a right answer scores 1, a wrong one 0" in told
    assert "preflight took " in told.splitlines()[-1]


@pytest.mark.parametrize(("key", "value", "words"), CONFIG, ids=CONFIG_IDS)
def test_a_value_that_cannot_be_is_named_by_its_key(found, key, value, words):
    faults = only_fatal(found(lambda sound: sound.overrides.update({key: value})), "config")
    [fault] = [fault for fault in faults if fault.where == key]
    assert words in str(fault)


def test_a_window_must_hold_the_rollouts_own_prompts_where_they_are_longer_than_the_datas(found):
    changes = {f"{ROLLOUT}.max_model_len": 400, f"{ROLLOUT}.prompt_length": 384}
    [fault] = only_fatal(found(lambda sound: sound.overrides.update(changes)), "config")
    assert fault.where == f"{ROLLOUT}.max_model_len"
    assert f"less than {ROLLOUT}.prompt_length=384 and data.max_response_length=64 together" in fault.problem
    assert fault.remedy == "set it to at least 448, or null"


def test_samples_that_ranks_cannot_share_are_named_with_sizes_that_they_can(found):
    faults = only_fatal(found(lambda sound: sound.overrides.update({"trainer.n_gpus_per_node": 3})), "config")
    assert [fault.where for fault in faults] == ["data.train_batch_size", f"{ACTOR}.ppo_mini_batch_size"]
    assert all("8 samples, which 3 ranks" in fault.problem for fault in faults)
    assert all(fault.remedy == "set it to 3 or 6" for fault in faults)


@pytest.mark.parametrize(
    ("area", "damage", "place", "words"),
    [
        pytest.param(area, *case, id=f"{area}: {name}")
        for area, cases in (("data", DATA), ("resume", RESUME), ("reward", REWARDS))
        for name, case in cases.items()
    ],
)
def test_damage_is_named_by_file_row_or_key(found, area, damage, place, words):
    faults = only_fatal(found(damage), area)
    assert [fault for fault in faults if fault.where.endswith(place) and words in str(fault)], list(map(str, faults))


OWN_REWARD = """
from verl_sdpo.rewards import compute_score, register_reward

@register_reward("odd")
def odd(solution_str, ground_truth, extra_info=None):
    return {"score": float(int(ground_truth) % 2 and 1 / 0)}
"""


def test_a_registered_reward_is_tried_on_a_row_of_its_own(found, monkeypatch):
    monkeypatch.setattr("verl_sdpo.rewards.score._REWARDS", dict(score._REWARDS))

    def damage(sound):
        (sound.folder / "mine.py").write_text(OWN_REWARD)
        sound.overrides[f"{REWARD}.path"] = str(sound.folder / "mine.py")
        truth = {"style": "rule", "ground_truth": "3"}
        write_rows(sound.train, rows(data_source="odd/numbers", reward_model=truth))

    [fault] = only_fatal(found(damage), "reward")
    assert "'odd/numbers'" in fault.problem
    assert "ZeroDivisionError" in fault.problem


def test_a_machine_that_cannot_isolate_programs_has_a_code_of_its_own(found, monkeypatch):
    def refuse(sources, options):
        raise SandboxRefused("no layer 'landlock'")

    monkeypatch.setattr("verl_sdpo.rewards.check_machine", refuse)
    [fault] = only_fatal(found(lambda sound: None), "sandbox")
    assert "landlock" in fault.problem


def test_a_disk_without_room_for_one_checkpoint(found, monkeypatch):
    # float32: 256 parameters in a kilobyte, 4 + 8 bytes of each and 4 for the teacher's average.
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: disk.shutil._ntuple_diskusage(0, 0, 256 * 16 - 1))
    [fault] = only_fatal(found(lambda sound: None), "disk")
    assert fault.where == "trainer.default_local_dir"
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: disk.shutil._ntuple_diskusage(0, 0, 256 * 16 + 1))
    findings = found(lambda sound: None)
    assert findings.fatal() == []
    [warning] = findings.faults
    assert "keeps all, which are 2" in warning.problem


@pytest.mark.parametrize("is_offline", [True, False])
def test_a_model_of_the_hub_that_is_not_here_is_a_fault_where_nothing_may_be_fetched(found, monkeypatch, is_offline):
    monkeypatch.setenv("HF_HUB_OFFLINE", str(int(is_offline)))
    # Nobody answers there, and nobody is asked.
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    key = "actor_rollout_ref.model.path"
    findings = found(lambda sound: sound.overrides.update({key: "nobody/no-model"}))
    told = [str(fault) for fault in findings.fatal() if fault.where == key]
    assert len(told) == int(is_offline)
    assert all("nor in the hub's cache, and HF_HUB_OFFLINE is set" in line for line in told)


def test_everything_that_is_wrong_is_in_one_list_and_the_first_area_decides(found):
    def damage(sound):
        write_rows(sound.train, rows(prompt=None))
        tracker("7")(sound)
        sound.overrides[f"{OPTIONS}.alpha"] = 7
        sound.overrides["trainer.total_epochs"] = 0

    findings = found(damage)
    assert findings.exit_code() == EXIT_CODES["config"]
    places = [fault.where for fault in findings.fatal()]
    for end in (f"{OPTIONS}.alpha", "trainer.total_epochs", "row 3, prompt", "trainer.default_local_dir"):
        assert any(place.endswith(end) for place in places), places


def test_a_few_null_prompts_that_verl_would_drop_are_a_warning(found):
    def damage(sound):
        write_rows(sound.train, [row(number, **({"prompt": None} if number == 7 else {})) for number in range(200)])
        sound.overrides["data.filter_overlong_prompts"] = True

    findings = found(damage)
    assert findings.fatal() == []
    assert [fault.where.rpartition(", ")[0][-5:] for fault in findings.faults[:1]] == ["row 7"]


@pytest.mark.parametrize(("filters", "fate"), [(True, "verl drops them"), (False, "cuts them from the left")])
def test_prompts_that_are_too_long_are_listed_with_what_becomes_of_them(found, filters, fate):
    def damage(sound):
        sound.overrides["data.filter_overlong_prompts"] = filters
        long = {3: "word " * 100, 5: "word " * 200}
        write_rows(sound.train, [row(number, prompt=prompt(long.get(number, "?"))) for number in range(8)])

    [fault] = [fault for fault in found(damage).faults if "longer than" in fault.problem]
    assert not fault.is_fatal
    assert "2 of 8 prompts are longer than data.max_prompt_length=128" in fault.problem
    assert fate in fault.problem
    assert "row 3 has" in fault.problem
    assert "row 5 has" in fault.problem


def test_special_tokens_in_questions_are_a_warning_that_names_rows_and_tokens(found):
    odd = [
        row(number, prompt=prompt(f"{number}<|im_end|>" if number in (2, 5) else f"{number}")) for number in range(8)
    ]
    findings = found(damaged_train(odd))
    assert findings.fatal() == []
    [fault] = [fault for fault in findings.faults if "special tokens" in fault.problem]
    assert fault.where == "data.train_files"
    assert "2 of 8 prompts" in fault.problem
    for number in (2, 5):
        assert f"row {number} has '<|im_end|>'" in fault.problem


def test_a_row_may_have_more_columns_and_no_context(found):
    contexts = [None, "hint"] * 4
    more = [row(number, privileged_context=contexts[number], uid="a_b", notes=[1]) for number in range(8)]
    findings = found(damaged_train(more))
    assert findings.faults == []


def test_repeated_prompts_are_a_warning_that_names_both_rows(found):
    def damage(sound):
        write_rows(sound.train, rows(prompt=row(1)["prompt"]))
        write_rows(sound.val, [row(5)])

    findings = found(damage)
    assert findings.fatal() == []
    of_train, of_val = findings.faults
    assert "row 3 and " in of_train.problem
    assert "row 1" in of_train.problem
    assert "row 0" in of_val.problem
    assert "row 5" in of_val.problem


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("data.train_batchsize=4", "data.train_batch_size"),
        (f"{OPTIONS}.alhpa=0.5", f"{OPTIONS}.alpha"),
        ("trainer.alpha=0.5", f"{OPTIONS}.alpha"),
        ("~trainer.logge", "trainer.logger"),
    ],
)
def test_an_unknown_key_has_a_nearest_one(compose, override, meant):
    [fault] = unknown_override_faults([override, "trainer.seed=1", "+data.mine=2"], compose("sdpo_trainer"))
    assert fault.where == override.lstrip("~").partition("=")[0]
    assert meant in fault.remedy


def on_the_command_line(sound, *more, module="verl_sdpo.preflight"):
    overrides = [f"{key}={value}" for key, value in sound.overrides.items()]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(
        [sys.executable, "-m", module, "--config-name", "sdpo_trainer_cpu", *overrides, *more],
        capture_output=True,
        text=True,
        timeout=600,
        cwd=sound.folder,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Seconds of computing, which do not depend on what else the machine does; nearly all of them are imports.
    seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    print(f"{module}: {seconds:.1f} s")  # noqa: T201
    assert seconds < 2 * SECONDS
    assert "Traceback" not in run.stderr
    return run


def test_the_command_passes_a_sound_run(sound):
    run = on_the_command_line(sound)
    assert run.returncode == 0, run.stderr
    assert "nothing is wrong" in run.stderr
    assert "preflight took " in run.stderr


def test_the_command_names_all_unknown_keys(sound):
    run = on_the_command_line(sound, "data.train_batchsize=4", "trainer.resum_mode=auto")
    assert run.returncode == EXIT_CODES["config"]
    assert "did you mean data.train_batch_size" in run.stderr
    assert "did you mean trainer.resume_mode" in run.stderr


def test_a_run_ends_with_the_code_of_its_data(sound):
    write_rows(sound.train, rows(prompt=None))
    run = on_the_command_line(sound, module="verl_sdpo.main_sdpo")
    assert run.returncode == EXIT_CODES["data"]
    assert "train.parquet, row 3, prompt" in run.stderr
