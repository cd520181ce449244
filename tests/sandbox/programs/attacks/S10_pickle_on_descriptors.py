# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import os
import pickle


# What it does must not be in what it writes.
class Boom:
    def __reduce__(self):
        return (exec, ("import os; os.write(2, b'ESC' + b'APED: somebody loaded a pickle\\n')",))


data = pickle.dumps(Boom())
framed = len(data).to_bytes(4, "big") + data
for fd in range(1, 256):
    for text in (data, framed):
        try:
            os.write(fd, text)
        except OSError:
            pass
