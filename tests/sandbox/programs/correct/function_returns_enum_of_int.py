# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "function", "function": "colour", "args": [], "value": 2}
from enum import IntEnum


class Colour(IntEnum):
    RED = 1
    GREEN = 2


def colour():
    return Colour.GREEN
