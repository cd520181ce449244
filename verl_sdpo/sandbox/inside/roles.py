# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a confined process does: run a script, call a function, serve calls, or test what is served.

The order comes as JSON on a descriptor of its own. Two bytes on another tell the supervisor that the process is
confined, and that the program was compiled; that descriptor is closed before anything of the program runs, so what it
says cannot be forged.
"""

import json
import os
from collections.abc import Callable
from typing import Any

import program

# A process's descriptors by what they are for; it has those that its role needs.
DESCRIPTORS = {"stdin": 0, "stdout": 1, "stderr": 2, "result": 3, "calls": 4, "phase": 5, "order": 6}
CONFINED, COMPILED = b"c", b"p"


def play(role: str) -> None:
    """Does what the order says and ends the process. Does not return."""
    os.write(DESCRIPTORS["phase"], CONFINED)
    program.prepare()
    with open(DESCRIPTORS["order"], "rb") as file:
        order = json.loads(file.read())
    namespace = program.new_main()
    status = program.exit_status(lambda: _ROLES[role](order, namespace))
    program.leave(status, namespace)


def _loaded(order: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """The order's set-up and program, compiled, as a function that runs them in a namespace."""
    setup = compile(order.get("setup", ""), "setup.py", "exec", dont_inherit=True)
    try:
        code = program.compiled(order["source"])
    except program.CompileError as error:
        os.write(2, f"{error}\n".encode("utf-8", "backslashreplace"))
        os._exit(1)
    os.write(DESCRIPTORS["phase"], COMPILED)
    os.close(DESCRIPTORS["phase"])

    def run(namespace: dict[str, Any]) -> None:
        exec(setup, namespace)
        exec(code, namespace)

    return run


def _script(order: dict[str, Any], namespace: dict[str, Any]) -> None:
    _loaded(order)(namespace)


_ROLES = {"script": _script}
