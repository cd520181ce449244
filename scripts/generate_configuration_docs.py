# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Write the tables of docs/configuration.md from the sources that define them.

    python scripts/generate_configuration_docs.py           write the tables
    python scripts/generate_configuration_docs.py --check   exit status 1 if the page is stale, nothing is written

The text around the tables is written by hand. A table stands between `<!-- generated: NAME -->` and
`<!-- end -->`. Sources are parsed, not imported: this runs with Python alone.
"""

import argparse
import ast
import io
import json
import re
import sys
import tokenize
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "configuration.md"
LOSS_AND_TEACHER = (ROOT / "verl_sdpo" / "config" / "self_distillation.py", "SelfDistillationConfig")
TEACHERS_PROMPT = (ROOT / "verl_sdpo" / "algorithm" / "reprompt_config.py", "RepromptConfig")
TEST_TIME = (ROOT / "verl_sdpo" / "config" / "test_time.py", "TestTimeConfig")
CHECKS = ROOT / "verl_sdpo" / "config" / "checks.py"
# The page shows the options of loss and teacher in groups, each in the order of the class.
GROUPS = {
    "divergence": (
        "full_logit_distillation",
        "credit_assignment",
        "distillation_topk",
        "distillation_support",
        "distillation_add_tail",
        "alpha",
        "distillation_head",
        "distillation_chunk_size",
        "distillation_kernels",
        "advantage_clip",
        "is_clip",
        "recompute_old_log_probs",
    ),
    "policy_gradient": ("distillation_weight", "hybrid_policy_loss", "group_advantage_weight"),
    "weights": ("sample_weighting", "token_weighting", "skip_first_tokens"),
    "teacher_weights": (
        "teacher_regularization",
        "teacher_update_rate",
        "teacher_update_every",
        "teacher_warmup_steps",
        "trust_region_mix",
        "external_teacher_path",
    ),
    "generation": ("generation_by",),
}
_SECTION = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


class Option(NamedTuple):
    """A setting, its default and the words above it in its source."""

    key: str
    default: str
    comment: str


def dataclass_options(path: Path, class_name: str) -> list[Option]:
    """Fields of a dataclass whose defaults are literals; one without a comment refers to the last that has one."""
    source = path.read_text(encoding="utf-8")
    comments = _comments(source)
    options: list[Option] = []
    described = ""
    for node in _class(source, class_name).body:
        if not isinstance(node, ast.AnnAssign) or not _is_literal(node.value):
            continue
        key, comment = node.target.id, _text_above(comments, node.lineno)
        described = key if comment else described
        default = json.dumps(ast.literal_eval(node.value), ensure_ascii=False)
        options.append(Option(key, default, comment or f"See `{described}`."))
    return options


def yaml_settings(path: Path) -> list[Option]:
    """Leaves of one of our YAML files: two blanks a level, a value on its key's line. Lists of files are left out.

    A comment is about the key below it, all that is under that key, and the keys that follow it without a gap.
    """
    settings: list[Option] = []
    parents: list[str] = []
    pending: list[str] = []
    notes: dict[int, str] = {}
    has_gap = False
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.strip()
        if not text:
            pending, has_gap = [], True
        elif text.startswith("#"):
            pending.append(text.removeprefix("#").strip())
        elif not text.startswith("- "):
            level = (len(line) - len(line.lstrip())) // 2
            key, _, value = text.partition(":")
            parents = [*parents[:level], key]
            notes = {at: note for at, note in notes.items() if at < level or (at == level and not has_gap)}
            if pending:
                notes[level] = " ".join(pending)
            if value.strip():
                settings.append(Option(".".join(parents), value.strip(), notes[max(notes)] if notes else ""))
            pending, has_gap = [], False
    return settings


def refused_settings(path: Path, function_name: str) -> list[tuple[str, str]]:
    """(key, why and what to set) of every rule that a function returns; `{KEY}` stays for our own options."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    [function] = [node for node in ast.walk(tree) if getattr(node, "name", None) == function_name]
    [rules] = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
    return [(_key(rule.elts[0]), rule.elts[2].value) for rule in rules.elts]


def _key(node: ast.expr) -> str:
    # An f-string names one of our options: the table has its last part.
    return node.value if isinstance(node, ast.Constant) else ast.literal_eval(ast.unparse(node)[1:]).rpartition(".")[2]


def render(page: str) -> str:
    """The page with all of its tables made anew.

    Raises:
        KeyError: the page asks for a table that is not known.
    """
    config = ROOT / "verl_sdpo" / "config"
    tables = {
        **{
            name: lambda keys=keys: _options_table([o for o in dataclass_options(*LOSS_AND_TEACHER) if o.key in keys])
            for name, keys in GROUPS.items()
        },
        "teachers_prompt": lambda: _options_table(dataclass_options(*TEACHERS_PROMPT)),
        "test_time_options": lambda: _options_table(dataclass_options(*TEST_TIME)),
        "test_time_yaml": lambda: _settings_table(yaml_settings(config / "test_time.yaml")),
        "sdpo_yaml": lambda: _settings_table(yaml_settings(config / "sdpo.yaml")),
        "cpu_yaml": lambda: _settings_table(yaml_settings(config / "cpu.yaml")),
        **{
            name: lambda name=name: _refused_table(refused_settings(CHECKS, f"_{name}_rules"))
            for name in ("teacher", "lora", "loss", "teacher_generation")
        },
    }
    return _SECTION.sub(lambda section: section[1] + tables[section[2]]() + section[3], page)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if the page is stale")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page (default: docs/configuration.md)")
    options = parser.parse_args(arguments)
    old = options.page.read_text(encoding="utf-8")
    new = render(old)
    if options.check:
        if new != old:
            print(f"{options.page} is stale: run python scripts/generate_configuration_docs.py", file=sys.stderr)
        return int(new != old)
    options.page.write_text(new, encoding="utf-8")
    return 0


def _class(source: str, name: str) -> ast.ClassDef:
    [found] = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == name]
    return found


def _is_literal(node: ast.expr | None) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError):
        return False
    return True


def _comments(source: str) -> dict[int, str]:
    """Line number to the text of a comment that has the line to itself."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]: token.string.removeprefix("#").strip()
        for token in tokens
        if token.type == tokenize.COMMENT and not token.line[: token.start[1]].strip()
    }


def _text_above(comments: dict[int, str], line: int) -> str:
    lines: list[str] = []
    while (line := line - 1) in comments:
        lines.insert(0, comments[line])
    return " ".join(lines)


def _options_table(options: list[Option]) -> str:
    return _table(
        ["Option", "Default", "Meaning"], [[_code(o.key), _code(o.default), _text(o.comment)] for o in options]
    )


def _settings_table(settings: list[Option]) -> str:
    return _table(["Key", "Value", "Why"], [[_code(s.key), _code(s.default), _text(s.comment)] for s in settings])


def _refused_table(rules: list[tuple[str, str]]) -> str:
    return _table(["Setting", "Why, and what to set"], [[_code(key), _text(why)] for key, why in rules])


def _code(text: str) -> str:
    return f"`{text}`"


def _text(comment: str) -> str:
    # A reader of Markdown would take <think> for a tag of its own.
    return comment.replace("<", "&lt;")


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
