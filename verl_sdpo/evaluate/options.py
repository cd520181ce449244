# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The command line of `python -m verl_sdpo.evaluate`, and which values make sense."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from verl_sdpo.evaluate.fault import EvaluateError
from verl_sdpo.evaluate.write import RESULTS

# Seeds of responses are numbers of 63 bits with this one's at their head (`generate.first_seed`).
MOST_SEED = (1 << 20) - 1

DESCRIPTION = """Responses of a model to the questions of data files, scored as in training: avg@n, pass@k and maj@n
with bootstrap intervals, lengths and truncation, by data source."""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Options whose values are each in their range.

    Raises:
        EvaluateError: one is not.
    """
    options = parser().parse_args(arguments)
    if options.greedy:
        given = {"--n": options.n, "--temperature": options.temperature, "--top-p": options.top_p}
        if set_too := [f"{name}={value}" for name, value in given.items() if value is not None]:
            raise EvaluateError(f"--greedy and {', '.join(set_too)} cannot go together: leave out one of them")
        options.n, options.temperature, options.top_p = 1, 0.0, 1.0
    # The paper's validation (Table 12).
    options.n = 16 if options.n is None else options.n
    options.temperature = 0.6 if options.temperature is None else options.temperature
    options.top_p = 0.95 if options.top_p is None else options.top_p
    options.k = sorted(set(options.k)) if options.k else powers_of_two(options.n)
    _check(options)
    return options


def _check(options: argparse.Namespace) -> None:
    if options.engine != "vllm":
        _refuse(
            "--engine", options.engine, "only vLLM makes responses here, also for a model trained with another", "vllm"
        )
    for name, least in (("n", 1), ("max_response_length", 1), ("limit", 1), ("tensor_parallel_size", 1), ("seed", 0)):
        value = getattr(options, name)
        if value is not None and value < least:
            _refuse(_flag(name), value, f"must be at least {least}", least)
    if options.seed > MOST_SEED:
        _refuse("--seed", options.seed, f"must be at most {MOST_SEED}", 0)
    if not options.greedy and not options.temperature > 0:
        _refuse("--temperature", options.temperature, "must be above 0; the likeliest tokens are --greedy's", 0.6)
    for name, default in (("top_p", 0.95), ("gpu_memory_utilization", 0.9)):
        if not 0 < getattr(options, name) <= 1:
            _refuse(_flag(name), getattr(options, name), "must be above 0 and at most 1", default)
    if not 0 < options.level < 1:
        _refuse("--level", options.level, "must be between 0 and 1", 0.9)
    if options.reward_timeout <= 0:
        _refuse("--reward-timeout", options.reward_timeout, "must be above 0 seconds", 600)
    if bad := [k for k in options.k if not 1 <= k <= options.n]:
        _refuse("--k", bad[0], f"must be from 1 to --n={options.n}, the responses to a question", options.n)
    if (options.output / RESULTS).exists():
        _refuse("--output", options.output, f"has {RESULTS} of an earlier evaluation", "another folder")


def _refuse(flag: str, value: Any, problem: str, remedy: Any) -> None:
    raise EvaluateError(f"{flag}={value} {problem}: set it to {remedy}")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def powers_of_two(most: int) -> list[int]:
    """1, 2, 4, ... below `most`, and `most`."""
    return [1 << bit for bit in range(most.bit_length()) if 1 << bit < most] + [most]


def _setting(text: str) -> tuple[str, Any]:
    """`name=value`; the value is JSON, or else text. Python's and YAML's True, False and None are JSON's."""
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise argparse.ArgumentTypeError(f"{text!r} must be name=value")
    words = {"True": True, "False": False, "None": None}
    try:
        return name, words[value] if value in words else json.loads(value, parse_constant=_no_constant)
    except ValueError:
        return name, value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def parser() -> argparse.ArgumentParser:
    """All options; ranges are checked by `parse`."""
    made = argparse.ArgumentParser(prog="python -m verl_sdpo.evaluate", description=DESCRIPTION)
    add = made.add_argument
    add(
        "model",
        metavar="MODEL",
        help="global_step_<N>, a run's folder of them (the newest whole one), a Hugging Face folder, or a hub id",
    )
    add("--teacher", action="store_true", help="the checkpoint's teacher instead of its student")
    add("--data", nargs="+", required=True, metavar="FILE", help="parquet files with our columns (docs/data.md)")
    add("--output", type=Path, required=True, metavar="DIR", help="where results.json and responses.parquet go")
    add("--limit", type=int, metavar="N", help="only the first N questions of each file")

    sampling = made.add_argument_group("sampling").add_argument
    sampling("--n", type=int, help="responses to each question; default 16")
    sampling("--temperature", type=float, help="default 0.6")
    sampling("--top-p", type=float, help="default 0.95")
    sampling("--greedy", action="store_true", help="one response, of the likeliest tokens")
    sampling("--max-response-length", type=int, default=8192, metavar="TOKENS", help="default 8192")
    sampling("--seed", type=int, default=0, help="of responses and intervals; default 0")
    sampling(
        "--apply-chat-template-kwargs", nargs="+", type=_setting, default=[], metavar="NAME=VALUE",
        help="arguments of the chat template, e.g. enable_thinking=False; default: the checkpoint's "
        "data.apply_chat_template_kwargs, which these are added to",
    )  # fmt: skip

    scoring = made.add_argument_group("scoring; defaults: the checkpoint's reward.custom_reward_function").add_argument
    scoring(
        "--reward",
        metavar="PATH",
        help="file or pkg://module with the function; without a checkpoint pkg://verl_sdpo.rewards",
    )
    scoring("--reward-name", metavar="NAME", help="the function; default with --reward: compute_score")
    scoring("--reward-kwargs", nargs="+", type=_setting, metavar="NAME=VALUE", help="its options, all of them")
    scoring("--reward-timeout", type=float, default=600.0, metavar="SECONDS", help="for one response; default 600")
    scoring("--k", type=int, nargs="+", help="pass@k for these; default: powers of two up to n, and n")
    scoring("--level", type=float, default=0.9, help="of the intervals; default 0.9")

    engine = made.add_argument_group("engine").add_argument
    engine("--device", choices=("cuda", "cpu"), default="cuda", help="default cuda")
    engine("--engine", default="vllm", help="vllm")
    engine("--tensor-parallel-size", type=int, default=1, metavar="N", help="GPUs; default 1")
    engine("--gpu-memory-utilization", type=float, default=0.9, metavar="SHARE", help="default 0.9")
    return made
