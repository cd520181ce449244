# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""`python -m verl_sdpo.evaluate MODEL --data FILE --output DIR`; docs/evaluate.md."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verl_sdpo.checkpoint.manifest import versions
from verl_sdpo.evaluate.fault import EvaluateError
from verl_sdpo.evaluate.options import parse
from verl_sdpo.evaluate.unjudged import UNJUDGED, read_unjudged, what_responses_depend_on, write_unjudged
from verl_sdpo.evaluate.write import RESULTS, table_text, write_files

if TYPE_CHECKING:
    from verl_sdpo.evaluate.attempt import Attempt
    from verl_sdpo.evaluate.generate import Response, Sampling
    from verl_sdpo.evaluate.judge import Scorer
    from verl_sdpo.evaluate.model import Source
    from verl_sdpo.evaluate.questions import Prompts, Question

EXIT_NO_VERDICT = 1
EXIT_FAULT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, 1 where no response has a verdict, or 2 where an option, or what it names, does not work."""
    try:
        return _evaluate(parse(arguments))
    except EvaluateError as error:
        print(f"evaluate error: {error}", file=sys.stderr)
        return EXIT_FAULT


def _evaluate(options: argparse.Namespace) -> int:
    """Whatever can be wrong is looked at before the engine is loaded, what is cheap to look at first."""
    from verl_sdpo.evaluate.generate import Sampling, prepare_device
    from verl_sdpo.evaluate.judge import check_rows
    from verl_sdpo.evaluate.model import find, tokenizer_path
    from verl_sdpo.evaluate.questions import Prompts, fingerprint, read

    prepare_device(options.device, options.tensor_parallel_size)
    questions = read(options.data, options.limit)
    source = find(options.model, options.teacher)
    scorer = _scorer(options, source)
    check_rows(scorer, questions)
    arguments = dict(source.setting("data.apply_chat_template_kwargs") or {}) | dict(options.apply_chat_template_kwargs)
    template = source.setting("actor_rollout_ref.model.custom_chat_template")
    prompts = Prompts(tokenizer_path(source), template, arguments)
    sampling = Sampling(options.n, options.temperature, options.top_p, options.max_response_length, options.seed)
    attempts, made_by = _made(options, source, prompts, questions, sampling)
    attempts = with_verdicts(questions, attempts, scorer, options.reward_timeout)
    about = {
        "model": source.describe(),
        "sampling": asdict(sampling) | {"greedy": options.greedy, "apply_chat_template_kwargs": arguments},
        "reward": {"function": f"{scorer.path}::{scorer.name}", "options": dict(scorer.options)},
        "data": {"files": {file: fingerprint(file) for file in options.data}, "limit": options.limit},
        "versions": made_by,
    }
    return _report(options, about, attempts, scorer)


def _made(
    options: argparse.Namespace, source: Source, prompts: Prompts, questions: Sequence[Question], sampling: Sampling
) -> tuple[list[Attempt], dict[str, str]]:
    """Responses without verdicts, of an earlier start or of the engine, and the versions that made them."""
    from verl_sdpo.evaluate.generate import Engine, generate
    from verl_sdpo.evaluate.model import loadable
    from verl_sdpo.evaluate.questions import checked_length

    token_ids, path = prompts.token_ids(questions), options.output / UNJUDGED
    length = checked_length(token_ids, options.max_response_length, prompts.num_positions)
    depends_on = what_responses_depend_on(source, sampling, token_ids, options.output)
    if earlier := read_unjudged(options.output, depends_on, questions):
        print(f"{len(earlier[0])} responses of an earlier start are judged: {path}", flush=True)
        return earlier
    with _folder_beside(options.output) as folder:
        model = loadable(source, Path(folder))
        engine = Engine(model, options.device, length, options.tensor_parallel_size, options.gpu_memory_utilization)
        responses = generate(engine, token_ids, sampling)
    attempts, made_by = attempts_of(questions, responses, prompts.text), versions()
    try:
        write_unjudged(options.output, depends_on, made_by, attempts)
    except OSError as error:
        # They are still in memory, and there may be room by the time they are judged.
        print(f"evaluate warning: {path} is not written ({error.strerror}): make room", file=sys.stderr)
    return attempts, made_by


def _scorer(options: argparse.Namespace, source: Source) -> Scorer:
    """The function of the options, else of the checkpoint's run, else this package's."""
    from verl_sdpo.evaluate.judge import load_scorer

    section = source.setting("reward.custom_reward_function") or {}
    if source.choice is None:
        section = {"path": "pkg://verl_sdpo.rewards"}
    if options.reward is not None:
        section = {"path": options.reward}
    if section.get("path") is None:
        raise EvaluateError(
            f"--reward is not given, and the run of MODEL={source.name} named no reward function: name one, such as "
            "pkg://verl_sdpo.rewards"
        )
    name = options.reward_name or section.get("name") or "compute_score"
    given = options.reward_kwargs
    return load_scorer(section["path"], name, section.get("reward_kwargs") or {} if given is None else dict(given))


def _folder_beside(output: Path) -> tempfile.TemporaryDirectory[str]:
    """For a checkpoint's model, where there has to be room for the results anyway."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=output, prefix=".model.")
    except OSError as error:
        raise EvaluateError(
            f"--output={output} cannot be written to ({error.strerror}): name another folder"
        ) from error


