# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Variables of the shell scripts: each that is read has a value, and each that is set is read.

In the published scripts loops' variables were empty in the names of runs, and the number of GPUs that users set was
never read.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted([*(ROOT / "recipe").rglob("*.sh"), *(ROOT / "scripts").glob("*.sh")])
SET = re.compile(
    r"(?:^|[\s;(])(?:export |local |readonly |declare -\w+ )*([A-Za-z_]\w*)(?:\+?=(?!=)|\[\w+\]=)"
    r"|\bfor ([A-Za-z_]\w*) in|\bread -r?a? ?([A-Za-z_]\w*)",
    re.MULTILINE,
)
LOCALS = re.compile(r"^\s*local ([a-z_ ]+)$", re.MULTILINE)
READ = re.compile(r"\$\{?[#!]?([A-Za-z_]\w*)")
IN_ARITHMETIC = re.compile(r"\(\((.*?)\)\)")
# Of the shell, the user's environment, and Slurm.
GIVEN = {
    "BASH_SOURCE",
    "BASH_REMATCH",
    "HOME",
    "PATH",
    "PWD",
    "SLURM_JOB_NODELIST",
    "SLURM_JOB_NUM_NODES",
    "SLURM_SUBMIT_DIR",
}
DEFAULT = re.compile(r"\$\{([A-Za-z_]\w*)(?::-|:\?|-)")


def code(path):
    """Without comments, and without what a quoted here-document or a literal says."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"(?m)^\s*#.*$|\s#\s.*$", "", text)
    return re.sub(r"'[^'\n]*'", "''", text)


def sets(path):
    return {name for groups in SET.findall(code(path)) for name in groups if name} | {
        name for line in LOCALS.findall(code(path)) for name in line.split()
    }


def reads(path):
    text = code(path)
    names = set(READ.findall(text))
    return names | {name for inner in IN_ARITHMETIC.findall(text) for name in re.findall(r"[A-Za-z_]\w*", inner)}


def family(path):
    """The script, those that it reads in, and those that read it in: they share their variables."""
    related, texts = {path}, {each: each.read_text(encoding="utf-8") for each in SCRIPTS}
    for each in SCRIPTS:
        sources = re.findall(r"(?m)^\s*source .*?([\w.-]+\.sh)", texts[each])
        if path.name in sources:
            related.add(each)
        if each.name in re.findall(r"(?m)^\s*source .*?([\w.-]+\.sh)", texts[path]):
            related.add(each)
    return related


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_variable_that_is_read_is_set_somewhere_or_has_a_default(path):
    known = GIVEN.union(*(sets(each) for each in family(path))) | set(DEFAULT.findall(code(path)))
    assert reads(path) - known == set()


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_variable_that_is_set_is_read(path):
    used = set().union(*(reads(each) for each in family(path)))
    exported = set(re.findall(r"[A-Za-z_]\w*", " ".join(re.findall(r"(?m)^\s*export (.*)$", code(path)))))
    # A variable before a command, or exported, is for the program.
    before_a_command = set(re.findall(r"(?:^|\s)([A-Z_]+)=\S+(?= [\w\"$])", code(path)))
    assert sets(path) - used - exported - before_a_command == set()


def test_the_scan_finds_what_the_published_scripts_had(tmp_path):
    path = tmp_path / "loop.sh"
    path.write_text('N_GPUS_PER_NODE=1\nfor LR in 1e-6; do\n    NAME="sdpo-lr$LR-lambda$LAMBDA"\ndone\necho "$NAME"\n')
    assert reads(path) - sets(path) == {"LAMBDA"}
    assert sets(path) - reads(path) == {"N_GPUS_PER_NODE"}
