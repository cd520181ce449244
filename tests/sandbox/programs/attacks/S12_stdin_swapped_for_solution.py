# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import sys

# The input may lie beside the expected output.
for path in ("output.txt", "expected.txt", "answer.txt", "../output", "tests.json", "../tests.json", "stdin", "../stdin"):
    try:
        with open(path) as file:
            print("ESCAPED: read", path, file=sys.stderr)
            print(file.read())
    except OSError:
        pass
