# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What an import costs: the modules one after the other in a fresh process, which tells what came along."""

import json
import subprocess
import sys

import pytest

HEAVY = ("ray", "verl", "vllm", "transfer_queue", "tensordict", "transformers", "hydra", "omegaconf", "torch")
# The heavy packages that a module may import, itself or through others. Nobody's are less than those of the ones before
# it, so that one process shows the fault of each.
ALLOWED = {
    "verl_sdpo": (),
    "verl_sdpo.sandbox": (),
    "verl_sdpo.checkpoint.__main__": (),
    "verl_sdpo.checkpoint.export": (),
    "verl_sdpo.rewards": (),
    "verl_sdpo.evaluate.__main__": (),
    "verl_sdpo.reports.__main__": (),
    "verl_sdpo.statistics.attempts": (),
    "verl_sdpo.statistics.bootstrap": (),
    "data_preprocess.generic": (),
    "data_preprocess.add_context": (),
    "verl_sdpo.platforms.cpu.platform_selection": (),
    "verl_sdpo.algorithm": ("torch",),
    "verl_sdpo.config": ("torch",),
    "verl_sdpo.teacher": ("torch",),
    "verl_sdpo.reports.tokens": ("torch",),
    "verl_sdpo.config.checks": ("torch", "omegaconf"),
    # verl looks for a device as it is imported: `generate.prepare_device` has to come first.
    "verl_sdpo.evaluate.generate": ("torch", "omegaconf"),
    "verl_sdpo.evaluate.judge": ("torch", "omegaconf"),
    "verl_sdpo.evaluate.model": ("torch", "omegaconf"),
    "verl_sdpo.main_sdpo": ("torch", "omegaconf", "hydra"),
}
CODE = """
import importlib, json, sys
modules, heavy = json.loads(sys.argv[1])
for module in modules:
    importlib.import_module(module)
    print(json.dumps([name for name in heavy if name in sys.modules]))
"""


@pytest.fixture(scope="module")
def loaded():
    arguments = json.dumps([list(ALLOWED), HEAVY])
    command = [sys.executable, "-c", CODE, arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert run.stderr == ""
    return dict(zip(ALLOWED, map(json.loads, run.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("module", ALLOWED)
def test_importing_a_module_pulls_in_nothing_heavy_that_it_does_not_need(loaded, module):
    assert set(loaded[module]) <= set(ALLOWED[module])


def test_the_order_of_the_modules_hides_nothing():
    sets = [set(names) for names in ALLOWED.values()]
    assert all(earlier <= later for earlier, later in zip(sets, sets[1:]))
