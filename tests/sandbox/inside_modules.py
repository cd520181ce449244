# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The modules that run inside the sandbox, under the plain names that they have there."""

import importlib
import sys
from pathlib import Path

INSIDE = Path(__file__).parents[2] / "verl_sdpo" / "sandbox" / "inside"

sys.path.append(str(INSIDE))
codec, codec_form, plain_json, tester, wire, write_back = map(
    importlib.import_module, "codec codec_form plain_json tester wire write_back".split()
)
