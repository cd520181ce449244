# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "asserts", "tests": "items = [3, 1, 2]\nassert sort_it(items) is None\nassert items == [1, 2, 3]\n"}
def sort_it(items):
    items.sort()
