# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "[[1, 2], [3]] [[1, 2, 9], [3]] [[1, 2, 9], [3]]\n"}
import copy

grid = [[1, 2], [3]]
deep = copy.deepcopy(grid)
shallow = copy.copy(grid)
grid[0].append(9)
print(deep, shallow, grid)
