# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "1\n2 UserWarning\n"}
import sys
import warnings

warnings.warn("careful")
print(1)
print("debug: x = 3", file=sys.stderr)
sys.stderr.write("more\n")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    warnings.warn("again")
print(2, caught[0].category.__name__)
warnings.filterwarnings("ignore")
