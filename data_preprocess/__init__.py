# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Turns published datasets into the one row schema that the trainers read (docs/data.md)."""
