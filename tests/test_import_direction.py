# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The rooms of the package depend one way. Read from the source: an import inside a function counts too."""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "verl_sdpo"

# The rooms that each room may import, besides itself.
MAY_IMPORT = {
    "algorithm": set(),
    "statistics": set(),
    "sandbox": set(),
    "rewards": {"sandbox"},
    "platforms": set(),
    "teacher": set(),
    "watch": set(),
    "checkpoint": set(),
    "rollout": {"rewards"},
    "config": {"algorithm", "checkpoint", "rewards", "watch"},
    "reports": {"algorithm", "checkpoint", "config", "statistics", "watch"},
    "worker": {"algorithm", "config", "teacher"},
    "trainer": {"algorithm", "checkpoint", "config", "watch", "worker"},
    "plugin": {"platforms"},
    "signals": set(),
    "ray_token": set(),
    "evaluate": {"checkpoint", "platforms", "preflight", "rewards", "rollout", "statistics", "trainer"},
    "preflight": {"checkpoint", "config", "rewards", "trainer"},
    "main_sdpo": {"config", "platforms", "preflight", "ray_token", "rollout", "signals", "trainer"},
    "test_time": {
        "algorithm",
        "checkpoint",
        "config",
        "main_sdpo",
        "platforms",
        "preflight",
        "rollout",
        "trainer",
        "watch",
    },
    "": set(),
}
# What a room may import from outside. None: anything that is installed.
OUTSIDE = {
    "algorithm": {"torch", "triton"},
    "statistics": {"numpy"},
    "teacher": {"torch"},
    # verl: one file's client of a server, see below.
    "sandbox": {"numpy", "verl"},
    "rewards": {"math_verify", "sympy"},
    "watch": set(),
    # For exporting a model: verl's merger, and peft's.
    "checkpoint": {"peft", "torch", "transformers", "verl"},
    "rollout": {"ray", "verl"},
    "config": {"omegaconf"},
    # torch and transformers: the view of tokens, which runs the models; the tables are made without them.
    "reports": {"matplotlib", "numpy", "omegaconf", "tensorboard", "torch", "transformers", "yaml"},
    "plugin": set(),
    "platforms": {"torch", "verl"},
    "worker": None,
    "trainer": None,
    "signals": {"psutil"},
    "ray_token": set(),
    "evaluate": {"numpy", "omegaconf", "pyarrow", "torch", "transformers", "verl", "vllm"},
    "preflight": {"huggingface_hub", "hydra", "omegaconf", "pyarrow", "verl"},
    "main_sdpo": {"omegaconf", "ray", "verl"},
    "test_time": {"omegaconf", "pyarrow", "ray", "tensordict", "transfer_queue", "verl"},
    "": set(),
}
FILES = sorted(PACKAGE.rglob("*.py"))
# What runs in the sandbox's own interpreter, where the package is not: its files name each other without it.
INSIDE = PACKAGE / "sandbox" / "inside"
INSIDE_NAMES = {path.stem for path in INSIDE.glob("*.py")}


def module_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(path):
    """Absolute names of what a file imports; of `from a import b` both a and a.b, since b may be a module."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join(base + ([node.module] if node.module else []))
            names |= {source} | {f"{source}.{alias.name}" for alias in node.names}
    return {full_name(name) for name in names} if path.parent == INSIDE else names


def tops_of(path):
    return {name.split(".")[0] for name in imported_modules(path)}


def full_name(name):
    top = name.split(".")[0]
    return f"{module_name(INSIDE / top)}" if top in INSIDE_NAMES else name


def room(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def test_every_room_is_known():
    rooms = {room(module_name(path)) for path in FILES}
    assert rooms == set(MAY_IMPORT) == set(OUTSIDE)


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_file_imports_only_from_rooms_below_its_own(path):
    own = room(module_name(path))
    modules = {name for name in imported_modules(path) if name.startswith("verl_sdpo.")}
    assert {room(name) for name in modules} - {own} <= MAY_IMPORT[own]


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_file_imports_only_the_packages_of_its_room(path):
    allowed = OUTSIDE[room(module_name(path))]
    others = tops_of(path) - {"verl_sdpo"} - set(sys.stdlib_module_names)
    assert allowed is None or others <= allowed


@pytest.mark.parametrize("path", sorted(INSIDE.glob("*.py")), ids=module_name)
def test_what_runs_in_the_sandbox_imports_nothing_from_outside_of_it(path):
    modules = {name for name in imported_modules(path) if name.startswith("verl_sdpo")}
    assert all(name.startswith(module_name(INSIDE / "__init__.py") + ".") for name in modules)


def test_the_sandbox_imports_verl_where_it_asks_a_server_only():
    found = [path for path in FILES if room(module_name(path)) == "sandbox" and "verl" in tops_of(path)]
    assert [path.name for path in found] == ["sandbox_fusion.py"]
    # And there only once it does: the sandbox can be used without verl.
    whole = ast.parse(found[0].read_text(encoding="utf-8"))
    assert not [node for node in whole.body if isinstance(node, ast.ImportFrom) and node.module.startswith("verl.")]


def test_triton_is_imported_by_its_kernels_only():
    assert [path.name for path in FILES if "triton" in imported_modules(path)] == ["linear_triton.py"]


def test_no_two_files_import_each_other():
    graph = {module_name(path): imported_modules(path) for path in FILES}
    # A package's own file re-exports its modules; that they import a sibling through it is no cycle of files.
    done, active = set(), []

    def visit(module):
        assert module not in active, " -> ".join([*active[active.index(module) :], module])
        if module in done:
            return
        active.append(module)
        for name in sorted(graph[module] & graph.keys()):
            if name != module and not module.startswith(name + "."):
                visit(name)
        active.pop()
        done.add(module)

    for module in graph:
        visit(module)


def test_rooms_are_in_an_order():
    placed = set()
    while placed != set(MAY_IMPORT):
        ready = {name for name, below in MAY_IMPORT.items() if below <= placed} - placed
        assert ready, f"rooms in a circle: {set(MAY_IMPORT) - placed}"
        placed |= ready
