# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What the tests of the worker layer share: tiny models, synthetic batches and verl's worker on them.

Nothing here imports verl before the process that needs it is prepared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import torch

VOCAB = 61


# --- models ----------------------------------------------------------------------------------------------------------


def save_model(
    path: Path, *, is_tied: bool, num_layers: int = 2, hidden_size: int = 32, vocab_size: int = VOCAB
) -> Path:
    """A Qwen3 with weights large enough that its distributions differ from position to position."""
    from recipe.tiny_model import small_qwen3

    model = small_qwen3(
        vocab_size,
        hidden_size,
        num_layers,
        num_heads=4,
        seed=0,
        intermediate_size=48,
        head_dim=8,
        max_position_embeddings=64,
        tie_word_embeddings=is_tied,
        initializer_range=0.25,
    )
    model.save_pretrained(path)
    return path


def plain_model(path: Path) -> Any:
    """The saved model as transformers runs it."""
    from transformers import Qwen3ForCausalLM

    return Qwen3ForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()


def other_weights(path: Path, seed: int = 1, scale: float = 0.1) -> dict[str, torch.Tensor]:
    """Weights for a teacher that is not the student, by parameter name."""
    generator = torch.Generator().manual_seed(seed)
    parameters = plain_model(path).named_parameters()
    return {name: p.detach() + scale * torch.randn(p.shape, generator=generator) for name, p in parameters}


# --- batches ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """One rollout: token ids, and values per response token."""

    prompt: list[int]
    response: list[int]
    mask: list[int]
    teacher_prompt: list[int]
    has_target: bool
    old_log_probs: list[float] = field(default_factory=list)
    rollout_weights: list[float] = field(default_factory=list)


def make_samples(masks: Sequence[Sequence[int]], targets: Sequence[int], seed: int = 0) -> list[Sample]:
    """One sample for each response mask; prompts of several lengths."""
    generator = torch.Generator().manual_seed(seed)
    ids = lambda num: torch.randint(0, VOCAB, (num,), generator=generator).tolist()  # noqa: E731
    between = lambda low, high, num: (low + (high - low) * torch.rand(num, generator=generator)).tolist()  # noqa: E731
    return [
        Sample(
            prompt=ids(2 + index % 4),
            response=ids(len(mask)),
            mask=list(mask),
            teacher_prompt=ids(5 + (3 * index) % 7),
            has_target=bool(target),
            old_log_probs=between(-6.0, -1.0, len(mask)),
            rollout_weights=between(0.2, 2.0, len(mask)),
        )
        for index, (mask, target) in enumerate(zip(masks, targets, strict=True))
    ]


def batch_of(samples: Sequence[Sample], *, world: int = 1, has_rollout_weights: bool = False, **settings: Any) -> Any:
    """A rank's samples as verl's trainer hands them to the worker; by default one mini-batch of all ranks' samples."""
    from verl.utils import tensordict_utils as tu

    def nested(rows: list[list], dtype: torch.dtype = torch.int64) -> torch.Tensor:
        return torch.nested.as_nested_tensor([torch.tensor(row, dtype=dtype) for row in rows], layout=torch.jagged)

    fields = {
        "input_ids": nested([s.prompt + s.response for s in samples]),
        "position_ids": nested([list(range(len(s.prompt + s.response))) for s in samples]),
        "prompts": nested([s.prompt for s in samples]),
        "responses": nested([s.response for s in samples]),
        "response_mask": nested([s.mask for s in samples]),
        "loss_mask": nested([s.mask for s in samples]),
        "old_log_probs": nested([s.old_log_probs for s in samples], torch.float32),
        # What the trainer stores for a sample without a target.
        "teacher_input_ids": nested([s.teacher_prompt + s.response if s.has_target else [0] for s in samples]),
        "self_distillation_mask": torch.tensor([float(s.has_target) for s in samples]),
    }
    if has_rollout_weights:
        fields["rollout_is_weights"] = nested([s.rollout_weights for s in samples], torch.float32)
    size = len(samples) * world
    switches = {
        "calculate_entropy": False,
        "distillation_use_topk": False,
        "distillation_only": False,
        "global_batch_size": size,
        "mini_batch_size": size,
        "epochs": 1,
        "seed": 42,
        "dataloader_kwargs": {"shuffle": False},
        "temperature": 1.0,
    }
    return tu.get_tensordict(fields, switches | settings)


# --- verl's worker ---------------------------------------------------------------------------------------------------


