# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import sys

sys.stdout.reconfigure(errors="surrogatepass")
print("\ud800 \udcff \ud83d")
