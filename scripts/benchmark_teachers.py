# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What each teacher costs: memory of its own, forward passes and time of a training step, in one run.

`python scripts/benchmark_teachers.py [--hidden 512 --layers 4 ...]` prints a Markdown table. Each line is verl's FSDP2
worker in a process of its own, on a GPU where there is one and otherwise on the CPU, with a Qwen3 of the given shape
and random weights. The line "none" is the same step with verl's policy loss in place of distillation
(`distillation_weight=0`); lines with LoRA are compared with a line of that kind with LoRA.

Memory is the peak of the steps: on a GPU of what torch allocates, on the CPU of the process's resident size.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch
from peak_memory import peak_bytes, reset_peak

# Recipes are found from the repository's root, wherever this is called.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from recipe.tiny_model import small_qwen3  # noqa: E402

LORA = {"lora_rank": 8, "lora_alpha": 16, "target_modules": "all-linear"}
NO_TEACHER = {"distillation_weight": 0.0, "teacher_regularization": "live"}
# Line: options of SDPO, options of the model, the line it is compared with. {external} is a checkpoint of half the
# layers.
LINES = {
    "none": (NO_TEACHER, {}, "none"),
    "ema": ({}, {}, "none"),
    "frozen": ({"teacher_regularization": "frozen"}, {}, "none"),
    "live": ({"teacher_regularization": "live"}, {}, "none"),
    "trust_region": ({"teacher_regularization": "trust_region"}, {}, "none"),
    "external (half the layers)": (
        {"teacher_regularization": "external", "external_teacher_path": "{external}"},
        {},
        "none",
    ),
    "none, LoRA": (NO_TEACHER, LORA, "none, LoRA"),
    "ema, LoRA": ({}, LORA, "none, LoRA"),
    "frozen, LoRA": ({"teacher_regularization": "frozen"}, LORA, "none, LoRA"),
    "trust_region, LoRA": ({"teacher_regularization": "trust_region"}, LORA, "none, LoRA"),
}


def save_model(path: Path, shape: argparse.Namespace, num_layers: int) -> str:
    small_qwen3(
        shape.vocab,
        shape.hidden,
        num_layers,
        num_heads=shape.hidden // 64,
        seed=0,
        intermediate_size=3 * shape.hidden,
        head_dim=64,
    ).save_pretrained(path)
    return str(path)


def make_worker(
    model: str, options: dict[str, Any], model_options: dict[str, Any], micro_batch_size: int, device: str
) -> Any:
    from verl.workers.config import (
        FSDPEngineConfig,
        FSDPOptimizerConfig,
        HFModelConfig,
        PolicyLossConfig,
        TrainingWorkerConfig,
    )

    from verl_sdpo.worker.actor_config import SdpoActorConfig
    from verl_sdpo.worker.sdpo_worker import SdpoTrainingWorker

    precision = "fp32" if device == "cpu" else "bf16"
    engine = FSDPEngineConfig(
        strategy="fsdp2",
        use_torch_compile=False,
        mixed_precision={"param_dtype": precision, "reduce_dtype": "fp32", "buffer_dtype": "fp32"},
    )
    engine.use_dynamic_bsz = False
    engine.micro_batch_size_per_gpu = engine.infer_micro_batch_size_per_gpu = micro_batch_size
    config = SdpoActorConfig(
        strategy="fsdp2",
        rollout_n=1,
        ppo_micro_batch_size_per_gpu=micro_batch_size,
        fsdp_config=engine,
        policy_loss=PolicyLossConfig(loss_mode="sdpo"),
        self_distillation=options,
    )
    worker = SdpoTrainingWorker(
        TrainingWorkerConfig(
            model_type="language_model",
            model_config=HFModelConfig(
                path=model,
                load_tokenizer=False,
                use_remove_padding=False,
                override_config={"attn_implementation": "sdpa"},
                **model_options,
            ),
            engine_config=engine,
            optimizer_config=FSDPOptimizerConfig(lr=1e-5, clip_grad=1.0, total_training_steps=100),
            checkpoint_config=config.checkpoint,
        )
    )
    worker.reset()
    worker.start_self_distillation(config)
    return worker


def make_batch(shape: argparse.Namespace) -> Any:
    """A step's samples, all with a target, in two mini-batches."""
    from verl.utils import tensordict_utils as tu

    generator = torch.Generator().manual_seed(0)

    def ids(length: int) -> list[torch.Tensor]:
        return [torch.randint(0, shape.vocab, (length,), generator=generator) for _ in range(shape.samples)]

    def nested(rows: list[torch.Tensor]) -> torch.Tensor:
        return torch.nested.as_nested_tensor(rows, layout=torch.jagged)

    prompts, hints, responses = ids(shape.prompt), ids(shape.teacher_prompt), ids(shape.response)
    ones = [torch.ones(shape.response, dtype=torch.int64) for _ in responses]
    fields = {
        "input_ids": nested([torch.cat(pair) for pair in zip(prompts, responses, strict=True)]),
        "position_ids": nested([torch.arange(shape.prompt + shape.response) for _ in responses]),
        "prompts": nested(prompts),
        "responses": nested(responses),
        "response_mask": nested(ones),
        "loss_mask": nested(ones),
        "old_log_probs": nested([torch.full((shape.response,), -10.0) for _ in responses]),
        "advantages": nested([torch.randn(shape.response, generator=generator) for _ in responses]),
        "teacher_input_ids": nested([torch.cat(pair) for pair in zip(hints, responses, strict=True)]),
        "self_distillation_mask": torch.ones(shape.samples),
    }
    switches = {
        "calculate_entropy": False,
        "global_batch_size": shape.samples // 2,
        "mini_batch_size": shape.samples // 2,
        "epochs": 1,
        "seed": 0,
        "dataloader_kwargs": {"shuffle": False},
        "temperature": 1.0,
    }
    return tu.get_tensordict(fields, switches)


