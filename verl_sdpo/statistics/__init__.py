# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What tables and figures are made of: averages over attempts, and how sure they are. Pure functions of numbers."""
