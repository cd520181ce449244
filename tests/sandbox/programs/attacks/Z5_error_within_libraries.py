# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error"]}
import json
import statistics

try:
    json.loads("{")
except ValueError as error:
    raise statistics.StatisticsError(f"{error}") from error
