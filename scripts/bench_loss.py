# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Time, memory and error of the distillation loss with its gradients: ours, as published, and those of other packages.

`python scripts/bench_loss.py [--shape 1024x128 ...] [--vocab 151936] [--json FILE] [--picture FILE.png]` prints a
Markdown table. Every side runs on the same numbers in processes of its own, one each for time, memory and error:

* published: the logits of all tokens of student and teacher, in the precision of the models; what the published code
  does after its models have made them.
* chunked: `distill_hidden_states`; cached: the same with the teacher's normalisers known. On a GPU, where its default
  are compiled operations, also with kernels=torch and kernels=triton.
* trl: the loss of TRL's SDPO trainer, after logits as on the published side.
* liger: Liger's chunked Jensen-Shannon loss, over the whole vocabulary and without importance weights, for which it
  has no place; compiled on a GPU.
* products: the matrix products that any such loss needs, and nothing else.

Memory is the growth of the peak over the inputs: of the resident size on a CPU, of what torch allocates on a GPU. On a
CPU the allocator keeps its pages while time is measured, as torch's does on a GPU, and returns them while memory is.
The error is the largest of those of loss, hidden states' and head's gradient, relative to the published formulas in
float64 on the same inputs, at most 64 tokens.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peak_memory import peak_bytes, reset_peak

from verl_sdpo.algorithm.linear_logits import Projection, TeacherVoice, default_chunk_size
from verl_sdpo.algorithm.linear_topk import (
    Objective,
    TokenWeighting,
    distill_hidden_states,
    summarize_teacher,
)

# glibc: never map, never trim; or map everything that is large.
KEEP_PAGES = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40), "MALLOC_TOP_PAD_": str(1 << 28)}
RETURN_PAGES = {"MALLOC_MMAP_THRESHOLD_": str(1 << 16)}
TOPK, ALPHA, IS_CLIP = 100, 0.5, 2.0
MAX_ERROR_TOKENS = 64
DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32, "fp64": torch.float64}


class Inputs:
    """Hidden states and heads of both models, and the sampled tokens; teacher and student are alike, as in training."""

    def __init__(self, num_tokens: int, width: int, vocab: int, dtype: torch.dtype, device: str) -> None:
        rng = torch.Generator().manual_seed(0)
        make = lambda *shape: torch.randn(*shape, generator=rng)  # noqa: E731
        hidden, weight = make(num_tokens, width), make(vocab, width) * 3.0 / width**0.5
        place = lambda x: x.to(device, dtype)  # noqa: E731
        self.hidden, self.weight = place(hidden).requires_grad_(), place(weight).requires_grad_()
        self.teacher = Projection(
            place(hidden + 0.2 * make(num_tokens, width)), place(weight + 0.05 * make(vocab, width))
        )
        self.token_ids = torch.randint(vocab, (num_tokens,), generator=rng).to(device)
        self.old_log_probs = torch.full((num_tokens,), -11.0, device=device)
        self.num_tokens = num_tokens

    def in_float64(self) -> Inputs:
        copied = copy.copy(self)
        copied.hidden, copied.weight = (each.detach().double().requires_grad_() for each in (self.hidden, self.weight))
        copied.teacher = Projection(self.teacher.hidden.double(), self.teacher.weight.double())
        return copied

    def backward(self, token_loss: torch.Tensor) -> torch.Tensor:
        return self.backward_of_mean(token_loss.sum() / self.num_tokens)

    def backward_of_mean(self, loss: torch.Tensor) -> torch.Tensor:
        self.hidden.grad = self.weight.grad = None
        loss.backward()
        return loss.detach()


def published(inputs: Inputs, is_full: bool, is_weighted: bool = True) -> torch.Tensor:
    return inputs.backward(published_token_loss(inputs, is_full, is_weighted))


