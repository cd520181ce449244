# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "done\n"}
import sys

if __name__ == "__main__":
    print("done")
    sys.exit(0)
