# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""An option that is checked and then never looked at would do nothing, whatever it is set to."""

import ast
from pathlib import Path

from verl_sdpo.config import flat_defaults

PACKAGE = Path(__file__).parents[2] / "verl_sdpo"
# They say what goes together, and what does nothing.
JUDGES = {PACKAGE / "config" / "checks.py", PACKAGE / "config" / "without_effect.py"}
# Here `self` is the options; elsewhere they have one of these names.
OWN_FILES = {PACKAGE / "config" / "self_distillation.py", PACKAGE / "algorithm" / "reprompt_config.py"}
NAMES = {"options", "config", "self_distillation"}


def options_read(source, names):
    """Attributes of objects with these names that are read, outside of functions that only check."""

    def visit(node):
        if isinstance(node, ast.FunctionDef) and node.name.startswith(("_check", "_require", "__post_init__")):
            return
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            owner = getattr(node.value, "attr", None) or getattr(node.value, "id", None)
            yield from [node.attr] if owner in names else []
        for child in ast.iter_child_nodes(node):
            yield from visit(child)

    return set(visit(ast.parse(source)))


def test_every_option_is_read_where_something_is_done_with_it():
    read = set()
    for path in set(PACKAGE.rglob("*.py")) - JUDGES:
        read |= options_read(path.read_text(encoding="utf-8"), NAMES | ({"self"} if path in OWN_FILES else set()))
    assert set(flat_defaults()) - read == set()


def test_an_option_that_is_only_checked_is_noticed():
    source = "class A:\n beta: float = 1.0\n def __post_init__(self):\n  assert self.beta > 0\n"
    assert options_read(source, {"self"}) == set()
    assert options_read(source + " def loss(self):\n  return 2 * self.beta\n", {"self"}) == {"beta"}
    assert options_read("x = self.options.beta + other.gamma", {"options"}) == {"beta"}
