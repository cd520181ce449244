# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "answer\n"}
import logging

logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(message)s")
logging.getLogger(__name__).debug("value %d", 3)
logging.error("not an error")
print("answer")
