# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["wrong_answer"]}
import sys

text = "\x1b[2J\x1b[31m\x1b]0;title\x07\x1b]52;c;YQ==\x07\x9b31m\r\x08\x00\x7f\u202e\u200b\u2028\ufeff"
print(text)
print(text, file=sys.stderr)
