# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What the teacher is: one file a kind, behind the interface of `interface.py`."""
