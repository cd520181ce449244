# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""scripts/evaluate_harness.sh: which commands it runs, in which order, and what it says without the harness."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.evaluate.tiny_world import write_run

SCRIPT = Path(__file__).parents[2] / "scripts" / "evaluate_harness.sh"
# What lm_eval 0.4.13 knows, of what this script says: `lm_eval run --help`, and the arguments of its class VLLM.
OPTIONS = {
    "--model",
    "--model_args",
    "--tasks",
    "--apply_chat_template",
    "--batch_size",
    "--seed",
    "--output_path",
    "--log_samples",
}
# gpu_memory_utilization is vLLM's own, which that class hands on.
MODEL_ARGUMENTS = {"pretrained", "dtype", "tensor_parallel_size", "gpu_memory_utilization", "enable_thinking"}


def call(*arguments, **environment):
    variables = {
        name: value
        for name, value in os.environ.items()
        if name not in {"TEACHER", "OUT", "TASKS", "BACKEND", "LM_EVAL"}
    }
    return {
        "args": ["bash", str(SCRIPT), *map(str, arguments)],
        "env": variables | {"PYTHON": sys.executable} | environment,
        "text": True,
    }


def called(*arguments, **environment):
    return subprocess.run(**call(*arguments, **environment), capture_output=True)


def dry(*arguments, **environment):
    run = called(*arguments, DRY_RUN="1", **environment)
    assert run.returncode == 0, run.stderr
    return [shlex.split(line) for line in run.stdout.splitlines()]


def test_a_hub_id_is_handed_to_the_harness_as_it_is():
    [command] = dry("Qwen/Qwen3-8B", "--limit", "5", OUT="out")
    assert Path(command[0]).name == "lm_eval"
    values = dict(zip(command, [*command[1:], None]))
    assert {word for word in command if word.startswith("--")} == OPTIONS | {"--limit"}
    assert (values["--model"], values["--tasks"], values["--output_path"]) == ("vllm", "ifeval,mmlu_pro", "out")
    settings = dict(setting.split("=") for setting in values["--model_args"].split(","))
    assert settings.keys() == MODEL_ARGUMENTS
    assert (settings["pretrained"], settings["enable_thinking"]) == ("Qwen/Qwen3-8B", "False")
    assert command[-2:] == ["--limit", "5"]


def test_variables_choose_tasks_gpus_and_command():
    [command] = dry("model", TASKS="ifeval", GPUS="4", LM_EVAL="elsewhere/lm_eval")
    assert command[0] == "elsewhere/lm_eval"
    assert "ifeval" in command
    assert any(",tensor_parallel_size=4," in word for word in command)
    [command] = dry("model", BACKEND="hf")
    assert command[1:5] == ["--model", "hf", "--model_args", "pretrained=model,dtype=bfloat16,enable_thinking=False"]
    wrong = called("model", BACKEND="sglang", DRY_RUN="1")
    assert wrong.returncode == 1
    assert wrong.stderr == "error: BACKEND=sglang is neither vllm nor hf\n"


@pytest.mark.parametrize(("teacher", "more"), [("0", []), ("1", ["--teacher"])])
def test_a_checkpoint_is_exported_first(tmp_path, teacher, more):
    (tmp_path / "run" / "global_step_4").mkdir(parents=True)
    for given in (tmp_path / "run", tmp_path / "run" / "global_step_4"):
        export, command = dry(given, OUT=str(tmp_path / "out"), TEACHER=teacher)
        model = str(tmp_path / "out" / "model")
        expected = [sys.executable, "-m", "verl_sdpo.checkpoint", "export", str(given), "--to", model]
        assert export == [*expected, "--merge-adapter", *more]
        assert any(word.startswith(f"pretrained={model},") for word in command)
    assert not (tmp_path / "out").exists(), "a dry run must not write"


def test_the_export_is_what_the_harness_gets(tmp_path):
    harness = tmp_path / "lm_eval"
    harness.write_text('#!/usr/bin/env bash\nls "$(cut -d, -f1 <<<"${4#pretrained=}")"\necho "$@"\n')
    harness.chmod(0o755)
    run = write_run(tmp_path / "run")
    made = called(run, OUT=str(tmp_path / "out"), LM_EVAL=str(harness))
    assert made.returncode == 0, made.stderr
    assert {"config.json", "model.safetensors"} <= set(made.stdout.split())
    # Nobody knows of which checkpoint it is: another one's model is not evaluated under this one's name.
    again = called(run, OUT=str(tmp_path / "out"), LM_EVAL=str(harness))
    assert again.returncode == 1
    assert "is not empty: choose another folder" in again.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("held", ["PYTHON", "LM_EVAL"])
def test_a_signal_to_the_script_ends_the_export_and_the_harness(tmp_path, number, held):
    """run_record signals the process that it has started alone: none may stay with the GPUs, or in OUT/model."""
    (tmp_path / "global_step_4").mkdir()
    programs = {}
    for name in ("PYTHON", "LM_EVAL"):
        programs[name] = str(tmp_path / name)
        wait = f'echo $$ >"{tmp_path}/pid.new"; mv "{tmp_path}/pid.new" "{tmp_path}/pid"; exec sleep 60'
        Path(programs[name]).write_text("#!/usr/bin/env bash\n" + (wait if name == held else "exit 0") + "\n")
        Path(programs[name]).chmod(0o755)
    script = subprocess.Popen(
        **call(tmp_path / "global_step_4", OUT=str(tmp_path / "out"), **programs),
        # As run_record starts it; ignored where the tests themselves run in a shell's background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 30
    while not (tmp_path / "pid").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    script.send_signal(number)
    try:
        # By the shell's own account, or of the signal, where the harness has taken the shell's place.
        assert script.wait(timeout=10) in (128 + number, -number)
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)
    finally:
        subprocess.run(["kill", "-9", (tmp_path / "pid").read_text().strip()], capture_output=True)


def test_a_missing_harness_is_one_line_with_the_way_to_get_it(tmp_path):
    run = called("model", LM_EVAL=str(tmp_path / "nowhere"), OUT=str(tmp_path / "out"))
    assert run.returncode == 1
    [line] = run.stderr.splitlines()
    assert "is no command here: pip install -e " in line
    assert "or 'lm_eval[vllm,ifeval]' in a virtual environment of its own, which LM_EVAL then names" in line
    run = called("model", TEACHER="1")
    assert run.returncode == 1
    assert "TEACHER=1 needs a checkpoint" in run.stderr


def test_a_folder_without_a_model_is_no_model(tmp_path):
    run = called(tmp_path, LM_EVAL="true")
    assert run.returncode == 1
    [line] = run.stderr.splitlines()
    assert f"MODEL={tmp_path} has neither checkpoints (global_step_<N>) nor a model (config.json)" in line
