# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Tables and figures of the paper from the logs of runs, with the paper's numbers beside them.

`python -m verl_sdpo.reports RUNS... --output DIR`; docs/reports.md says what is read and how each number is made.
"""
