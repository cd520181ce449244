# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""An exported LoRA adapter put into the weights that lie beside it, for what loads whole models only."""

from __future__ import annotations

import shutil
from pathlib import Path

# Where verl's merger leaves the adapter; the weights beside it are the base's.
ADAPTER = "lora_adapter"


def merge_adapter(folder: Path) -> bool:
    """Make an exported folder one whole model; whether there was an adapter to merge.

    The sum is made in float32 and rounded to bfloat16, as verl's merged weights for the rollout are.
    """
    adapter = folder / ADAPTER
    if not adapter.exists():
        return False
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    merged = PeftModel.from_pretrained(base, adapter).merge_and_unload().bfloat16()
    for path in folder.glob("*.safetensors*"):
        path.unlink()
    merged.save_pretrained(folder)
    shutil.rmtree(adapter)
    return True
