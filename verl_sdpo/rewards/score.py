# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The rewards' front door: finds the reward of a data source and returns the fields that all rewards share."""

import asyncio
import concurrent.futures
import functools
import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any, NamedTuple

from verl_sdpo.rewards import code_answer, math_answer, multiple_choice, no_reward, passphrase, tool_use
from verl_sdpo.rewards.outcome import complete_outcome
from verl_sdpo.rewards.reward_modules import load_reward_modules
from verl_sdpo.sandbox import SandboxRefused

RewardFunction = Callable[..., Mapping[str, Any]]
TruthCheck = Callable[[Any, Mapping[str, Any] | None], object]
MachineCheck = Callable[[Mapping[str, Any]], str]
AnswerReader = Callable[..., str | None]
# Responses that `compute_score_async` scores at a time in one process. Rewards that wait for another process leave the
# core to others, so that a few more than there are cores do not hurt.
MAX_ASYNC_THREADS = max(8, os.cpu_count() or 1)
# verl adds these to every call when a reward model is served; rule-based rewards have no use for them.
_VERL_EXTRAS = frozenset({"reward_router_address", "reward_model_tokenizer"})
_POSITIONAL = ("solution_str", "ground_truth", "extra_info")


class _Reward(NamedTuple):
    function: RewardFunction
    options: frozenset[str]
    check: TruthCheck | None  # raises ValueError for a row that no response could be scored by
    check_machine: MachineCheck | None  # raises ValueError where responses cannot be scored on this machine
    read_answer: AnswerReader | None  # the answer that a response settles on, for votes


def _inspected(
    function: RewardFunction,
    check: TruthCheck | None = None,
    check_machine: MachineCheck | None = None,
    read_answer: AnswerReader | None = None,
) -> _Reward:
    if inspect.iscoroutinefunction(function):
        raise ValueError(
            f"reward function {function.__qualname__} is asynchronous: write it as a plain function, which "
            "compute_score_async runs in a thread"
        )
    parameters = inspect.signature(function).parameters
    if tuple(parameters)[:3] != _POSITIONAL:
        raise ValueError(
            f"reward function {function.__qualname__} must take {', '.join(_POSITIONAL)} first, "
            f"then its options by name; it takes {', '.join(parameters)}"
        )
    return _Reward(function, frozenset(parameters) - set(_POSITIONAL), check, check_machine, read_answer)


def _of_module(module: ModuleType) -> _Reward:
    hooks = [getattr(module, name, None) for name in ("check_ground_truth", "check_machine", "read_answer")]
    return _inspected(module.compute_score, *hooks)


_REWARDS: dict[str, _Reward] = {
    "sciknoweval": _of_module(multiple_choice),
    "multiple_choice": _of_module(multiple_choice),
    "gpqa": _of_module(multiple_choice),
    "mmlu_pro": _of_module(multiple_choice),
    "gsm8k": _of_module(math_answer),
    "math": _of_module(math_answer),
    "tooluse": _of_module(tool_use),
    "code": _of_module(code_answer),
    "quickstart": _of_module(passphrase),
    "none": _of_module(no_reward),
}


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str | None,
    extra_info: Mapping[str, Any] | None = None,
    *,
    reward_modules: Iterable[str] = (),
    **options: Any,
) -> dict[str, Any]:
    """Score one response; the function that verl's ``reward.custom_reward_function`` names. Safe to call from threads.

    Args:
        data_source: a registered name, or one followed by ``/`` and more: ``sciknoweval/chemistry`` finds
            ``sciknoweval`` unless ``sciknoweval/chemistry`` is itself registered.
        solution_str: the model's response; any text at all gets a score.
        ground_truth: the row's ``reward_model.ground_truth``; the source ``none`` takes any, also None.
        extra_info: the row's ``extra_info``; ``truncated`` in it says that the response was cut off.
        reward_modules: Python files and modules that register rewards, loaded once in a process.
        options: settings of rewards (verl's ``reward_kwargs``). Each reward gets those that it has.

    Returns:
        ``score``, ``acc``, ``feedback`` (text, empty where there is nothing to say), ``incorrect_format``,
        ``truncated``, ``timed_out``, ``sandbox_error``, ``bad_test``; floats but for the feedback, and the same keys
        for every data source.

    Raises:
        ValueError: the data source or an option is unknown, a module cannot be loaded, or the row itself is broken
            (e.g. its ground truth).
    """
    load_reward_modules(reward_modules)
    name, reward = _find(data_source)
    check_options(options)
    chosen = {key: value for key, value in options.items() if key in reward.options}
    try:
        raw = reward.function(solution_str, ground_truth, extra_info, **chosen)
    except SandboxRefused:
        raise
    except ValueError as error:
        raise ValueError(f"data source {data_source!r}: {error}") from error
    return complete_outcome(raw, extra_info, name)


