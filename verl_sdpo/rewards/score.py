# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The rewards' front door: finds the reward of a data source and returns the fields that all rewards share."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from verl_sdpo.rewards import code_answer, math_answer, multiple_choice, no_reward, passphrase, tool_use
from verl_sdpo.rewards.outcome import complete_outcome

RewardFunction = Callable[..., Mapping[str, Any]]
# verl adds these to every call when a reward model is served; rule-based rewards have no use for them.
_VERL_EXTRAS = frozenset({"reward_router_address", "reward_model_tokenizer"})
_POSITIONAL = ("solution_str", "ground_truth", "extra_info")


class _Reward(NamedTuple):
    function: RewardFunction
    options: frozenset[str]


def _inspected(function: RewardFunction) -> _Reward:
    parameters = inspect.signature(function).parameters
    if tuple(parameters)[:3] != _POSITIONAL:
        raise ValueError(
            f"reward function {function.__qualname__} must take {', '.join(_POSITIONAL)} first, "
            f"then its options by name; it takes {', '.join(parameters)}"
        )
    return _Reward(function, frozenset(parameters) - set(_POSITIONAL))


_REWARDS: dict[str, _Reward] = {
    "sciknoweval": _inspected(multiple_choice.compute_score),
    "multiple_choice": _inspected(multiple_choice.compute_score),
    "gpqa": _inspected(multiple_choice.compute_score),
    "mmlu_pro": _inspected(multiple_choice.compute_score),
    "gsm8k": _inspected(math_answer.compute_score),
    "math": _inspected(math_answer.compute_score),
    "tooluse": _inspected(tool_use.compute_score),
    "code": _inspected(code_answer.compute_score),
    "quickstart": _inspected(passphrase.compute_score),
    "none": _inspected(no_reward.compute_score),
}


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str | None,
    extra_info: Mapping[str, Any] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Score one response; the function that verl's ``reward.custom_reward_function`` names. Safe to call from threads.

    Args:
        data_source: a registered name, or one followed by ``/`` and more: ``sciknoweval/chemistry`` finds
            ``sciknoweval`` unless ``sciknoweval/chemistry`` is itself registered.
        solution_str: the model's response; any text at all gets a score.
        ground_truth: the row's ``reward_model.ground_truth``; the source ``none`` takes any, also None.
        extra_info: the row's ``extra_info``; ``truncated`` in it says that the response was cut off.
        options: settings of rewards (verl's ``reward_kwargs``). Each reward gets those that it has.

    Returns:
        ``score``, ``acc``, ``feedback`` (text, empty where there is nothing to say), ``incorrect_format``,
        ``truncated``, ``timed_out``, ``sandbox_error``, ``bad_test``; floats but for the feedback, and the same keys
        for every data source.

    Raises:
        ValueError: the data source or an option is unknown, or the row itself is broken (e.g. its ground truth).
    """
    name, reward = _find(data_source)
    _refuse_unknown(options)
    chosen = {key: value for key, value in options.items() if key in reward.options}
    try:
        raw = reward.function(solution_str, ground_truth, extra_info, **chosen)
    except ValueError as error:
        raise ValueError(f"data source {data_source!r}: {error}") from error
    return complete_outcome(raw, extra_info, name)


def register_reward(name: str) -> Callable[[RewardFunction], RewardFunction]:
    """Decorator that makes a function the reward of data source ``name`` and of all that start with ``name/``.

    The function takes ``(solution_str, ground_truth, extra_info=None)`` and its own options by name, and returns
    ``score`` and any of ``acc``, ``feedback``, ``incorrect_format``, ``timed_out``. Each process that scores must run
    the registration, so put it in the file that ``reward.custom_reward_function.path`` names and import
    ``compute_score`` there.

    Raises:
        ValueError: the name is empty or another function's, or the function does not take those arguments.
    """

    def register(function: RewardFunction) -> RewardFunction:
        if not name or name.strip("/ ") != name:
            raise ValueError(f"reward name {name!r} must be text without spaces or slashes at its ends")
        known = _REWARDS.get(name)
        # verl may run a reward file more than once in a process; that is the same function, not a clash.
        if known is not None and _identity(known.function) != _identity(function):
            raise ValueError(f"reward name {name!r} is already {_identity(known.function)}: choose another name")
        _REWARDS[name] = _inspected(function)
        return function

    return register


def registered_rewards() -> tuple[str, ...]:
    """Names of data sources that have a reward, sorted."""
    return tuple(sorted(_REWARDS))


def _find(data_source: str) -> tuple[str, _Reward]:
    """The reward with the longest name that is ``data_source`` or a leading part of it, whole words between slashes."""
    name = data_source
    while name:
        if name in _REWARDS:
            return name, _REWARDS[name]
        name = name.rpartition("/")[0]
    raise ValueError(
        f"data_source {data_source!r} has no reward; known: {', '.join(registered_rewards())} (each also followed by "
        "'/...'). Register one with verl_sdpo.rewards.register_reward."
    )


def _refuse_unknown(options: Mapping[str, Any]) -> None:
    known = frozenset().union(*(reward.options for reward in tuple(_REWARDS.values())))
    if unknown := sorted(set(options) - known - _VERL_EXTRAS):
        raise ValueError(f"reward options {unknown} belong to no reward; known: {', '.join(sorted(known))}")


def _identity(function: RewardFunction) -> str:
    return f"{function.__module__}.{function.__qualname__}"