def attempts_of(
    questions: Sequence[Question],
    responses: Sequence[Sequence[Response]],
    text: Callable[[Sequence[int]], str],
) -> list[Attempt]:
    """Responses, a question's after one another, that nobody has judged.

    Args:
        responses: for each question its own.
        text: of token ids.
    """
    from verl_sdpo.evaluate.attempt import Attempt

    return [
        Attempt(
            question=question.number,
            attempt=number,
            file=question.file,
            row=question.row,
            data_source=question.data_source,
            response=text(response.token_ids),
            num_tokens=len(response.token_ids),
            truncated=response.is_truncated,
        )
        for question, group in zip(questions, responses, strict=True)
        for number, response in enumerate(group)
    ]


def with_verdicts(
    questions: Sequence[Question], attempts: Sequence[Attempt], scorer: Scorer, seconds: float
) -> list[Attempt]:
    """The same with what the reward says of each, within as many seconds."""
    from verl_sdpo.evaluate.judge import judge

    to_judge = [(questions[each.question], each.response, each.truncated) for each in attempts]
    verdicts = judge(scorer, to_judge, seconds)
    return [replace(each, **asdict(verdict)) for each, verdict in zip(attempts, verdicts, strict=True)]


def _report(options: argparse.Namespace, about: dict[str, Any], attempts: list[Attempt], scorer: Scorer) -> int:
    from verl_sdpo.evaluate.measure import Asked, measure

    readable = {source for source in {each.data_source for each in attempts} if scorer.answer_reader(source)}
    voting = readable | {each.data_source for each in attempts if each.answer is not None}
    measured = measure(attempts, Asked(options.n, options.k, options.level, options.seed, frozenset(voting)))
    try:
        write_files(options.output, about | {"level": options.level, "data_sources": measured}, attempts)
    except OSError as error:
        raise EvaluateError(f"--output={options.output} cannot be written to ({error.strerror}): make room") from error
    print(table_text(measured))
    print(f"\n{100 * options.level:g}% intervals over questions; written: {options.output / RESULTS}")
    if all(attempt.no_verdict is not None for attempt in attempts):
        told = next(attempt.feedback or attempt.no_verdict for attempt in attempts)
        remedy = f"mend the reward, delete {RESULTS} and start again: the responses are judged anew"
        print(f"evaluate error: no response has a verdict; the first one: {told}; {remedy}", file=sys.stderr)
        return EXIT_NO_VERDICT
    (options.output / UNJUDGED).unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    # As an end of its own: else vLLM's process would stay, with the GPU.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    sys.exit(main())
