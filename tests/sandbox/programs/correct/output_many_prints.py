# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "200000\n", "expected_from": "'\\n'.join(map(str, range(200000)))"}
for i in range(int(input())):
    print(i)