def measure(worker: Any, shape: argparse.Namespace, device: str) -> dict[str, float]:
    """Medians over the steps after the first, which warms up; bytes."""
    from verl.utils import tensordict_utils as tu

    passes = {"teacher": 0, "student": 0}

    def counting(engine: Any) -> None:
        step = engine.forward_step

        def forward_step(*args: Any, **kwargs: Any) -> Any:
            passes["student" if torch.is_grad_enabled() else "teacher"] += 1
            return step(*args, **kwargs)

        engine.forward_step = forward_step

    for engine in {id(e): e for e in (worker.engine, *(v.engine for v in worker.teacher.voices())) if e}.values():
        counting(engine)
    seconds, teacher_seconds, peaks = [], [], []
    for _ in range(shape.steps + 1):
        passes.update(teacher=0, student=0)
        reset_peak(device)
        started = time.perf_counter()
        output = worker.train_mini_batch(make_batch(shape))
        peaks.append(peak_bytes(device))
        seconds.append(time.perf_counter() - started)
        teacher_seconds.append(tu.get(output, "metrics")["self_distillation/teacher_seconds"])
    return {
        "seconds": sorted(seconds[1:])[shape.steps // 2],
        "teacher_seconds": sorted(teacher_seconds[1:])[shape.steps // 2],
        "passes": passes["teacher"] / passes["student"],
        "teacher_bytes": teacher_bytes(worker),
        "student_bytes": num_bytes(worker.engine.module.parameters()),
        "peak_bytes": max(peaks[1:]),
    }


def teacher_bytes(worker: Any) -> int:
    """Of the weights that are there for the teacher only."""
    own = num_bytes(worker.teacher.state_dict().get("shards", {}).values())
    engines = [voice.engine for voice in worker.teacher.voices() if voice.engine]
    return own + sum(num_bytes(engine.module.parameters()) for engine in engines)


def num_bytes(tensors: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def measure_line(
    model: str, options: dict[str, Any], model_options: dict[str, Any], shape: argparse.Namespace, device: str
) -> dict[str, float]:
    """One line, in a process that nothing else has run in."""
    if device == "cpu":
        os.environ["VERL_PLATFORM"] = "cpu"
        from verl_sdpo.platforms.cpu import adaptations

        adaptations.install()
    address = {"MASTER_ADDR": "localhost", "MASTER_PORT": "29511", "RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}
    os.environ.update(address)
    torch.distributed.init_process_group("gloo" if device == "cpu" else "cpu:gloo,cuda:nccl")
    try:
        return measure(make_worker(model, options, model_options, shape.micro_batch_size, device), shape, device)
    finally:
        torch.distributed.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (
        ("hidden", 512), ("layers", 4), ("vocab", 8192), ("samples", 16), ("micro_batch_size", 4),
        ("prompt", 64), ("teacher_prompt", 192), ("response", 64), ("steps", 5),
    ):  # fmt: skip
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default)
    shape = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        model = save_model(Path(folder, "student"), shape, shape.layers)
        external = save_model(Path(folder, "external"), shape, max(shape.layers // 2, 1))
        for name, (options, model_options, _) in LINES.items():
            chosen = {
                key: value.format(external=external) if isinstance(value, str) else value
                for key, value in options.items()
            }
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                rows[name] = pool.submit(measure_line, model, chosen, model_options, shape, device).result()
    print_table(rows, shape, device)


def print_table(rows: dict[str, dict[str, float]], shape: argparse.Namespace, device: str) -> None:
    student = rows["none"]["student_bytes"]
    sizes = ", ".join(f"{name} {value}" for name, value in vars(shape).items())
    print(f"student: {student / 2**20:.0f} MB of weights; {sizes}; {device}, torch {torch.__version__}\n")
    print(
        "| teacher | weights of its own / student's | peak memory more / student's weights "
        "| forward passes / student's | teacher's share of the step | step / without teacher |"
    )
    print("|---|---|---|---|---|---|")
    for name, row in rows.items():
        base = rows[LINES[name][2]]
        more = (row["peak_bytes"] - base["peak_bytes"]) / student
        share, ratio = row["teacher_seconds"] / row["seconds"], row["seconds"] / base["seconds"]
        own = row["teacher_bytes"] / student
        print(f"| {name} | {own:.3f} | {more:.2f} | {row['passes']:.1f} | {share:.0%} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
