# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A regular package: some distributions install a top-level `tests`, which would win over a namespace package."""