def make_worker(
    model_path: Path,
    *,
    options: dict[str, Any] | None = None,
    optimizer: dict[str, Any] | None = None,
    engine: dict[str, Any] | None = None,
    model: dict[str, Any] | None = None,
    param_dtype: str = "fp32",
    micro_batch_size: int = 2,
    use_remove_padding: bool = False,
) -> Any:
    """An `SdpoTrainingWorker` with FSDP2, made as `ActorRolloutRefWorker.init_model` makes it; gradients unclipped."""
    from verl_sdpo.platforms.cpu import adaptations

    adaptations.install()
    from verl.workers.config import FSDPEngineConfig, FSDPOptimizerConfig, HFModelConfig, TrainingWorkerConfig

    from verl_sdpo.worker.sdpo_worker import SdpoTrainingWorker

    model_config = HFModelConfig(
        path=str(model_path),
        load_tokenizer=False,
        use_remove_padding=use_remove_padding,
        override_config={"attn_implementation": "eager"},
        **(model or {}),
    )
    engine_config = FSDPEngineConfig(
        strategy="fsdp2",
        use_torch_compile=False,
        mixed_precision={"param_dtype": param_dtype, "reduce_dtype": "fp32", "buffer_dtype": "fp32"},
        **(engine or {}),
    )
    engine_config.use_dynamic_bsz = False
    engine_config.micro_batch_size_per_gpu = engine_config.infer_micro_batch_size_per_gpu = micro_batch_size
    config = actor_config(engine_config, options or {})
    optimizer_config = FSDPOptimizerConfig(
        **{"lr": 0.0, "clip_grad": 1e9, "total_training_steps": 100} | (optimizer or {})
    )
    worker = SdpoTrainingWorker(
        TrainingWorkerConfig(
            model_type="language_model",
            model_config=model_config,
            engine_config=engine_config,
            optimizer_config=optimizer_config,
            checkpoint_config=config.checkpoint,
        )
    )
    worker.reset()
    worker.start_self_distillation(config)
    return worker


def actor_config(
    engine_config: Any,
    options: dict[str, Any],
    loss_agg_mode: str = "token-mean",
    loss_mode: str = "sdpo",
    **terms: Any,
) -> Any:
    """The actor's configuration as the worker reads it; `terms` are other fields of verl's."""
    from verl.workers.config import PolicyLossConfig

    from verl_sdpo.worker.actor_config import SdpoActorConfig

    return SdpoActorConfig(
        policy_loss=PolicyLossConfig(loss_mode=loss_mode),
        strategy="fsdp2",
        rollout_n=1,
        ppo_micro_batch_size_per_gpu=1,
        fsdp_config=engine_config,
        self_distillation=options,
        loss_agg_mode=loss_agg_mode,
        **terms,
    )


def set_teacher(worker: Any, weights: dict[str, torch.Tensor]) -> None:
    """Give the EMA teacher these whole weights."""
    shards = local_shards(worker, weights)
    worker.teacher.load_state_dict({"kind": "ema", "rate": 0.0, "num_updates": 0, "shards": shards})


@torch.no_grad()
def set_student(worker: Any, weights: dict[str, torch.Tensor]) -> None:
    """Give the student these whole weights."""
    from verl_sdpo.teacher.shards import reshard

    reshard(worker.engine.module)
    shards = local_shards(worker, weights)
    for name, p in worker.engine.module.named_parameters():
        p.to_local().copy_(shards[name])


def local_shards(worker: Any, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """This rank's part of whole weights, by parameter name."""
    from torch.distributed.tensor import distribute_tensor

    parameters = worker.engine.module.named_parameters()
    return {name: distribute_tensor(weights[name], p.device_mesh, p.placements).to_local() for name, p in parameters}


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A copy of the whole of a sharded tensor: a collective call."""
    tensor = tensor.detach()
    return (tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor).clone()


def whole_weights(worker: Any) -> dict[str, torch.Tensor]:
    """The student's weights, gathered from all ranks."""
    return {name: whole(p) for name, p in worker.engine.module.named_parameters()}


def gradients_of(worker: Any, data: Any) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """One training step: whole gradients of its last update by parameter name, a collective call, and its metrics."""
    found: dict[str, torch.Tensor] = {}
    step = worker.engine.optimizer_step

    def recording_step() -> Any:
        found.update({name: whole(p.grad) for name, p in worker.engine.module.named_parameters()})
        return step()

    with mock.patch.object(worker.engine, "optimizer_step", recording_step):
        metrics = metrics_of(worker.train_mini_batch(data))
    return found, metrics


def metrics_of(output: Any) -> dict[str, Any]:
    """What `train_mini_batch` reports, by name."""
    from verl.utils import tensordict_utils as tu

    return tu.get(output, "metrics")
