# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Rows that cannot be scored end a run before it begins."""

import json
import os
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf

from verl_sdpo.preflight.data import Seen, examine_data
from verl_sdpo.preflight.examine import examine_sandbox
from verl_sdpo.preflight.fault import MOST_SHOWN
from verl_sdpo.preflight.reward_function import find_scorer
from verl_sdpo.rewards import reward_modules, score
from verl_sdpo.rewards.code_truth import CodeTest, truth_text
from verl_sdpo.sandbox import SandboxRefused

OURS = "pkg://verl_sdpo.rewards"
QUESTION = [{"role": "user", "content": "?"}]


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    monkeypatch.setattr(score, "_REWARDS", dict(score._REWARDS))
    monkeypatch.setattr(reward_modules, "_LOADED", set())


def row(truth="B", source="sciknoweval", **extra_info):
    return {
        "data_source": source,
        "prompt": [{"role": "user", "content": "?"}],
        "reward_model": {"style": "rule", "ground_truth": truth},
        "extra_info": {"index": 0} | extra_info,
    }


def write(path, rows, **options):
    pq.write_table(pa.Table.from_pylist(rows), path, **options)
    return str(path)


def config_of(train, val=(), path=OURS, name="compute_score", data=(), **options):
    function = {"path": path, "name": name} | ({"reward_kwargs": options} if options else {})
    data = {"train_files": train, "val_files": val, "custom_cls": {"path": None}} | dict(data)
    return OmegaConf.create({"data": data, "reward": {"custom_reward_function": function}})


def examined(config):
    seen, (scorer, findings) = Seen(), find_scorer(config)
    findings += examine_data(config, seen, scorer.is_ours)
    findings += examine_sandbox(seen, scorer)
    # Most cases here have no validation file.
    findings.faults = [fault for fault in findings.faults if "names no file" not in fault.problem]
    return findings


def faults_of(config):
    """What ends the run, as a person reads it."""
    return [str(fault) for fault in examined(config).fatal()]


def check_rows(config):
    """What is noted of data that will do."""
    findings = examined(config)
    assert findings.fatal() == []
    return findings.notes


@pytest.mark.parametrize("name", ["compute_score", "compute_score_async"])
def test_sound_rows_pass_and_are_counted(tmp_path, name):
    train = write(tmp_path / "train.parquet", [row(), row("12", "gsm8k"), row(None, "none")])
    val = write(tmp_path / "val.parquet", [row("C", details='{"options": "ABC"}')])
    [note] = check_rows(config_of([train], val, name=name))
    assert note.startswith("4 rows can be scored")


def test_a_fault_names_file_row_source_fault_and_remedy(tmp_path):
    train = write(tmp_path / "train.parquet", [row()])
    val = write(tmp_path / "val.parquet", [row()] * 37 + [row("E", details='{"options": "ABCD"}')], row_group_size=10)
    first, summary = faults_of(config_of(train, [val]))
    assert first == (
        f"data.val_files: {val}, row 37: data source 'sciknoweval': ground truth 'E' must be one of the letters "
        "A, B, C, D; correct the row's reward_model.ground_truth"
    )
    assert summary.startswith("data.val_files: 1 faults in 38 rows.")


def test_of_many_faults_a_few_are_shown_and_all_are_counted(tmp_path):
    train = write(tmp_path / "train.parquet", [row("Z")] * 1000 + [row()] * 10)
    val = write(tmp_path / "val.parquet", [row("", "gsm8k")])
    *shown, summary = faults_of(config_of(train, val))
    assert len(shown) == MOST_SHOWN + 2
    assert "1000 faults in 1010 rows, of which the first 5" in shown[MOST_SHOWN]
    assert f"{val}, row 0" in shown[-1]
    assert "1 faults in 1 rows. " in summary


def test_an_unknown_data_source_lists_the_known_ones(tmp_path):
    first, _ = faults_of(config_of(write(tmp_path / "a.parquet", [row(source="riddles")])))
    assert "'riddles' has no reward; known: " in first
    assert "sciknoweval" in first
    first, _ = faults_of(config_of(write(tmp_path / "b.parquet", [row(), row(source=None)])))
    assert "row 1" in first
    assert "has no reward" in first


def test_lists_and_wildcards_are_read_as_verl_reads_them(tmp_path):
    for name in ("one", "two", "three"):
        write(tmp_path / f"{name}.parquet", [row()])
    [note] = check_rows(config_of(OmegaConf.create([f"{tmp_path}/t*.parquet", f"{tmp_path}/one.parquet"])))
    assert note.startswith("3 rows")
    write(tmp_path / "t4.parquet", [row("Z")])
    assert "t4.parquet, row 0" in faults_of(config_of(f"{tmp_path}/t*.parquet"))[0]