async def compute_score_async(
    data_source: str,
    solution_str: str,
    ground_truth: str | None,
    extra_info: Mapping[str, Any] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """``compute_score`` for an event loop: the same arguments and the same result, worked out in a thread.

    verl calls a function that is not asynchronous in the threads of its loop, which also decode responses; slow rewards
    would use them up. These threads are rewards' own, at most ``MAX_ASYNC_THREADS`` in a process; what comes later
    waits, without blocking the loop.
    """
    score = functools.partial(compute_score, data_source, solution_str, ground_truth, extra_info, **options)
    return await asyncio.get_running_loop().run_in_executor(_threads(), score)


@functools.cache
def _threads() -> concurrent.futures.ThreadPoolExecutor:
    return concurrent.futures.ThreadPoolExecutor(MAX_ASYNC_THREADS, thread_name_prefix="reward")


def check_row(data_source: str, ground_truth: Any, extra_info: Mapping[str, Any] | None = None) -> None:
    """Find out without a response whether a row can be scored.

    The reward of the data source is asked by its own check; one that has none takes any row.

    Raises:
        ValueError: the data source is unknown, or the row is broken (e.g. its ground truth).
    """
    _, reward = _find(data_source)
    if reward.check is None:
        return
    try:
        reward.check(ground_truth, extra_info)
    except ValueError as error:
        raise ValueError(f"data source {data_source!r}: {error}") from error
    except Exception as error:
        # A check of somebody's own that trips over a value has found a row that its reward would trip over.
        fault = f"its check failed with {type(error).__name__}: {error}"
        raise ValueError(f"data source {data_source!r}: {fault}; correct the row, or the check") from error


def check_machine(data_sources: Iterable[str], options: Mapping[str, Any]) -> list[str]:
    """Find out whether this machine can score responses to questions of these data sources.

    Only rewards that need something of the machine are asked, e.g. the one that runs programs; each once.

    Args:
        data_sources: all of them known.
        options: as ``compute_score`` gets them.

    Returns:
        A line from each reward that was asked.

    Raises:
        ValueError: what is missing.
    """
    checks = {reward.check_machine: reward for _, reward in map(_find, data_sources) if reward.check_machine}
    return [
        check({key: value for key, value in options.items() if key in reward.options})
        for check, reward in checks.items()
    ]


def answer_reader(data_source: str, options: Mapping[str, Any]) -> Callable[..., str | None] | None:
    """What reads the answers of a data source for a majority vote; None where its reward compares no answers.

    Args:
        options: as ``compute_score`` gets them.

    Returns:
        A function of a response and its row's ``extra_info``: the answer, or None where the response has none. Answers
        that it reads alike are one, those that only mean the same are not.

    Raises:
        ValueError: the data source is unknown.
    """
    reader = _find(data_source)[1].read_answer
    if reader is None:
        return None
    known = inspect.signature(reader).parameters
    return functools.partial(reader, **{key: value for key, value in options.items() if key in known})


def register_reward(
    name: str, check: TruthCheck | None = None, read_answer: AnswerReader | None = None
) -> Callable[[RewardFunction], RewardFunction]:
    """Decorator that makes a function the reward of data source ``name`` and of all that start with ``name/``.

    The function takes ``(solution_str, ground_truth, extra_info=None)`` and its own options by name, and returns
    ``score`` and any of ``acc``, ``feedback``, ``incorrect_format``, ``timed_out``, ``sandbox_error``, ``bad_test``. A
    sample with one of the last two above 0 is left out of training; its feedback may be the reason.
    ``check(ground_truth, extra_info)`` raises ValueError for a row that cannot be scored; it is asked of every row
    before a run starts. ``read_answer(solution_str, extra_info)``, with the options that it wants by name, returns what
    a response votes for in a majority vote, or None.

    Each process that scores must run the registration: put it in a file that the option ``reward_modules`` names, or in
    the one that ``reward.custom_reward_function.path`` names and import ``compute_score`` there.

    Raises:
        ValueError: the name is empty or another function's, or the function does not take those arguments.
    """

    def register(function: RewardFunction) -> RewardFunction:
        if not name or name.strip("/ ") != name:
            raise ValueError(f"reward name {name!r} must be text without spaces or slashes at its ends")
        known = _REWARDS.get(name)
        # verl may run a reward file more than once in a process; that is the same function, not a clash.
        if known is not None and _place(known.function) != _place(function):
            raise ValueError(f"reward name {name!r} is already {_identity(known.function)}: choose another name")
        _REWARDS[name] = _inspected(function, check, read_answer=read_answer)
        return function

    return register


def registered_rewards() -> tuple[str, ...]:
    """Names of data sources that have a reward, sorted."""
    return tuple(sorted(_REWARDS))


def _find(data_source: Any) -> tuple[str, _Reward]:
    """The reward with the longest name that is ``data_source`` or a leading part of it, whole words between slashes."""
    name = data_source if isinstance(data_source, str) else ""
    while name:
        if name in _REWARDS:
            return name, _REWARDS[name]
        name = name.rpartition("/")[0]
    raise ValueError(
        f"data_source {data_source!r} has no reward; known: {', '.join(registered_rewards())} (each also followed by "
        "'/...'). Register one with verl_sdpo.rewards.register_reward."
    )


def check_options(options: Mapping[str, Any]) -> None:
    """Raise ValueError for options that no reward has, naming those that there are."""
    known = frozenset().union(*(reward.options for reward in tuple(_REWARDS.values())))
    if unknown := sorted(set(options) - known - _VERL_EXTRAS):
        raise ValueError(f"reward options {unknown} belong to no reward; known: {', '.join(sorted(known))}")


def _place(function: RewardFunction) -> tuple[str, str]:
    """Where a function is written: a file that is loaded under two names holds the same one."""
    code = getattr(function, "__code__", None)
    return (code.co_filename if code else function.__module__, function.__qualname__)


def _identity(function: RewardFunction) -> str:
    return f"{function.__module__}.{function.__qualname__}"
