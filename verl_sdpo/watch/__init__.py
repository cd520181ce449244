# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What looks after a run: warnings, budgets, the best checkpoint, callbacks. Plain data; neither verl nor Ray."""
