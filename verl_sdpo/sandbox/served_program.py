# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The text of what a server is sent: a program, and before it what makes it run there as it does on this machine.

Only code, standard input and arguments are in it; expected outputs are not. The program shares its process with that
text and can read it, so a mark that it has to print only keeps apart what belongs apart by accident.
"""

import ast
import json
import math
from collections.abc import Mapping
from typing import Any

from verl_sdpo.sandbox.inside import INSIDE
from verl_sdpo.sandbox.interpreter import ENVIRONMENT
from verl_sdpo.sandbox.limits import Limits

# The oldest Python that the sandbox's own code runs under.
MIN_PYTHON = (3, 10)
# Ours end the sandbox's own start; the server's command line has no place for them.
_FLAGS = ("-s", "-B")
# Processor time of Python's own start and of imports, which are done beforehand on this machine.
_START_SECONDS = 1.0
_THREAD_STACK = 8 * 2**20
# Python is started again with the environment that programs have here, so that sets come in the same order every time
# and libraries start no threads. A thread's stack would be as large as the server's limit of memory otherwise. Standard
# input is a file as it is here: programs ask for its size.
_DRIVER = """\
import os, sys
SETTING = {environment!r}
if any(os.environ.get(name) != value for name, value in SETTING.items()):
    os.environ.update(SETTING)
    os.execv(sys.executable, [sys.executable, *{flags!r}, *sys.argv])
import json, resource, shutil, threading, types
def load(name, text):
    module = types.ModuleType(name)
    exec(compile(text, name + ".py", "exec"), module.__dict__)
    return module
def limit(name, *values):
    hard = resource.getrlimit(name)[1]
    resource.setrlimit(name, [value if hard == resource.RLIM_INFINITY else min(value, hard) for value in values])
def write(descriptor, text):
    view = memoryview(text.encode("utf-8", "backslashreplace"))
    while view:
        view = view[os.write(descriptor, view) :]
def make_stdin_a_file():
    place = os.memfd_create("input")
    with open(0, "rb", closefd=False) as given, open(place, "wb", closefd=False) as file:
        shutil.copyfileobj(given, file)
    os.lseek(place, 0, os.SEEK_SET)
    os.dup2(place, 0)
    os.close(place)
def work():
    for name, text in ORDER["files"].items():
        with open(name, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
    if ORDER["files"]:
        sys.argv = ["checker.py", *ORDER["files"]]
    setup = compile(ORDER["setup"], "setup.py", "exec", dont_inherit=True)
    try:
        code = program.compiled(ORDER["source"])
    except program.CompileError as error:
        write(2, f"{{error}}\\n" + MARK)
        os._exit(1)
    exec(setup, namespace)
    exec(code, namespace)
    if ORDER["function"] is not None:
        value = calls.find_function(namespace, ORDER["function"])(*json.loads(ORDER["arguments"]))
        write(1, MARK + plain_json.to_json(value) + MARK)
MARK, ORDER = {mark!r}, json.loads({order!r})
program, plain_json, calls = (load(*item) for item in json.loads({modules!r}).items())
make_stdin_a_file()
limit(resource.RLIMIT_CPU, {cpu_seconds}, {cpu_seconds} + 1)
limit(resource.RLIMIT_FSIZE, {file_bytes}, {file_bytes})
threading.stack_size({thread_stack})
own = sys.modules["__main__"]
program.prepare()
namespace = program.new_module("__main__" if ORDER["function"] is None else "solution")
program.leave(program.exit_status(work), namespace)
"""


def order_of(
    source: str,
    setup: str = "",
    function: str | None = None,
    arguments: str = "[]",
    files: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What is to be done: a script is run; or its function is called; or it finds files and gets their names."""
    return {
        "source": source,
        "setup": setup,
        "function": function,
        "arguments": arguments,
        "files": dict(files or {}),
    }


def served_program(order: Mapping[str, Any], limits: Limits, mark: str) -> str:
    """The source that a server is sent.

    Args:
        order: of ``order_of``.
        limits: those of processor time, in whole seconds, and of the size of files are put on by the program itself.
        mark: stands on both sides of the result in standard output, and at the end of standard error where the program
            is no Python.
    """
    return _DRIVER.format(
        environment=ENVIRONMENT,
        flags=_FLAGS,
        mark=mark,
        order=json.dumps(order),
        modules=json.dumps(_modules()),
        cpu_seconds=math.ceil(limits.cpu_seconds + _START_SECONDS),
        file_bytes=int(limits.file_bytes),
        thread_stack=_THREAD_STACK,
    )


def _modules() -> dict[str, str]:
    """Those parts of the sandbox's own code that need nothing else of it."""
    whole = {name: (INSIDE / f"{name}.py").read_text(encoding="utf-8") for name in ("program", "plain_json", "calls")}
    return whole | {"calls": _function_in(whole["calls"], "find_function")}


def _function_in(source: str, name: str) -> str:
    node = next(node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == name)
    return f"from __future__ import annotations\n{ast.get_source_segment(source, node)}\n"
