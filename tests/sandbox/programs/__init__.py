# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Programs to try a sandbox with: correct ones, which it must not hinder, and attacks, which it must withstand.

Each file of `correct` and `attacks` is the licence, a line `# spec: <JSON object>`, and the program, which alone runs.
`generated.py` makes those that a source file cannot hold. Keys of a spec:

kind: "stdin", "function" or "asserts"
stdin, expected: text, or {"repeat": [text, times, end]}; expected_from, stdin_from, args_from: an expression of it
function, args, value: what is called, the JSON arguments and the JSON value it has to return; a method of `Solution`
    where the program has that class; setup: source that goes before the program
tests: source of asserts
needs: what the machine must have; keys of HAS
cpu_seconds: limit of processor time, 5 unless told
verdicts: of an attack, the verdicts of which one must come; "accepted" stands in it where what it does is allowed
dangerous: not to be run outside of a sandbox: it does harm, or uses up the machine
escapes: true where the plain interpreter, which protects nothing, lets it succeed on any machine
races: true where the verdict depends on how fast its output is read
fools: true where it passes a judge that runs it in its own process and compares there

An attack that succeeds says so on standard output or error, in a line that begins with `ESCAPED:`. Its expected output
is SECRET unless told; it starts with SECRET_START, which attacks know, so that they find it wherever it lies.
"""

import decimal
import importlib.util
import json
import math
import os
import platform
import sys
from pathlib import Path
from typing import NamedTuple

from tests.sandbox.programs import generated

FOLDER = Path(__file__).parent
LINES_BEFORE = 3
SECRET_START = "74261"
SECRET = SECRET_START + "50938"
STANDARD = {"cpu_seconds": 5, "needs": [], "dangerous": False, "races": False}
ATTACK = {"kind": "stdin", "stdin": "3 4\n", "expected": SECRET + "\n", "escapes": False, "fools": False}
HAS = {
    "numpy": lambda: importlib.util.find_spec("numpy") is not None,
    "unix": lambda: os.name == "posix",
    "linux": lambda: sys.platform == "linux",
    # 3.12 counted what C calls apart, and allowed some hundred calls within calls of a cached function.
    "deep_cache": lambda: sys.version_info[:2] != (3, 12),
    "x86_64": lambda: platform.machine() == "x86_64",
}


class Program(NamedTuple):
    """One program: its name, what its spec says with defaults filled in, and the text that is run."""

    id: str
    spec: dict
    source: str


def correct_programs() -> list[Program]:
    """Programs that pass, by name."""
    return _collect("correct", generated.CORRECT, STANDARD)


def attack_programs() -> list[Program]:
    """Programs that must neither pass nor do anything outside, by name."""
    return _collect("attacks", generated.ATTACKS, STANDARD | ATTACK)


def missing_needs(spec: dict) -> list[str]:
    """What a program needs and this machine lacks."""
    return [need for need in spec["needs"] if not HAS[need]()]


def escapes_told(*outputs: bytes) -> list[str]:
    """The lines in which an attack says that it succeeded; a traceback that shows its source is none."""
    lines = [line for output in outputs for line in output.decode("utf-8", "replace").splitlines()]
    return [line for line in lines if line.startswith("ESCAPED:")]


def _collect(folder: str, made: dict, defaults: dict) -> list[Program]:
    programs = [_read(path, defaults) for path in (FOLDER / folder).glob("*.py")]
    for name, make in made.items():
        spec, source = make()
        programs.append(Program(name, _complete(defaults | spec), source))
    return sorted(programs)


def _read(path: Path, defaults: dict) -> Program:
    with path.open(encoding="utf-8", newline="") as file:
        lines = file.read().split("\n")
    spec = json.loads(lines[LINES_BEFORE - 1].removeprefix("# spec: "))
    return Program(path.stem, _complete(defaults | spec), "\n".join(lines[LINES_BEFORE:]))


def _complete(spec: dict) -> dict:
    """The spec with texts in place of how they are made."""
    done = {}
    for key, value in spec.items():
        if key in ("stdin", "expected") and isinstance(value, dict):
            text, times, *end = value["repeat"]
            value = text * times + "".join(end)
        elif key.endswith("_from"):
            key, value = key.removesuffix("_from"), eval(value, {"decimal": decimal, "math": math, "SECRET": SECRET})
        done[key] = value
    return done
