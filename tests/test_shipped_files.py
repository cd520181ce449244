# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a user gets beside the code: configurations, scripts, and no trace of the machine they were written on."""

import ast
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from verl_sdpo.config.checks import check_run

ROOT = Path(__file__).parents[1]
CONFIGS = sorted((ROOT / "verl_sdpo" / "config").glob("*.yaml"))
RECIPE_CONFIGS = sorted((ROOT / "recipe").rglob("*.yaml"))
SCRIPTS = sorted([*(ROOT / "scripts").rglob("*.sh"), *(ROOT / "recipe").rglob("*.sh")])
# Arguments with which each script that trains prints its command; each script has to be here. Those of the paper's
# sections: tests/recipe/test_runs.py.
TRAINING_RUNS = [
    ("recipe/quickstart/run.sh", ["sdpo"]),
    ("recipe/quickstart/run.sh", ["grpo"]),
]
# Written so that this file does not name them either.
TRACES = re.compile(
    r"(?<![\w.-])/[w]ork\b|(?<![\w.-])/(?:[h]ome|[U]sers)/\w|(?<![\w.-])/[r]oot\b|(?<![\w.-])/[o]pt/|/[t]mp/w\b"
    r"|[p]ypi\.org|[p]ythonhosted\.org|[a]rtifactory|--(?:extra-)?[i]ndex-url"
)


def relative(path):
    return str(path.relative_to(ROOT))


def own_files():
    """Files of the repository: what git knows or would add; all but build products where there is no git."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
        return [ROOT / name for name in names if name and (ROOT / name).is_file()]
    skipped = {"build", "dist", "outputs", "checkpoints", "__pycache__"}
    parts = {path: path.relative_to(ROOT).parts for path in ROOT.rglob("*") if path.is_file()}
    return [path for path, names in parts.items() if not any(n in skipped or n.startswith(".") for n in names)]


@pytest.mark.parametrize("path", CONFIGS, ids=relative)
def test_every_yaml_of_the_package_composes(compose, path):
    config = compose(path.stem)
    if "defaults:\n  - ppo_trainer" in path.read_text(encoding="utf-8"):
        check_run(config)
    else:
        # A part: it stands in one of the configurations that can be run.
        runnable = [each.read_text(encoding="utf-8") for each in CONFIGS if each != path]
        assert any(f"\n  - {path.stem}\n" in text for text in runnable)
        assert OmegaConf.to_container(config) != {}


def test_every_yaml_of_a_recipe_composes(compose):
    import hydra

    for path in RECIPE_CONFIGS:
        if "defaults" not in OmegaConf.load(path):
            continue
        compose()  # registers SDPO's options
        with hydra.initialize_config_dir(str(path.parent), version_base=None):
            check_run(hydra.compose(path.stem))


@pytest.mark.parametrize("path", SCRIPTS, ids=relative)
def test_a_script_is_valid_and_stops_at_the_first_error(path):
    subprocess.run(["bash", "-n", str(path)], check=True, capture_output=True, text=True)
    text = path.read_text(encoding="utf-8")
    code = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if text.startswith("#!"):
        assert code[0] == "set -euo pipefail"
    else:
        # Not to be run: some script that does so reads it.
        assert any(f"/{path.name}" in other.read_text(encoding="utf-8") for other in SCRIPTS if other != path)


def test_every_script_that_trains_is_tried_here():
    training = {relative(path) for path in SCRIPTS if "-m verl_sdpo.main_sdpo" in path.read_text(encoding="utf-8")}
    assert training == {script for script, _ in TRAINING_RUNS}


EACH_RUN = pytest.mark.parametrize(
    ("script", "arguments"), TRAINING_RUNS, ids=lambda value: "-".join([value] if isinstance(value, str) else value)
)


def dry_run(script, arguments, tmp_path):
    """The name of the configuration and the overrides of the command that the script prints."""
    environment = os.environ | {"DRY_RUN": "1", "OUT": str(tmp_path / "out"), "PYTHON": "python"}
    run = subprocess.run(
        ["bash", str(ROOT / script), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    command = shlex.split(run.stdout.splitlines()[-1])
    assert command[:3] == ["python", "-m", "verl_sdpo.main_sdpo"]
    return command[command.index("--config-name") + 1], [word for word in command[5:] if not word.startswith("hydra.")]


@EACH_RUN
def test_the_command_of_a_script_composes_and_passes_the_checks(compose, tmp_path, script, arguments):
    name, overrides = dry_run(script, arguments, tmp_path)
    check_run(compose(name, *overrides))
    assert not (tmp_path / "out").exists(), "a dry run must not write"


@EACH_RUN
def test_a_script_that_trains_leaves_a_checkpoint_of_its_last_step(compose, tmp_path, script, arguments):
    name, overrides = dry_run(script, arguments, tmp_path)
    # verl saves the last step where this is above 0, whatever it is.
    assert compose(name, *overrides).trainer.save_freq > 0


def test_what_is_installed_with_the_package_is_imported_by_it_or_by_verl():
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    [required] = [node.value for node in ast.walk(tree) if getattr(node, "arg", None) == "install_requires"]
    names = [re.match(r"\w+", re.sub(r"^f?['\"]", "", ast.unparse(element)))[0] for element in required.elts]
    verl = Path(importlib.util.find_spec("verl").origin).parent
    folders = [ROOT / "verl_sdpo", ROOT / "recipe", ROOT / "data_preprocess", verl / "trainer", verl / "workers"]
    code = "\n".join(path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("*.py"))
    modules = {"TransferQueue": "transfer_queue"}
    assert len(names) > 3
    assert [n for n in names if not re.search(rf"^\s*(import|from) {modules.get(n, n)}\b", code, re.MULTILINE)] == []
    assert not set(names) & {"pytest", "hypothesis", "ruff", "setuptools"}


def test_the_data_files_of_a_package_are_installed_with_it():
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    [declared] = [node.value for node in ast.walk(tree) if getattr(node, "arg", None) == "package_data"]
    installed = {
        path
        for package, patterns in ast.literal_eval(declared).items()
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    packages = [ROOT / name for name in ("verl_sdpo", "data_preprocess", "recipe")]
    data = {path for path in own_files() if path.suffix != ".py" and any(map(path.is_relative_to, packages))}
    assert len(data) > 5
    assert {relative(path) for path in data - installed} == set()


def test_no_file_names_a_machine_its_paths_or_where_its_packages_came_from():
    found = []
    for path in own_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{relative(path)}:{number}: {match[0]}"
            for number, line in enumerate(text.splitlines(), 1)
            if (match := TRACES.search(line))
        ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "cd /" + "work/main",
        "'/" + "home/ann/x'",
        "see /" + "tmp/w/a",
        "https://py" + "pi.org/simple",
        "/ro" + "ot/.cache",
    ],
)
def test_the_search_finds_what_it_looks_for(text):
    assert TRACES.search(text)


@pytest.mark.parametrize(
    "text", ["verl/workers/config", "./work", "outputs/root", "$HOME/models", "~/models", "network"]
)
def test_the_search_lets_ordinary_paths_pass(text):
    assert not TRACES.search(text)


@pytest.mark.parametrize("path", [path for path in own_files() if path.suffix in (".py", ".sh")], ids=relative)
def test_code_states_its_licence(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    if lines and path.suffix == ".sh" and lines[0].startswith("#!"):
        lines = lines[1:]
    if path.name == "__init__.py" and not lines:
        return
    assert lines[:2] == ["# Copyright 2026 The verl_sdpo authors", "# SPDX-License-Identifier: Apache-2.0"]
