# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux"]}
import os

# Whoever empties the directory afterwards must not follow them.
for target in ("/", "/tmp", "..", ".", "/proc/self/fd", "/dev/zero"):
    try:
        os.symlink(target, "link_" + target.replace("/", "_"))
    except OSError as error:
        print("blocked", error.errno)
print("links made")
