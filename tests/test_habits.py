# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a machine's settings would punish: text files without an encoding, durations by the wall clock."""

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
FILES = sorted(
    path for room in ("verl_sdpo", "data_preprocess", "recipe", "scripts") for path in (REPOSITORY / room).rglob("*.py")
)
# By the place of the mode among the arguments; the encoding is always named.
OPENERS = {"open": 1, "fdopen": 1}
TEXT_METHODS = {"read_text", "write_text"}
STARTERS = {"run", "Popen", "check_output", "check_call"}
WALL_CLOCK = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
# When a checkpoint was written or a run started, for people to read; how old a file is by its own time.
MAY_TELL_THE_TIME = {
    "verl_sdpo/checkpoint/manifest.py",
    "recipe/run_record.py",
    "verl_sdpo/sandbox/scratch_folder.py",
}


def calls(source):
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]


def name_of(call):
    """`a.b.c(...)` is `a.b.c`; of a call on a value the method alone is known."""
    return ast.unparse(call.func) if isinstance(call.func, ast.Name | ast.Attribute) else ""


def mode_of(call, last, owner):
    if any(keyword.arg == "mode" for keyword in call.keywords):
        return next(ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg == "mode")
    # A path's own `open` has no file among its arguments.
    place = OPENERS[last] if owner in ("", "os", "io", "gzip", "builtins") else 0
    return ast.unparse(call.args[place]) if len(call.args) > place else "'r'"


def without_encoding(source):
    """Lines of calls that read or write text in whatever encoding the machine has."""
    lines = []
    for call in calls(source):
        owner, _, last = name_of(call).rpartition(".")
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        # A writer of several files of this package's own has a method of that name.
        if "encoding" in keywords or None in keywords or name_of(call) == "outputs.open":
            continue
        is_text = last in TEXT_METHODS and not call.args[1:] and not (last == "read_text" and call.args)
        # `os.open` is about descriptors.
        is_text |= last in OPENERS and owner != "os" and "b" not in mode_of(call, last, owner) and len(call.args) < 4
        is_text |= (owner, last) == ("os", "fdopen") and "b" not in mode_of(call, last, owner)
        is_text |= owner == "subprocess" and last in STARTERS and keywords.get("text") == "True"
        if is_text:
            lines.append(call.lineno)
    return lines


def by_the_wall_clock(source):
    return [call.lineno for call in calls(source) if any(name_of(call).endswith(name) for name in WALL_CLOCK)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_text_is_read_and_written_in_an_encoding_of_its_own(path):
    assert without_encoding(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_nothing_is_timed_by_a_clock_that_may_be_set(path):
    if str(path.relative_to(REPOSITORY)) not in MAY_TELL_THE_TIME:
        assert by_the_wall_clock(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "open(p)",
        "open(p, 'w')",
        "open(p, mode='a')",
        "Path(p).read_text()",
        "path.write_text(text)",
        "path.open()",
        "path.open('w')",
        "os.fdopen(n, 'w')",
        "subprocess.run(c, text=True)",
    ],
)
def test_the_search_finds_files_without_an_encoding(source):
    assert without_encoding(source) == [1]


@pytest.mark.parametrize(
    "source",
    [
        "open(p, 'rb')",
        "open(p, encoding='utf-8')",
        "path.read_text(encoding='utf-8')",
        "path.read_text('utf-8')",
        "path.write_text(text, 'utf-8')",
        "path.open('wb')",
        "open(p, 'w', 1, 'utf-8')",
        "os.open(p, flags)",
        "os.fdopen(n, 'wb')",
        "subprocess.run(c)",
        "subprocess.run(c, text=True, encoding='utf-8')",
        "path.read_bytes()",
    ],
)
def test_the_search_lets_others_pass(source):
    assert without_encoding(source) == []


def test_the_search_tells_clocks_apart():
    assert by_the_wall_clock("time.time()\ntime.monotonic()\ndatetime.datetime.now()\ntime.perf_counter()") == [1, 3]
