# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import os

# Only the names and sizes, which tell where the tests lie.
seen = []
for path in ("/etc/shadow", os.path.expanduser("~/.ssh"), os.path.expanduser("~/.netrc")):
    try:
        seen.append((path, len(os.listdir(path)) if os.path.isdir(path) else len(open(path, "rb").read())))
    except OSError:
        pass
if seen:
    print("ESCAPED:", seen)
print("done")
