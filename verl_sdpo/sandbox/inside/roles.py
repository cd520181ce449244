# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a confined process does: run a script, call a function, serve calls, test what is served, or judge an output.

The order comes as JSON on a descriptor of its own. Two bytes on another tell the supervisor that the process is
confined, and that the program was compiled; that descriptor is closed before anything of the program runs, so what it
says cannot be forged.
"""

import json
import os
import sys
from typing import Any

import program
from calls import find_function, serve
from plain_json import to_json
from tester import report_tests

# A process's descriptors by what they are for; it has those that its role needs.
DESCRIPTORS = {"stdin": 0, "stdout": 1, "stderr": 2, "result": 3, "calls": 4, "phase": 5, "order": 6}
CONFINED, COMPILED = b"c", b"p"


def play(role: str) -> None:
    """Does what the order says and ends the process. Does not return."""
    os.write(DESCRIPTORS["phase"], CONFINED)
    program.prepare()
    with open(DESCRIPTORS["order"], "rb") as file:
        order = json.loads(file.read())
    # A program that is called, or tested, is imported: what it has for its own start is not run.
    namespace = program.new_module("solution" if role in ("call", "solution") else "__main__")
    status = program.exit_status(lambda: _ROLES[role](order, namespace))
    program.leave(status, namespace)


def _script(order: dict[str, Any], namespace: dict[str, Any]) -> None:
    _load(order, namespace)


def _call(order: dict[str, Any], namespace: dict[str, Any]) -> None:
    """Calls a function of the program and writes what it returns."""
    _load(order, namespace)
    value = find_function(namespace, order["function"])(*json.loads(order["arguments"]))
    _write(DESCRIPTORS["result"], to_json(value).encode("ascii"))


def _solution(order: dict[str, Any], namespace: dict[str, Any]) -> None:
    """Serves calls; a program that fails while it is loaded fails at every call."""
    failure = None
    try:
        _load(order, namespace)
    except BaseException as error:
        failure = error
    serve(namespace, DESCRIPTORS["calls"], DESCRIPTORS["calls"], failure)


def _tester(order: dict[str, Any], namespace: dict[str, Any]) -> None:
    """Tests what another process serves."""
    _compiled()
    place = DESCRIPTORS["calls"]
    seconds = order["wall_seconds"]
    report_tests(order["tests"], order["setup"], order["function"], place, place, DESCRIPTORS["result"], seconds)


def _checker(order: dict[str, Any], namespace: dict[str, Any]) -> None:
    """A dataset's program that reads files and prints what it thinks of an output."""
    for name, text in order["files"].items():
        with open(name, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
    sys.argv = ["checker.py", *order["files"]]
    _load(order, namespace)


_ROLES = {"script": _script, "call": _call, "solution": _solution, "tester": _tester, "checker": _checker}


def _load(order: dict[str, Any], namespace: dict[str, Any]) -> None:
    """Runs the order's set-up and program in a namespace."""
    setup = compile(order.get("setup", ""), "setup.py", "exec", dont_inherit=True)
    try:
        code = program.compiled(order["source"])
    except program.CompileError as error:
        os.write(2, f"{error}\n".encode("utf-8", "backslashreplace"))
        os._exit(1)
    _compiled()
    exec(setup, namespace)
    exec(code, namespace)


def _compiled() -> None:
    os.write(DESCRIPTORS["phase"], COMPILED)
    os.close(DESCRIPTORS["phase"])


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
