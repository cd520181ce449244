# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The corpus itself: under the plain interpreter the correct programs pass, and what is called an attack is one."""

import ast
import json
import os
import subprocess
import sys

import pytest

from tests.sandbox.programs import (
    SECRET,
    SECRET_START,
    attack_programs,
    correct_programs,
    escapes_told,
    missing_needs,
)

VERDICTS = {
    "accepted",
    "wrong_answer",
    "runtime_error",
    "time_limit",
    "memory_limit",
    "output_limit",
    "compile_error",
}
CORRECT = correct_programs()
ATTACKS = attack_programs()
# Calls what the program defines, as a judge with no protection would; values outside of JSON by their nearest type.
CALLER = """
import json, sys
space = {"__name__": "solution"}
exec(compile(sys.argv[1], "solution.py", "exec"), space)
name, args = json.load(sys.stdin)
call = getattr(space["Solution"](), name) if "Solution" in space else space[name]
value = call(*args)
sys.stdout = sys.__stdout__
print()
print(json.dumps(value, default=lambda x: x.tolist() if hasattr(x, "tolist") else list(x)))
"""
# What a judge must not be: the program runs in its process, which holds what is expected; status 0 says that it passed.
NAIVE_JUDGE = """
import contextlib, io, json, sys
def judge(spec, source):
    expected, out = spec.get("value", spec.get("expected")), io.StringIO()
    space = {"__name__": "__main__"}
    if spec["kind"] == "asserts":
        exec(source + "\\n" + spec["tests"], space)
        return True
    if spec["kind"] == "function":
        exec(source, space)
        return json.dumps(space[spec["function"]](*spec["args"])) == json.dumps(expected)
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        exec(source, space)
    return out.getvalue().split() == expected.split()
source = sys.argv.pop()
spec = json.loads(sys.argv.pop())
sys.exit(0 if judge(spec, source) else 1)
"""


def each(programs):
    return pytest.mark.parametrize("program", programs, ids=[program.id for program in programs])


def run_plainly(arguments, stdin, folder):
    """Standard input is a file and the current directory an empty one, as in the sandbox."""
    (folder / "stdin").write_bytes(stdin.encode())
    (folder / "current").mkdir()
    environment = os.environ | {"PYTHONUTF8": "1", "SECRET_OF_THE_PARENT": SECRET}
    with (folder / "stdin").open("rb") as file:
        return subprocess.run(
            [sys.executable, *arguments],
            stdin=file,
            capture_output=True,
            cwd=folder / "current",
            env=environment,
            timeout=60,
        )


def lines_of(text):
    return [line.rstrip() for line in text.rstrip().split("\n")]


def skip_without_needs(program):
    if missing := missing_needs(program.spec):
        pytest.skip(f"this machine lacks {missing}")


@each([program for program in CORRECT if program.spec["kind"] == "stdin"])
def test_a_correct_program_prints_what_is_expected(program, tmp_path):
    skip_without_needs(program)
    (tmp_path / "solution.py").write_text(program.source, encoding="utf-8", newline="")
    done = run_plainly([str(tmp_path / "solution.py")], program.spec["stdin"], tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    assert lines_of(done.stdout.decode()) == lines_of(program.spec["expected"])


@each([program for program in CORRECT if program.spec["kind"] == "function"])
def test_a_correct_function_returns_what_is_expected(program, tmp_path):
    skip_without_needs(program)
    source = program.spec.get("setup", "") + "\n" + program.source
    call = json.dumps([program.spec["function"], program.spec["args"]])
    done = run_plainly(["-c", CALLER, source], call, tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout.splitlines()[-1]) == program.spec["value"]


@each([program for program in CORRECT if program.spec["kind"] == "asserts"])
def test_a_correct_program_passes_its_asserts(program, tmp_path):
    skip_without_needs(program)
    source = program.source + "\n" + program.spec["tests"]
    assert run_plainly(["-c", source], "", tmp_path).returncode == 0


def test_the_corpus_is_large_and_names_are_unique():
    assert len(CORRECT) >= 180
    assert len(ATTACKS) >= 150
    for programs in (CORRECT, ATTACKS):
        assert len({program.id for program in programs}) == len(programs)


@each(ATTACKS)
def test_an_attack_says_which_verdicts_are_right(program):
    assert program.spec["kind"] in ("stdin", "function", "asserts")
    assert program.spec["verdicts"]
    assert set(program.spec["verdicts"]) <= VERDICTS
    if program.spec["kind"] != "asserts":
        # Otherwise it could pass with what it knows.
        assert SECRET not in program.source
    missing_needs(program.spec)


@each([program for program in ATTACKS if "compile_error" not in program.spec["verdicts"]])
def test_an_attack_is_python(program):
    ast.parse(program.source)


@each([program for program in ATTACKS if program.spec["escapes"]])
def test_an_attack_succeeds_where_nothing_stops_it(program, tmp_path):
    skip_without_needs(program)
    assert not program.spec["dangerous"]
    done = run_plainly(["-c", program.source], program.spec["stdin"], tmp_path)
    assert escapes_told(done.stdout, done.stderr)


@each([program for program in ATTACKS if program.spec["fools"]])
def test_an_attack_passes_a_judge_that_shares_its_process(program, tmp_path):
    skip_without_needs(program)
    arguments = ["-c", NAIVE_JUDGE, json.dumps(program.spec), program.source]
    assert run_plainly(arguments, program.spec["stdin"], tmp_path).returncode == 0


def test_an_escape_is_a_line_that_begins_so():
    assert escapes_told(b"x\nESCAPED: a\n", b"ESCAPED: b") == ["ESCAPED: a", "ESCAPED: b"]
    assert escapes_told(b'  print("ESCAPED: shown in a traceback")\n', b"\xff") == []


def test_attacks_that_search_know_only_how_the_secret_starts():
    assert SECRET.startswith(SECRET_START)
    assert len([program for program in ATTACKS if SECRET_START in program.source]) >= 8
