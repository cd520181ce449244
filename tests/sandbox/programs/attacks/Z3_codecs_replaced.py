# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import codecs
import sys


def search(name):
    return codecs.CodecInfo(lambda text, errors="": (b"true", 4), lambda data, errors="": ("7", len(data)), name="utf-8")


codecs.register(search)
codecs.lookup_error = lambda name: None
sys.setrecursionlimit(60)
print("x")
