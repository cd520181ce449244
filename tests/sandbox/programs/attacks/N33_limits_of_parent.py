# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux"]}
import os
import resource

# Of its parent or of a neighbour, it may neither read nor set any.
for target in {os.getppid(), 1} - {0, os.getpid()}:
    for name in ("RLIMIT_NOFILE", "RLIMIT_CPU"):
        try:
            now = resource.prlimit(target, getattr(resource, name))
            print("ESCAPED: read", name, "of", target)
            resource.prlimit(target, getattr(resource, name), now)
            print("ESCAPED: set", name, "of", target)
        except OSError as error:
            print("blocked", error.errno)