def published_token_loss(inputs: Inputs, is_full: bool, is_weighted: bool) -> torch.Tensor:
    """All logits at once; the tail is one minus the rest."""
    student, teacher = all_logits(inputs)
    log_p, ids, sampled = student_log_probs(student, inputs.token_ids, is_full)
    with torch.no_grad():
        if is_full:
            log_q = at_least_float32(teacher).log_softmax(-1)
        else:
            log_normalizer = at_least_float32(teacher).logsumexp(-1, keepdim=True)
            log_q = with_tail(at_least_float32(teacher.gather(-1, ids)) - log_normalizer)
    del student, teacher
    middle = torch.logsumexp(torch.stack([log_p + math.log(1 - ALPHA), log_q + math.log(ALPHA)]), dim=0)
    to_student, to_teacher = (
        torch.nn.functional.kl_div(middle, each, reduction="none", log_target=True) for each in (log_p, log_q)
    )
    divergence = torch.lerp(to_student, to_teacher, ALPHA).sum(-1)
    if not is_weighted:
        return divergence
    return divergence * (sampled.detach() - inputs.old_log_probs).exp().clamp(max=IS_CLIP)


def all_logits(inputs: Inputs) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad():
        teacher = inputs.teacher.hidden @ inputs.teacher.weight.T
    return inputs.hidden @ inputs.weight.T, teacher


def at_least_float32(logits: torch.Tensor) -> torch.Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def student_log_probs(student: torch.Tensor, token_ids: torch.Tensor, is_full: bool):
    """Log-probabilities that are compared, the ids of the support if there is one, and the sampled tokens'."""
    if is_full:
        log_p = at_least_float32(student).log_softmax(-1)
        return log_p, None, log_p.gather(-1, token_ids[:, None]).squeeze(-1)
    ids = student.topk(TOPK, dim=-1).indices
    log_normalizer = at_least_float32(student).logsumexp(-1, keepdim=True)
    sampled = (at_least_float32(student.gather(-1, token_ids[:, None])) - log_normalizer).squeeze(-1)
    return with_tail(at_least_float32(student.gather(-1, ids)) - log_normalizer), ids, sampled


def with_tail(log_probs: torch.Tensor) -> torch.Tensor:
    rest = torch.log(-torch.expm1(log_probs.logsumexp(-1, keepdim=True).clamp(max=-1e-7)))
    return torch.cat([log_probs, rest], dim=-1)


def chunked(inputs: Inputs, is_full: bool, summary=None, kernels: str | None = None) -> torch.Tensor:
    made = distill_hidden_states(
        Projection(inputs.hidden, inputs.weight),
        [TeacherVoice(inputs.teacher)],
        inputs.token_ids,
        torch.full_like(inputs.old_log_probs, 1.0 / inputs.num_tokens),
        Objective("full_logits", topk=None) if is_full else Objective(topk=TOPK, alpha=ALPHA),
        TokenWeighting(inputs.old_log_probs, IS_CLIP),
        summary=summary,
        kernels=kernels,
    )
    return inputs.backward(made.weighted_loss)


def cached(inputs: Inputs, is_full: bool) -> Callable[[], torch.Tensor]:
    summary = summarize_teacher([TeacherVoice(inputs.teacher)])
    return lambda: chunked(inputs, is_full, summary)


def of_trl(inputs: Inputs, is_full: bool) -> Callable[[], torch.Tensor]:
    from trl.experimental.sdpo import loss_utils
    from trl.trainer.utils import selective_log_softmax

    def run() -> torch.Tensor:
        student, teacher = all_logits(inputs)
        if is_full:
            token_loss = loss_utils.compute_full_logit_self_distillation_loss(
                student, teacher, distillation_alpha=ALPHA
            )
        else:
            token_loss = loss_utils.compute_topk_self_distillation_loss(
                student, teacher, distillation_topk=TOPK, distillation_alpha=ALPHA, distillation_add_tail=True
            )
        log_probs = selective_log_softmax(student, inputs.token_ids)
        del student, teacher
        return inputs.backward(
            loss_utils.apply_importance_sampling_clipping(token_loss, log_probs, inputs.old_log_probs, IS_CLIP)
        )

    return run


def of_liger(inputs: Inputs, _is_full: bool) -> Callable[[], torch.Tensor]:
    from liger_kernel.chunked_loss import LigerFusedLinearJSDLoss

    loss = LigerFusedLinearJSDLoss(
        weight_hard_loss=0.0, weight_soft_loss=1.0, beta=ALPHA, compiled=inputs.hidden.is_cuda
    )
    labels = torch.zeros_like(inputs.token_ids)
    return lambda: inputs.backward_of_mean(
        loss(inputs.hidden, inputs.weight, inputs.teacher.hidden, inputs.teacher.weight, labels)
    )


