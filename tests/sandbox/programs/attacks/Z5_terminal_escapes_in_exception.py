# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error"]}
raise RuntimeError("\x1b[2J\x1b]0;title\x07\x00\u202eevil\ud800\r\n\x85")
