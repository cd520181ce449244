# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import ctypes

# Spoils its own interpreter; the one that started it must not mind.
for address in range(id(None), id(None) + 4096, 8):
    ctypes.memset(address, 0x41, 8)