def test_a_row_may_have_other_columns_none_at_all_or_no_extra_info(tmp_path):
    few = {
        "prompt": [QUESTION] * 2,
        "data_source": ["gsm8k", "gsm8k"],
        "reward_model": [{"ground_truth": "1", "weight": 2.0}] * 2,
    }
    path = tmp_path / "few.parquet"
    pq.write_table(pa.table(few), path)
    assert check_rows(config_of(str(path)))[0].startswith("2 rows")
    pq.write_table(pa.table({"prompt": [QUESTION], "data_source": ["gsm8k"], "reward_model": ["1"]}), path)
    assert "no column reward_model.ground_truth" in faults_of(config_of(str(path)))[0]
    pq.write_table(pa.table({"prompt": [QUESTION]}), path)
    assert "no column data_source and no reward_model.ground_truth" in faults_of(config_of(str(path)))[0]
    null = pa.array([None], pa.struct([("ground_truth", pa.string())]))
    pq.write_table(pa.table({"prompt": [QUESTION], "data_source": ["none"], "reward_model": null}), path)
    assert "row 0: reward_model is null" in faults_of(config_of(str(path)))[0]


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 nothing of the kind PAR1")
    [first] = faults_of(config_of(f"{tmp_path}/bad.parquet"))
    assert "bad.parquet: cannot be read as parquet" in first


def test_what_is_not_checked_is_told_with_its_reason(tmp_path):
    broken, sound = write(tmp_path / "a.parquet", [row("Z")]), write(tmp_path / "b.parquet", [row()])
    (tmp_path / "foreign.py").write_text("def compute_score(**arguments): return 0\n")
    for config, reason in [
        (config_of(broken, data={"custom_cls": {"path": "mine.py"}}), "data.custom_cls.path='mine.py'"),
        (config_of(broken, path=None), "verl's own rewards have no check"),
        (config_of(broken, path=str(tmp_path / "foreign.py")), "not a reward function of this package"),
        (config_of(broken, path="pkg://verl_sdpo.rewards.passphrase"), "not a reward function of this package"),
    ]:
        assert any("not checked" in note and reason in note for note in check_rows(config))
    first, last = check_rows(config_of(["hdfs://x/y.parquet"], sound))
    assert first == "data.train_files: hdfs://x/y.parquet was not checked before the start: it is not on this machine"
    assert last.startswith("1 rows")


REWARD_FILE = """
from verl_sdpo.rewards import compute_score, register_reward

def is_even(ground_truth, extra_info):
    if int(ground_truth) % 2:
        raise ValueError(f"{ground_truth} is odd")

@register_reward("even", check=is_even)
def even(solution_str, ground_truth, extra_info=None, *, bonus=0.0):
    return {"score": bonus}
"""


def test_a_users_file_with_its_reward_is_asked(tmp_path):
    data = write(tmp_path / "a.parquet", [row("2", "even"), row("3", "even/odd"), row()])
    file = tmp_path / "mine.py"
    file.write_text(REWARD_FILE)
    assert "row 1: data source 'even/odd': 3 is odd" in faults_of(config_of(data, path=str(file), bonus=1.0))[0]
    # By its path among the options, the package's own function being the one that verl calls.
    assert "3 is odd" in faults_of(config_of(data, reward_modules=[str(file)]))[0]


def test_a_file_or_an_option_that_cannot_work_is_a_fault(tmp_path):
    data = write(tmp_path / "a.parquet", [row()])
    (tmp_path / "broken.py").write_text("import verl_sdpo\n1 / 0\n")
    [fault] = faults_of(config_of(data, path=str(tmp_path / "broken.py")))
    assert "ZeroDivisionError" in fault
    [fault] = faults_of(config_of(data, path=str(tmp_path / "missing.py")))
    assert "missing.py' cannot be read" in fault
    [fault] = faults_of(config_of(data, reveal_anser=True))
    assert "['reveal_anser'] belong to no reward" in fault
    [fault] = faults_of(config_of(data, reward_modules=["missing.py"]))
    assert "reward_kwargs: 'missing.py' cannot be loaded" in fault


def test_a_hundred_thousand_rows_take_seconds(tmp_path):
    rows = [row(), row("12", "gsm8k"), row("\\frac{1}{2}", "math"), row("red fox", "quickstart")] * 2500
    table = pa.concat_tables([pa.Table.from_pylist(rows)] * 10)
    pq.write_table(table, tmp_path / "a.parquet")
    started = time.process_time()
    [note] = check_rows(config_of(f"{tmp_path}/a.parquet"))
    assert note.startswith("100000 rows")
    assert time.process_time() - started < 20


