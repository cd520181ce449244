# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What verl's vLLM server says of a response's end, with our engine around vLLM's."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CASE = Path(__file__).parent / "vllm_server_case.py"


@pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed")
def test_the_server_says_stop_and_length_and_leaves_the_rest_to_verl():
    environment = os.environ | {"VERL_PLATFORM": "cpu"}
    run = subprocess.run([sys.executable, CASE], env=environment, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-2000:]
    seen = json.loads(run.stdout.splitlines()[-1])
    expected = ["length", "stop", "aborted", "repetition", "aborted"]
    # On a CPU vLLM's engine dies of batch invariance.
    assert seen.pop("batch_invariance") == "0"
    assert seen == {"together": expected, "in_turn": expected, "num_calls": 10, "replica": "StopReasonReplica"}
