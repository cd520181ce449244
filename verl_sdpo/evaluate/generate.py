# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Responses by vLLM's offline engine, on GPUs or, with the platform that training has there, on a CPU."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from verl_sdpo.evaluate.fault import EvaluateError
from verl_sdpo.platforms.cpu import platform_selection


@dataclass(frozen=True)
class Response:
    """What the engine made; `token_ids` end with the end of turn, unless the length limit was reached before."""

    token_ids: Sequence[int]
    is_truncated: bool


@dataclass(frozen=True)
class Sampling:
    """What is asked of the engine; a temperature of 0 takes the likeliest token each time."""

    n: int
    temperature: float
    top_p: float
    max_response_length: int
    seed: int


@dataclass(frozen=True)
class Engine:
    """What is loaded, and where."""

    model: str
    device: str
    # Tokens of a prompt and its response.
    max_model_len: int
    tensor_parallel_size: int = 1
    gpu_memory_utilization: float = 0.9


def prepare_device(device: str, tensor_parallel_size: int) -> None:
    """Choose the platform of this process. First of all: verl and vLLM look for it as they are imported.

    Raises:
        EvaluateError: there are not as many GPUs.
    """
    # vLLM tells its whole configuration otherwise.
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    if device == platform_selection.NAME:
        platform_selection.select()
        # Its plug-in, this package's, prepares the process.
        from verl.plugin.platform import get_platform

        os.environ.update(get_platform().rollout_env_vars())
        return
    import torch

    if (found := torch.cuda.device_count()) < tensor_parallel_size:
        few = f"--device=cuda and --tensor-parallel-size={tensor_parallel_size}, but this machine has {found} GPUs"
        raise EvaluateError(f"{few}: take fewer, or --device cpu")


def generate(engine: Engine, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[list[Response]]:
    """Load the engine, answer every prompt, and take the engine down again.

    Each question has seeds of its own, so that its responses do not follow from which others are asked.

    Args:
        prompts: token ids.

    Returns:
        For each prompt `sampling.n` responses.

    Raises:
        EvaluateError: the engine does not start.
    """
    from vllm import LLM, SamplingParams
    from vllm.inputs import TokensPrompt

    is_cpu = engine.device == platform_selection.NAME
    # A prompt that vLLM reads in two steps sets its request's random generator back, which a CPU's cannot (0.28.0).
    whole_prompts = {"enable_chunked_prefill": False, "max_num_batched_tokens": max(engine.max_model_len, 8192)}
    try:
        llm = LLM(
            model=engine.model,
            # As in training: verl's rollout.dtype, and cpu.yaml's.
            dtype="float32" if is_cpu else "bfloat16",
            max_model_len=engine.max_model_len,
            tensor_parallel_size=engine.tensor_parallel_size,
            gpu_memory_utilization=engine.gpu_memory_utilization,
            enforce_eager=is_cpu,
            seed=sampling.seed,
            **(whole_prompts if is_cpu else {}),
        )
    except (RuntimeError, ValueError, OSError) as error:
        last = str(error).strip().splitlines()[-1:]
        remedy = (
            "its own messages are above; a smaller --max-response-length or --gpu-memory-utilization needs less memory"
        )
        raise EvaluateError(f"vLLM does not start with MODEL={engine.model}: {''.join(last)}; {remedy}") from error
    try:
        requests = [TokensPrompt(prompt_token_ids=list(prompt)) for prompt in prompts]
        parameters = [
            SamplingParams(
                n=sampling.n,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                max_tokens=sampling.max_response_length,
                seed=None if sampling.temperature == 0 else first_seed(sampling.seed, number, sampling.n),
                detokenize=False,
            )
            for number in range(len(prompts))
        ]
        outputs = llm.generate(requests, parameters)
    finally:
        # Its processes and memory would stay until this one ends.
        llm.llm_engine.engine_core.shutdown(timeout=60)
    return [[Response(list(o.token_ids), o.finish_reason == "length") for o in output.outputs] for output in outputs]


def first_seed(seed: int, question: int, n: int) -> int:
    """The seed of a question's first response; vLLM counts on from there for the others.

    So no two responses of an evaluation share one, nor do they with another `seed` below 2**20 (of a file with at most
    2**40 responses).
    """
    return (seed << 40) + question * n