MEMORY = """
import re, sys
from pathlib import Path
from omegaconf import OmegaConf
from verl_sdpo.preflight.data import Seen, examine_data
function = {"path": "pkg://verl_sdpo.rewards", "name": "compute_score"}
def config(path):
    reward = {"custom_reward_function": function}
    return OmegaConf.create({"data": {"train_files": path, "val_files": []}, "reward": reward})
def peak():
    # Of this program; getrusage would start from the one that started it.
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
def count(path):
    findings = examine_data(config(path), Seen(), True)
    assert [fault.where for fault in findings.fatal()] == ["data.val_files"]
    return findings
count(sys.argv[1])
before = peak()
count(sys.argv[2])
print((peak() - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_file(tmp_path):
    small = write(tmp_path / "small.parquet", [row()])
    # 200 MB in one row group: random text, which cannot be packed.
    rows = [row(os.urandom(250_000).hex(), "none") for _ in range(400)]
    large = write(tmp_path / "large.parquet", rows, use_dictionary=False, write_batch_size=8)
    run = subprocess.run([sys.executable, "-c", MEMORY, small, large], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 100


def test_a_broken_row_ends_the_program_before_ray_starts(tmp_path):
    data = write(tmp_path / "a.parquet", [row("Z")])
    command = [
        sys.executable,
        "-m",
        "verl_sdpo.main_sdpo",
        "--config-name",
        "sdpo_trainer_cpu",
        f"data.train_files={data}",
    ]
    command += [f"data.val_files={data}", f"reward.custom_reward_function.path={OURS}", f"hydra.run.dir={tmp_path}"]
    command += ["actor_rollout_ref.model.path=/no/model", "ray_kwargs.ray_init.num_cpus=-1"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert run.returncode == 2
    lines = [line for line in run.stderr.splitlines() if line.startswith("data error: ")]
    assert f"data error: data.train_files: {data}, row 0: data source 'sciknoweval'" in lines[0]
    assert "1 faults in 1 rows" in lines[-1]
    assert "actor_rollout_ref.model.path='/no/model' is no folder" in run.stderr
    assert "ray" not in run.stderr.lower()


CODE = truth_text("stdin", [CodeTest("1 2", "3", is_public=True)], time_limit=2)


def code_tests(**changes):
    """The ground truth of a programming problem, with changes; None takes a part out."""
    return json.dumps({name: part for name, part in (json.loads(CODE) | changes).items() if part != "gone"})


@pytest.mark.parametrize(
    ("truth", "told"),
    [
        (code_tests(tests=[]), "tests"),
        (code_tests(tests=[{"input": "1 2", "is_public": True}]), "output"),
        (code_tests(tests=[{"input": "1 2", "output": None, "is_public": True}]), "output"),
        (code_tests(tests=None), "tests"),
        (code_tests(time_limit="gone"), "time_limit"),
        (code_tests(time_limit=0), "time_limit"),
        (code_tests(kind="interactive"), "interactive"),
        ("{'tests': []}", "JSON"),
        (CODE[:-5], "JSON"),
        (f"[{CODE}]", "object"),
        ("", "JSON"),
        (None, "JSON"),
    ],
)
def test_tests_of_a_program_that_are_broken_are_named_by_their_row_before_the_run(tmp_path, truth, told):
    sound = [row(CODE, "code/lcb")] * 3
    first, summary = faults_of(config_of(write(tmp_path / "a.parquet", [*sound, row(truth, "code/lcb"), *sound])))
    assert "a.parquet, row 3: data source 'code/lcb'" in first
    assert told in first
    assert "1 faults in 7 rows" in summary


def told_by_machine(monkeypatch, answer):
    """The options that the reward of programs was asked about this machine with."""
    asked = []
    known = score._REWARDS["code"]
    monkeypatch.setitem(score._REWARDS, "code", known._replace(check_machine=lambda o: asked.append(o) or answer()))
    return asked


def test_where_programs_are_to_be_run_this_machine_is_tried_once_with_the_runs_options(tmp_path, monkeypatch):
    asked = told_by_machine(monkeypatch, lambda: "layers")
    code, plain = row(CODE, "code/lcb"), row()
    data = write(tmp_path / "a.parquet", [plain, code, code]), write(tmp_path / "b.parquet", [code])
    settings = {"required": ["landlock"]}
    count, layers = check_rows(config_of(*data, sandbox=settings, reveal_answer=True))
    assert layers == "layers"
    assert count.startswith("4 rows")
    assert asked == [{"sandbox": settings}]


def test_where_no_program_is_to_be_run_the_machine_is_left_alone(tmp_path, monkeypatch):
    asked = told_by_machine(monkeypatch, lambda: "layers")
    [note] = check_rows(config_of(write(tmp_path / "a.parquet", [row(), row("12", "gsm8k")])))
    assert note.startswith("2 rows")
    assert asked == []


def test_a_machine_that_will_not_do_is_a_fault_beside_those_of_the_rows(tmp_path, monkeypatch):
    def refuse():
        raise SandboxRefused("no layer 'landlock'")

    told_by_machine(monkeypatch, refuse)
    data = write(tmp_path / "a.parquet", [row(CODE, "code"), row("Z")])
    *of_rows, of_machine = faults_of(config_of(data))
    assert "1 faults in 2 rows" in of_rows[-1]
    assert of_machine.startswith("responses to these rows cannot be scored on this machine: no layer 'landlock'; ")
