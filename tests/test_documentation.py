# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The documentation against the code: what the pages name exists, and what they tabulate is what is there."""

import ast
import functools
import importlib.util
import inspect
import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from omegaconf import OmegaConf

from verl_sdpo.algorithm.reprompt import build_teacher_messages, plan_reprompts
from verl_sdpo.algorithm.reprompt_config import RECOMMENDED_BEHAVIOUR, RepromptConfig
from verl_sdpo.config import flat_defaults, test_time
from verl_sdpo.config.checks import check_run, uses_sdpo
from verl_sdpo.rewards import multiple_choice

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
# Written like names of modules.
PARQUET_METADATA = {f"verl_sdpo.{name}" for name in ("schema_version", "source", "rows", "fingerprint")}
METRIC = re.compile(
    r"self_distillation/\w+|data/(?:train|val)_\w+|reward/(?:\w+_fraction|no_verdict_batch|worker_restarts)"
)
CONFIG_KEY = re.compile(
    r"(?<![\w./+])(?:actor_rollout_ref|algorithm|data|distillation|ray_kwargs|reward|test_time|trainer|transfer_queue)"
    r"(?:\.\w+)+"
)


def text_of(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def code_in(page):
    """What stands between backticks, and the lines of fenced blocks."""
    parts = page.read_text(encoding="utf-8").split("```")
    inline = [code for prose in parts[::2] for code in re.findall(r"`([^`]+)`", prose)]
    return inline, [line for block in parts[1::2] for line in block.splitlines()[1:]]


def all_code(page):
    inline, lines = code_in(page)
    return inline + lines


@functools.cache
def names_in(path):
    """Names that a Python file defines, those of a class as `Class.name`."""

    def defined(body, prefix):
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield prefix + node.name
            if isinstance(node, ast.ClassDef):
                yield from defined(node.body, f"{prefix}{node.name}.")
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            yield from (prefix + target.id for target in targets if isinstance(target, ast.Name))

    return set(defined(ast.parse(path.read_text(encoding="utf-8")).body, ""))


def located(name):
    verl = Path(importlib.util.find_spec("verl").origin).parents[1]
    return (verl if name.startswith("verl/") else ROOT) / name


@EACH_PAGE
def test_every_path_exists_and_defines_what_it_is_said_to(page):
    top = "|".join(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("."))
    found = re.compile(rf"(?<![\w./-])((?:{top}|verl)/[\w./-]*\w/?)(?:::([\w.]+))?")
    ours = (match.groups() for code in all_code(page) for match in found.finditer(code))
    faults = []
    for path, symbol in ours:
        if path.startswith("outputs/"):
            continue
        if not located(path).exists():
            faults.append(path)
        elif symbol and symbol not in names_in(located(path)):
            faults.append(f"{path}::{symbol}")
    assert faults == []


@EACH_PAGE
def test_every_link_leads_to_a_page_and_a_heading(page):
    for name, heading in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", page.read_text(encoding="utf-8")):
        target = page.parent / name if name else page
        assert target.exists(), name
        if heading:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


@EACH_PAGE
def test_every_command_and_module_exists(page):
    for code in all_code(page):
        for module in re.findall(r"python -m ([\w.]+)", code):
            assert importlib.util.find_spec(module), code
        for script in re.findall(r"\b(?:python|bash) ((?!-)[\w./-]+\.(?:py|sh))", code):
            assert (ROOT / script).exists(), code
        for name in re.findall(r"(?<![\w./])verl_sdpo(?:\.\w+)+", code):
            assert name in PARQUET_METADATA or pkgutil.resolve_name(name)


@EACH_PAGE
def test_every_key_of_the_configuration_exists(compose, page):
    # The sections of all configurations that can be run.
    config = compose("sdpo_test_time_cpu")
    for key in {key for code in all_code(page) for key in CONFIG_KEY.findall(code)}:
        parent, _, name = key.rpartition(".")
        assert name in OmegaConf.select(config, parent), key


@EACH_PAGE
def test_every_setting_that_is_named_alone_is_a_key_or_an_option_of_a_reward(compose, page):
    def keys(node):
        if isinstance(node, dict):
            return set(node) | {key for value in node.values() for key in keys(value)}
        return set()

    known = keys(OmegaConf.to_container(compose("sdpo_trainer_cpu")))
    known |= set(inspect.signature(multiple_choice.compute_score).parameters)
    named = {match[1] for code in code_in(page)[0] if (match := re.match(r"([a-z]\w*)=", code))}
    assert named - known == set()


def test_every_key_that_brings_the_published_behaviour_back_is_an_option():
    paragraphs = re.findall(r"^Key: (.*?)Test:", text_of("deviations.md"), flags=re.MULTILINE | re.DOTALL)
    named = {re.match(r"\w+", code)[0] for paragraph in paragraphs for code in re.findall(r"`([^`]+)`", paragraph)}
    assert len(paragraphs) > 10
    assert named - set(flat_defaults()) == set()


# Metrics


def one_rollout():
    return {"uid": "q", "prompt": [{"role": "user", "content": "Q"}], "response": "R", "score": 0.0, "feedback": "F"}


def logged_metrics():
    from verl_sdpo.trainer.row_report import RowReport
    from verl_sdpo.trainer.teacher_batch import build_teacher_batch
    from verl_sdpo.watch.verdicts import verdict_metrics
    from verl_sdpo.worker.loss_adapter import _TOKEN_MEANS

    rollout = one_rollout() | {"privileged_context": None}
    names = set(build_teacher_batch([rollout], [[1]], RepromptConfig(), lambda _messages, _extra_info: [0]).metrics)
    names |= {name for split in ("train", "val") for name in RowReport(split, 1, 1, 1, 0, 1).metrics()}
    names |= {f"self_distillation/{name}" for name in _TOKEN_MEANS} | set(verdict_metrics([]))
    for path in [*(ROOT / "verl_sdpo/trainer").glob("*.py"), *(ROOT / "verl_sdpo/worker").glob("*.py")]:
        literals = re.findall(r'"(?:\{PREFIX\}|self_distillation/)(\w+)"', path.read_text(encoding="utf-8"))
        names |= {f"self_distillation/{name}" for name in literals}
        names |= set(re.findall(r'metrics\["(reward/\w+)"\]', path.read_text(encoding="utf-8")))
    return names


def test_the_page_of_metrics_lists_those_of_the_code_and_no_others():
    from verl_sdpo.algorithm import self_distillation_loss

    logged, returned = text_of("metrics.md").split("## What the plain loss function returns")
    assert set(METRIC.findall(logged)) == logged_metrics()
    logits, ones = torch.zeros(1, 1, 2), torch.ones(1, 1)
    _, metrics = self_distillation_loss(logits, logits, ones.long(), ones, topk=1, old_log_probs=ones)
    keys = re.findall(r"^\| (.*?) \|", returned, flags=re.MULTILINE)
    assert {name for key in keys for name in METRIC.findall(key)} == set(metrics)


@EACH_PAGE
def test_every_metric_that_a_page_names_is_on_the_page_of_metrics(page):
    listed = set(METRIC.findall(text_of("metrics.md")))
    assert {name for code in all_code(page) for name in METRIC.findall(code) if "." not in code} <= listed


# Configuration


def generator():
    spec = importlib.util.spec_from_file_location("generator", ROOT / "scripts" / "generate_configuration_docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_tables_are_current_and_a_stale_one_is_noticed(tmp_path):
    script = [sys.executable, str(ROOT / "scripts" / "generate_configuration_docs.py")]
    page = tmp_path / "page.md"
    page.write_text(text_of("configuration.md").replace("`distillation_topk` | `100`", "`distillation_topk` | `20`"))
    assert subprocess.run([*script, "--check"], check=False).returncode == 0
    assert subprocess.run([*script, "--check", "--page", str(page)], check=False, capture_output=True).returncode == 1
    subprocess.run([*script, "--page", str(page)], check=True)
    assert page.read_text(encoding="utf-8") == text_of("configuration.md")


def test_the_parsed_options_and_settings_are_the_real_ones():
    made = generator()
    options = made.dataclass_options(*made.LOSS_AND_TEACHER) + made.dataclass_options(*made.TEACHERS_PROMPT)
    assert {option.key: yaml.safe_load(option.default) for option in options} == flat_defaults()
    grouped = [key for keys in made.GROUPS.values() for key in keys]
    assert sorted(grouped) == sorted(option.key for option in made.dataclass_options(*made.LOSS_AND_TEACHER))
    time = made.dataclass_options(*made.TEST_TIME)
    assert {option.key: yaml.safe_load(option.default) for option in time} == test_time.defaults()
    for name in ("sdpo", "cpu", "test_time"):
        path = ROOT / "verl_sdpo" / "config" / f"{name}.yaml"
        loaded = {key: value for key, value in yaml.safe_load(path.read_text()).items() if key != "defaults"}
        settings = {setting.key: yaml.safe_load(setting.default) for setting in made.yaml_settings(path)}
        assert settings == leaves(loaded)


def leaves(node, prefix=""):
    if not isinstance(node, dict):
        return {prefix.rstrip("."): node}
    return {k: v for name, child in node.items() for k, v in leaves(child, f"{prefix}{name}.").items()}


def test_the_page_names_every_setting_that_is_checked():
    strings = re.findall(
        r'"((?:actor_rollout_ref|algorithm|distillation|trainer)(?:\.\w+)+)', generator().CHECKS.read_text()
    )
    assert len(strings) > 15
    assert {key for key in strings if f"`{key}" not in text_of("configuration.md")} == set()


@pytest.mark.parametrize(
    "block", re.findall(r"```bash\n# (.*?)```", text_of("configuration.md"), flags=re.DOTALL), ids=lambda b: b[:24]
)
def test_the_papers_settings_compose_and_pass_the_checks(compose, block):
    title, command = block.split("\n", 1)
    words = shlex.split(command.replace("\\\n", " "))
    assert words[:3] == ["python", "-m", "verl_sdpo.main_sdpo"]
    config = compose("sdpo_trainer", *words[3:])
    check_run(config)
    assert config.actor_rollout_ref.actor.policy_loss.loss_mode == ("sdpo" if title.startswith("SDPO") else "vanilla")


def test_the_overrides_of_the_recipes_compose_and_pass_the_checks(compose):
    rows = rows_after(text_of("configuration.md"), "<!-- recipes")
    assert len(rows) > 15
    for name, cell in rows:
        overrides = [
            code if "." in code.split("=")[0] else f"actor_rollout_ref.actor.self_distillation.{code}"
            for code in re.findall(r"`([^`]+)`", cell)
        ]
        assert all("=" in override for override in overrides), name
        config = compose("sdpo_trainer", *overrides)
        check_run(config)
        assert uses_sdpo(config), name


def test_the_configuration_file_of_ones_own_composes(tmp_path):
    [block] = re.findall(r"```yaml\n(.*?)```", text_of("configuration.md"), flags=re.DOTALL)
    (tmp_path / "my_run.yaml").write_text(block)
    command = [sys.executable, "-m", "verl_sdpo.main_sdpo", "--config-dir", str(tmp_path), "--config-name", "my_run"]
    run = subprocess.run([*command, "--cfg", "job"], capture_output=True, text=True, check=True, cwd=tmp_path)
    options = OmegaConf.create(run.stdout).actor_rollout_ref.actor.self_distillation
    assert (options.alpha, options.distillation_topk) == (1.0, 100)
    assert options.solution_template.startswith("\nA correct solution:\n\n")


# Tables


def rows_after(text, mark):
    """Cells of the rows of the table that follows, its head apart."""
    table = re.search(r"(?:^\|.*\n)+", text[text.index(mark) :], flags=re.MULTILINE)[0]
    return [[cell.strip() for cell in row.strip().strip("|").split("|")] for row in table.splitlines()[2:]]


@pytest.mark.parametrize(
    ("column", "config"),
    [
        (3, {}),
        (4, dict(RECOMMENDED_BEHAVIOUR)),
        (5, {"dont_reprompt_on_self_success": False, "own_success_choice": "always"}),
    ],
)
def test_the_truth_table_is_what_the_teacher_is_shown(column, config):
    rows = rows_after(text_of("algorithm.md"), "<!-- truth table")
    assert len({tuple(row[:3]) for row in rows}) == 8
    for row in rows:
        own, other, feedback = (cell == "yes" for cell in row[:3])
        mine = one_rollout() | {"response": "own", "score": float(own), "feedback": "feedback" if feedback else None}
        pair = [mine, one_rollout() | {"response": "other", "score": float(other)}]
        plan = plan_reprompts(pair, RepromptConfig(**config))[0]
        shown = [text for text in (plan.demonstration, plan.feedback) if text]
        assert " ".join(shown) == ("" if row[column] == "no target" else row[column])
        assert build_teacher_messages(pair, **config)[1][0] == float(row[column] != "no target")


def test_every_row_of_the_page_of_pitfalls_names_tests():
    # That they exist is seen above, with all other paths of all pages.
    rows = re.findall(r"^\| (?!What |---)(.*) \| (.*) \| (.*) \|$", text_of("pitfalls.md"), flags=re.MULTILINE)
    assert len(rows) > 50
    for mistake, _, tests in rows:
        assert re.fullmatch(r"`tests/[\w/]+\.py::test_\w+`(, `tests/[\w/]+\.py::test_\w+`)*", tests), mistake


def test_the_table_of_overrides_is_complete():
    found = {"SdpoActorRolloutRefWorker.actor_worker_cls"}
    rooms = [
        ROOT / "verl_sdpo/main_sdpo.py",
        *(ROOT / "verl_sdpo/rollout").glob("*.py"),
        *(ROOT / "verl_sdpo/test_time").glob("*.py"),
        *(ROOT / "verl_sdpo/trainer").glob("*.py"),
        *(ROOT / "verl_sdpo/worker").glob("*.py"),
    ]
    for path in rooms:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for method in node.body if isinstance(node, ast.ClassDef) else []:
                is_method = isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
                if is_method and f"super().{method.name}(" in ast.unparse(method):
                    found.add(f"{node.name}.{method.name}")
    rows = rows_after(text_of("architecture.md"), "### What is overridden")
    assert {row[0].strip("`") for row in rows} == found
