# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Can verl's data loader write its cache? It goes through the `datasets` library, which copies every file there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from verl_sdpo.preflight.fault import Fault, Findings


def examine_caches() -> Findings:
    """A cache that cannot be written: as a rule below a home that cannot."""
    from huggingface_hub.constants import HF_HOME

    folder = Path(os.environ.get("HF_DATASETS_CACHE") or Path(HF_HOME, "datasets")).absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        # Permissions alone do not tell: of a file system that is mounted read-only, for one.
        with tempfile.TemporaryFile(dir=existing):
            return Findings()
    except OSError as error:
        problem = f"the cache of data files, {folder}, cannot be written: {error.strerror}"
        return Findings(
            [Fault("disk", "HF_HOME", problem, "set the environment variable HF_HOME to a folder that can")]
        )
