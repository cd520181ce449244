# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The source of tests: which names it takes from a program, and which assert failed on which values."""

import ast
import builtins
import symtable
from collections.abc import Collection
from types import CodeType, FrameType
from typing import Any, NamedTuple

# Variables that hold the two sides of the last assert of a scope. No source can name them.
_LEFT, _RIGHT = "left side", "right side"
_CLOSE = ("allclose", "isclose")
_OPERATORS = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}


class Sides(NamedTuple):
    """An assert's two sides; ``operator`` is empty where it has one side."""

    left: Any
    operator: str
    right: Any


def unbound_names(source: str, file: str, bound: Collection[str]) -> set[str]:
    """The global names that the source reads but does not set, other than those that are bound already or built in."""
    read, written = set(), set()
    tables = [symtable.symtable(source, file, "exec")]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            if table.get_type() == "module" or symbol.is_global():
                if symbol.is_referenced():
                    read.add(symbol.get_name())
                if symbol.is_assigned() or symbol.is_imported():
                    written.add(symbol.get_name())
    return {name for name in read - written - set(bound) if not hasattr(builtins, name)}


class Asserts:
    """Tests whose asserts keep their two sides for whoever asks after a failure; otherwise they run as written."""

    def __init__(self, source: str, file: str, functions: Collection[str]) -> None:
        self._source = source
        self._functions = {*functions, "candidate"}
        tree = ast.parse(source, file)
        self._asserts = _asserts_in(tree)
        self._is_turned = {node: self._keep_sides(node) for node in self._asserts}
        self.code: CodeType = compile(tree, file, "exec", dont_inherit=True, optimize=0)

    def text(self, line: int) -> str:
        """The assert that has this line, else the line."""
        node = self._at(line)
        if node is None:
            return self._source.split("\n")[line - 1].strip()
        return ast.get_source_segment(self._source, node) or ""

    def sides(self, frame: FrameType, line: int, result: Any) -> Sides | None:
        """The two sides of the assert that failed in this frame, the tested one left; ``result``: of the last call."""
        node = self._at(line)
        if node is None or _LEFT not in frame.f_locals:
            return None
        left, right = frame.f_locals[_LEFT], frame.f_locals.get(_RIGHT)
        test = node.test
        if isinstance(test, ast.Compare):
            operator = _OPERATORS[type(test.ops[0])]
        else:
            operator = "is close to" if isinstance(test, ast.Call) else ""
        if operator and (self._is_turned[node] or (right is result and left is not result)):
            left, right = right, left
        return Sides(left, operator, right)

    def _at(self, line: int) -> ast.Assert | None:
        found = [node for node in self._asserts if node.lineno <= line <= node.end_lineno]
        return found[-1] if found else None

    def _keep_sides(self, node: ast.Assert) -> bool:
        """Has the assert keep its sides; returns whether a tested function is called in its right side only."""
        test = node.test
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            sides = [test.left, test.comparators[0]]
            test.left, test.comparators[0] = _kept(sides[0], _LEFT), _kept(sides[1], _RIGHT)
        elif isinstance(test, ast.Call) and _is_closeness(test):
            sides = test.args[:2]
            test.args[:2] = _kept(sides[0], _LEFT), _kept(sides[1], _RIGHT)
        elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            test.operand = _kept(test.operand, _LEFT)
            return False
        else:
            # Of several conditions it would be the last that was looked at, which says little.
            node.test = test if isinstance(test, ast.BoolOp | ast.Compare) else _kept(test, _LEFT)
            return False
        return self._calls(sides[1]) and not self._calls(sides[0])

    def _calls(self, side: ast.expr) -> bool:
        return any(isinstance(node, ast.Name) and node.id in self._functions for node in ast.walk(side))


def _is_closeness(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    plain = len(call.args) >= 2 and not any(isinstance(argument, ast.Starred) for argument in call.args[:2])
    return plain and name in _CLOSE


def _asserts_in(tree: ast.Module) -> list[ast.Assert]:
    """Looks at statements only: tests may be lists of a million numbers."""
    found, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Assert):
            found.append(node)
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += getattr(node, name, [])
    return found


def _kept(value: ast.expr, name: str) -> ast.expr:
    variable = ast.copy_location(ast.Name(name, ast.Store()), value)
    return ast.copy_location(ast.NamedExpr(variable, value), value)