def products(inputs: Inputs, needs_teacher: bool = True) -> torch.Tensor:
    chunk = default_chunk_size(inputs.teacher)
    gradient = torch.zeros_like(inputs.weight)
    with torch.no_grad():
        for rows in (slice(start, start + chunk) for start in range(0, inputs.num_tokens, chunk)):
            if needs_teacher:
                inputs.teacher.hidden[rows] @ inputs.teacher.weight.T
            logits = inputs.hidden[rows] @ inputs.weight.T
            logits @ inputs.weight
            gradient.addmm_(logits.T, inputs.hidden[rows])
    return torch.zeros(())


# From inputs, and whether it is the whole vocabulary, to what is run.
SIDES: dict[str, Callable[[Inputs, bool], Callable[[], torch.Tensor]]] = {
    "published": lambda inputs, is_full: lambda: published(inputs, is_full),
    "chunked": lambda inputs, is_full: lambda: chunked(inputs, is_full),
    "chunked, torch": lambda inputs, is_full: lambda: chunked(inputs, is_full, kernels="torch"),
    "chunked, triton": lambda inputs, is_full: lambda: chunked(inputs, is_full, kernels="triton"),
    "cached": cached,
    "trl": of_trl,
    "liger": of_liger,
    "4 products": lambda inputs, _: lambda: products(inputs),
    "3 products": lambda inputs, _: lambda: products(inputs, needs_teacher=False),
}
# What a side needs, and what to install for it.
PACKAGES = {"trl": ("trl", "trl==1.12.0"), "liger": ("liger_kernel", "liger-kernel==0.8.5")}


def sides_of(is_full: bool) -> list[str]:
    """Those that have a loss over this support."""
    without = {"cached", "3 products"} if is_full else {"liger"}
    if not torch.cuda.is_available():
        without |= {"chunked, torch", "chunked, triton"}
    return [name for name in SIDES if name not in without]


def measure(name: str, inputs: Inputs, is_full: bool, what: str, repeats: int) -> float:
    """In this process: seconds (the best of several), bytes, or the relative error."""
    if what == "error":
        return relative_error(name, inputs, is_full)
    device = inputs.hidden.device.type
    # What is loaded or compiled at first use is no part of either figure.
    SIDES[name](Inputs(8, 16, 2 * TOPK, inputs.hidden.dtype, device), is_full)()
    run = SIDES[name](inputs, is_full)
    before = reset_peak(device)
    run()
    if what == "bytes":
        return peak_bytes(device) - before
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def relative_error(name: str, inputs: Inputs, is_full: bool) -> float:
    expected = inputs.in_float64()
    of_expected = published(expected, is_full, is_weighted=name != "liger")
    loss = SIDES[name](inputs, is_full)()
    pairs = (loss, of_expected), (inputs.hidden.grad, expected.hidden.grad), (inputs.weight.grad, expected.weight.grad)
    return max(((each.double() - right).norm() / right.norm()).item() for each, right in pairs)


