# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "True True 16 36\n"}
import os
import random
import secrets
import uuid

values = {random.SystemRandom().getrandbits(64) for _ in range(10)}
print(len(values) == 10, secrets.randbelow(5) < 5, len(os.urandom(16)), len(str(uuid.uuid4())))
