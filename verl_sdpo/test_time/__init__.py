# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Test-time self-distillation (paper, section 5): one hard question at a time, with SDPO and with its two baselines."""
