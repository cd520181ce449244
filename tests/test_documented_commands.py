# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Commands of the pages as a reader would type them: configurations compose, recipes and sweeps know their words."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.recipe.commands import composed
from verl_sdpo.config.checks import check_run

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Entry points that take Hydra's overrides, and the configuration that each takes unless told otherwise.
HYDRA = {
    "verl_sdpo.main_sdpo": "sdpo_trainer",
    "verl_sdpo.preflight": "sdpo_trainer",
    "verl_sdpo.test_time": "sdpo_test_time",
}
COMMAND = re.compile(r"\s*((?:[A-Z_]+=\S+ )*)(?:exec )?(python -m verl_sdpo\.\w+|bash (?:recipe|scripts)/\S+\.sh)(.*)")
# They install, train or take a GPU; nothing of theirs can be tried in passing.
WITHOUT_A_DRY_RUN = {"quickstart.sh", "test.sh", "soak.sh", "gpu_check.sh"}


def commands():
    """(page, variables, program, arguments) of every command of every page."""
    for page in PAGES:
        prose_and_blocks = page.read_text(encoding="utf-8").split("```")
        lines = [code for prose in prose_and_blocks[::2] for code in re.findall(r"`([^`]+)`", prose)]
        for block in prose_and_blocks[1::2]:
            lines += re.sub(r"\\\n\s*", " ", block).splitlines()[1:]
        for line in lines:
            if not line.startswith("#") and (found := COMMAND.match(line)):
                variables, program, rest = found.groups()
                yield page.name, variables.split(), program, shlex.split(rest, comments=True)


ALL = list(commands())
TO_COMPOSE = [
    (page, program.split()[2], words)
    for page, _, program, words in ALL
    if program.startswith("python") and program.split()[2] in HYDRA
]
SCRIPTS = [
    (page, variables, program.split()[1], words)
    for page, variables, program, words in ALL
    if program.startswith("bash") and Path(program.split()[1]).name not in WITHOUT_A_DRY_RUN
]


def test_the_pages_have_commands_of_both_kinds():
    assert len(TO_COMPOSE) > 10
    assert len(SCRIPTS) > 10


@pytest.mark.parametrize(
    ("page", "module", "words"), TO_COMPOSE, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_configuration_on_a_page_composes_and_passes_the_checks(compose, page, module, words):
    name = words[words.index("--config-name") + 1] if "--config-name" in words else HYDRA[module]
    # What stands for the reader's own: <overrides>, ..., a name after an option of Hydra's.
    overrides = [word for word in words if "=" in word and not word.startswith("-")]
    check_run(composed(compose(name), [word for word in overrides if not word.startswith("hydra.")]))


@pytest.mark.parametrize(
    ("page", "variables", "script", "words"),
    SCRIPTS,
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_script_on_a_page_takes_these_arguments(tmp_path, page, variables, script, words):
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "PYTHONPATH")}
    environment |= {"OUT": str(tmp_path), "PYTHON": os.environ.get("PYTHON", "python")}
    if script.endswith("sweep.sh"):
        import sys

        environment["PYTHON"] = sys.executable
        words = words if "--status" in words else [*words, "--status"]
    else:
        environment["DRY_RUN"] = "1"
    environment |= dict(variable.split("=", 1) for variable in variables)
    # A word in capitals stands for the reader's own.
    words = [str(tmp_path) if re.fullmatch(r"[A-Z_]+", word) else word for word in words]
    run = subprocess.run(
        ["bash", str(ROOT / script), *words], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip()
