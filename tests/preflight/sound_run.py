# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Rows that nothing is wrong with, to be damaged."""

import pyarrow as pa
import pyarrow.parquet as pq

NUM_ROWS = 8
VOCABULARY = 512


def row(number, **changes):
    return {
        "data_source": "gsm8k",
        "prompt": [{"role": "user", "content": f"What is {number} and {number}?"}],
        "reward_model": {"style": "rule", "ground_truth": str(2 * number)},
        "extra_info": {"index": number},
    } | changes


def write_rows(path, rows):
    pq.write_table(pa.Table.from_pylist(rows), path)
    return str(path)
