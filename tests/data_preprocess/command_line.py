# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A dataset's command, run as a user runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq

ROOT = Path(__file__).parents[2]


def run_module(name, *arguments):
    """Exit status, table and errors of ``python -m data_preprocess.<name>``."""
    command = [sys.executable, "-m", f"data_preprocess.{name}", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    return done.returncode, done.stdout, done.stderr


def write_lines(path, records):
    """Records as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    return path


def rows_of(path):
    """The rows of a parquet file."""
    return pq.read_table(path).to_pylist()
