# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""`python -m verl_sdpo.reports.tokens RUN STEP`: what teacher and student thought of each token of a step, as a page.

RUN is the folder of a run that was trained with
trainer.callbacks=[verl_sdpo.watch.token_recorder.TokenRecorder].
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from verl_sdpo.checkpoint.manifest import CheckpointError
from verl_sdpo.reports.token_records import Sample, StepRecord, TokensError, checkpoints_of, read_record, spread

EXIT_FAULT = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 1 where there is nothing to show."""
    options = _parser().parse_args(arguments)
    try:
        checkpoints = checkpoints_of(options.run)
        record = read_record(checkpoints, options.step)
        output = options.output or Path(f"tokens_step_{options.step}.html")
        text = page_of(record, checkpoints, options.limit, options.top_k, options.device)
        output.write_text(text, encoding="utf-8")
    except (TokensError, CheckpointError, OSError) as error:
        print(f"tokens error: {error}", file=sys.stderr)
        return EXIT_FAULT
    print(f"written: {output} ({output.stat().st_size:,} bytes)")
    return 0


def page_of(record: StepRecord, checkpoints: Path, limit: int, topk: int, device: str | None = None) -> str:
    """The page of at most `limit` responses; `device` None is a GPU where there is one.

    Raises:
        TokensError, CheckpointError: the weights cannot be loaded.
    """
    import torch

    from verl_sdpo.reports.token_page import TokenPage
    from verl_sdpo.reports.token_weights import load_models

    models = load_models(record, checkpoints, device or ("cuda" if torch.cuda.is_available() else "cpu"))
    page = TokenPage(record, models.tokenizer, models.words)
    chosen = spread(record.samples, limit)
    for sample, gaps in compared(record, chosen, models, topk):
        page.add(sample, gaps)
        print(f"\r{len(page)} of {len(chosen)} responses", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return page.html()


def compared(record: StepRecord, samples: Sequence[Sample], models, topk: int) -> Iterator[tuple]:
    """Each sample with its `TokenGaps`; None where it has no target."""
    from verl_sdpo.algorithm.linear_logits import TeacherVoice
    from verl_sdpo.reports.token_gaps import token_gaps

    for sample in samples:
        if not sample.has_target:
            yield sample, None
            continue
        student = models.student.projection(sample.student_prompt, sample.response)
        voices = [
            TeacherVoice(speaker.projection(sample.teacher_prompt, sample.response), share)
            for share, speaker in models.teacher
        ]
        yield sample, token_gaps(student, voices, sample.response, record.options, record.temperature, topk)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m verl_sdpo.reports.tokens", description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a run, or its trainer.default_local_dir")
    parser.add_argument("step", type=int, metavar="STEP", help="a training step that was recorded")
    parser.add_argument("--output", type=Path, help="the page; by default tokens_step_STEP.html, here")
    parser.add_argument("--limit", type=_count, default=500, help="responses at most, evenly from the step (500)")
    parser.add_argument("--top-k", type=_count, default=5, help="ids in the lists of a token (5)")
    parser.add_argument("--device", help="cpu or cuda; by default a GPU where there is one")
    return parser


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return value


if __name__ == "__main__":
    sys.exit(main())
