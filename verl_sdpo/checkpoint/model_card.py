# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The model card of an exported model: what is known of its training, and nothing that is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from verl_sdpo.checkpoint.manifest import Manifest

_SETTINGS = (
    "actor_rollout_ref.model.path",
    "actor_rollout_ref.actor.policy_loss.loss_mode",
    "algorithm.adv_estimator",
    "actor_rollout_ref.actor.optim.lr",
    "actor_rollout_ref.rollout.n",
    "data.train_files",
    "data.train_batch_size",
    "data.max_prompt_length",
    "data.max_response_length",
    "trainer.seed",
)


def model_card(checkpoint: Path, manifest: Manifest | None, role: str, has_adapter: bool) -> str:
    """Text of README.md, with the front matter that the Hugging Face hub reads. `role` is "student" or "teacher"."""
    settings = _settings(checkpoint / "config.json")
    base = settings.get("actor_rollout_ref.model.path")
    front = ["library_name: transformers", "tags:", "- verl", "- verl_sdpo"]
    # A folder of the machine that trained means nothing to others.
    if base and not base.startswith(("/", ".", "~")) and base.count("/") == 1:
        front.append(f"base_model: {base}")
    step = int(checkpoint.name.removeprefix("global_step_"))
    lines = ["---", *front, "---", "", f"# The {role} after step {step}", ""]
    lines += [
        f"Exported from a checkpoint of a verl_sdpo run, in bfloat16. It is the {role}"
        + (": the weights that were trained." if role == "student" else ": the weights that taught the student."),
        "",
        "```python",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        'model = AutoModelForCausalLM.from_pretrained("<this folder>", torch_dtype="auto")',
        'tokenizer = AutoTokenizer.from_pretrained("<this folder>")',
        "```",
        "",
    ]
    if has_adapter:
        lines += ["The folder holds the base model; what was trained is the adapter in `lora_adapter/`.", ""]
    if manifest is None:
        return "\n".join([*lines, "The checkpoint says nothing about its run.", ""])
    lines += ["## Run", "", "| What | Value |", "|---|---|"]
    lines += [_row(key, value) for key, value in settings.items()]
    lines += [
        _row(f"{fact} {key}", value) for fact, entries in manifest.facts.items() for key, value in entries.items()
    ]
    if best := manifest.run.get("best"):
        lines.append(_row(f"best validation so far, {best['metric']}", f"{best['value']} at step {best['step']}"))
    lines += [_row("checkpoint written (UTC)", manifest.saved_at), _row("configuration", manifest.config_sha256)]
    lines += [_row(f"version of {package}", version) for package, version in manifest.versions.items()]
    return "\n".join([*lines, ""])


def _settings(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    config = json.loads(path.read_text(encoding="utf-8"))
    found = {}
    for key in _SETTINGS:
        value: Any = config
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            found[key] = value
    return found


def _row(name: str, value: Any) -> str:
    text = str(value).replace("\n", "\\n").replace("|", "\\|").replace("`", "'")
    return f"| {name} | `{text}` |"