def in_processes(name: str, shape: tuple[int, int], options: argparse.Namespace, is_full: bool) -> dict[str, float]:
    """`measure`, each figure in a process of its own."""
    found = {}
    for what, environment in (("seconds", KEEP_PAGES), ("bytes", RETURN_PAGES), ("error", KEEP_PAGES)):
        if what == "error" and "products" in name:
            continue
        settings = {key: getattr(options, key) for key in ("vocab", "dtype", "threads", "repeats")}
        request = {"name": name, "shape": shape, "is_full": is_full, "what": what} | settings
        command = [sys.executable, __file__, "--one", json.dumps(request)]
        output = subprocess.run(
            command, env=os.environ | environment, check=True, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        found[what] = json.loads(output.stdout.splitlines()[-1])
    return found


def ratio(value: float | None, base: float | None) -> float | None:
    return None if value is None or not base else value / base


def cells(found: dict[str, float | None]) -> list[str]:
    """What stands in the table; a side that the device has no memory for says so."""
    if found["seconds"] is None:
        return ["out of memory", "", "", "", ""]
    shown = {key: "" if found.get(key) is None else found[key] for key in ("seconds_ratio", "bytes_ratio", "error")}
    formats = {"seconds_ratio": ".2f", "bytes_ratio": ".3f", "error": ".1e"}
    texts = {key: value if value == "" else format(value, formats[key]) for key, value in shown.items()}
    megabytes = "" if found["bytes"] is None else f"{found['bytes'] / 2**20:.0f}"
    return [f"{found['seconds']:.3g}", texts["seconds_ratio"], megabytes, texts["bytes_ratio"], texts["error"]]


def in_this_process(request: dict[str, Any]) -> float | None:
    """The figure; None where the device has too little memory."""
    torch.set_num_threads(request["threads"])
    num_tokens, width = request["shape"]
    if request["what"] == "error":
        num_tokens = min(num_tokens, MAX_ERROR_TOKENS)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    inputs = Inputs(num_tokens, width, request["vocab"], DTYPES[request["dtype"]], device)
    try:
        return measure(request["name"], inputs, request["is_full"], request["what"], request["repeats"])
    except torch.OutOfMemoryError:
        return None


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """A group of bars for each shape, one panel for time and one for memory, as ratios to the published side."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    titles = list(dict.fromkeys(row["title"] for row in rows))
    names = [name for name in SIDES if any(row["side"] == name for row in rows)]
    figure, panels = pyplot.subplots(1, 2, figsize=(11, 1.2 + 1.3 * len(titles)), sharey=True)
    for panel, what in zip(panels, ("seconds", "bytes"), strict=True):
        for row in rows:
            if row[f"{what}_ratio"] is None:
                continue
            name = names.index(row["side"])
            height = titles.index(row["title"]) + 0.8 * (name / len(names) - 0.5)
            bar = panel.barh(height, row[f"{what}_ratio"], 0.8 / len(names), align="edge", color=f"C{name}")
            panel.bar_label(bar, fmt="%.2f" if what == "seconds" else "%.3f", fontsize=7, padding=2)
        panel.axvline(1.0, color="0.6", linewidth=0.8)
        panel.margins(x=0.12)
        panel.set_xlabel(f"{'time' if what == 'seconds' else 'peak memory'}, of published")
    panels[0].set_yticks(range(len(titles)), titles)
    panels[0].invert_yaxis()
    handles = [pyplot.Rectangle((0, 0), 1, 1, color=f"C{at}") for at in range(len(names))]
    figure.legend(handles, names, loc="lower center", ncols=len(names), frameon=False)
    figure.tight_layout(rect=(0, 0.35 / figure.get_figheight(), 1, 1))
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", action="append", help="tokens x hidden size, such as 1024x128; more than once")
    parser.add_argument("--full-shape", action="append", help="the same, over the whole vocabulary")
    parser.add_argument("--vocab", type=int, default=151936)
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--picture", type=Path, help="also draw the ratios, to this PNG file")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(in_this_process(json.loads(options.one))))
        return
    shapes = [(text, False) for text in options.shape or ["1024x128", "2048x128", "512x1024"]]
    shapes += [(text, True) for text in options.full_shape or ["512x128"]]
    rows = []
    print(f"vocabulary {options.vocab}, {options.dtype}, {options.threads} threads, torch {torch.__version__}\n")
    print("| tokens x hidden | support | side | seconds | of published | memory (MB) | of published | error |")
    print("|---|---|---|---|---|---|---|---|")
    for text, is_full in shapes:
        shape = tuple(int(number) for number in text.split("x"))
        support = "whole vocabulary" if is_full else f"top-{TOPK} and tail"
        for name in sides_of(is_full):
            module, requirement = PACKAGES.get(name, ("torch", ""))
            if importlib.util.find_spec(module) is None:
                print(f"| {text} | {support} | {name} | not installed: pip install {requirement} | | | | |", flush=True)
                continue
            found = in_processes(name, shape, options, is_full)
            if name == "published":
                base = found
            found |= {f"{what}_ratio": ratio(found[what], base[what]) for what in ("seconds", "bytes")}
            rows.append({"title": f"{text}\n{support}", "side": name} | found)
            print(f"| {text} | {support} | {name} | {' | '.join(cells(found))} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if options.picture:
        draw(rows, options.picture)


if __name__ == "__main__":
    main()
