# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A run that learns nothing says so in words.

A rule looks at one step's metrics and returns a message or None. Every message has the metric with its value, what it
means, and what to try. A new rule is a function and its place in `RULES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

Metrics = Mapping[str, float]
# This step's metrics, and the means of `TRACKED` over the run's first steps (empty until there are enough).
Rule = Callable[[Metrics, Metrics], str | None]

# The student's top-k, or the sampled tokens, should hold most of the probability: of 100 ids it is nearly all.
MIN_SUPPORT_MASS = 0.5
# Nat a token. A model that answers a solved task without doubt is at some hundredths.
MIN_ENTROPY = 0.005
# Below rounding in single precision, for a loss of the order of 1.
MIN_GRAD_NORM = 1e-6
MIN_DIVERGENCE = 1e-6
# Of the mean length in the run's first steps.
MIN_LENGTH_FRACTION = 0.2
NUM_FIRST_STEPS = 5
TRACKED = ("response_length/mean",)


def no_reward_variance(metrics: Metrics, _first: Metrics) -> str | None:
    """With group advantages nothing can be learned; SDPO can, from feedback and other successes."""
    low, high = metrics.get("critic/score/min"), metrics.get("critic/score/max")
    if low is None or high is None or low != high or metrics.get("self_distillation/reprompt_sample_fraction", 0) > 0:
        return None
    return _message(
        metrics,
        ("critic/score/min", "critic/score/max"),
        "all samples of the step have the same score, so that their advantages are 0 and nothing is learned",
        "see in the rollouts whether the reward function reads the answer; take other questions, neither out of reach "
        "nor solved; raise actor_rollout_ref.rollout.n",
    )


def nothing_to_show(metrics: Metrics, _first: Metrics) -> str | None:
    shown = ("self_distillation/success_group_fraction", "self_distillation/feedback_used_fraction")
    hint = metrics.get("self_distillation/privileged_context_used_fraction", 0)
    if any(metrics.get(name) != 0 for name in shown) or hint != 0:
        return None
    return _message(
        metrics,
        shown,
        "no attempt succeeded and none has feedback: the teacher is shown nothing that the student has not seen",
        "let the reward function return `feedback`; take easier questions; raise actor_rollout_ref.rollout.n; check "
        "success_reward_threshold",
    )


def teacher_equals_student(metrics: Metrics, _first: Metrics) -> str | None:
    """The weights may be equal (a live teacher's always are): what counts is that the predictions are."""
    divergence = metrics.get("self_distillation/divergence")
    if divergence is None or not abs(divergence) < MIN_DIVERGENCE:
        return None
    return _message(
        metrics,
        ("self_distillation/divergence", "self_distillation/teacher_distance"),
        "the teacher predicts what the student does: what it is shown makes no difference, and there is nothing to "
        "distil",
        "look at what the teacher reads (trainer.callbacks=[verl_sdpo.watch.context_writer.ContextWriter]): is the "
        "feedback about the attempt, is it cut away (self_distillation/shortened_prompt_fraction), is the "
        "model able to use it",
    )


def little_support(metrics: Metrics, _first: Metrics) -> str | None:
    names = ("self_distillation/student_support_mass", "self_distillation/teacher_support_mass")
    low = tuple(name for name in names if metrics.get(name, 1.0) < MIN_SUPPORT_MASS)
    if not low:
        return None
    return _message(
        metrics,
        low,
        f"the ids that are compared hold less than {MIN_SUPPORT_MASS} of the probability: the divergence misses most "
        "of it",
        "raise distillation_topk (null: the whole vocabulary). Low for the teacher only: it wants what the student "
        "hardly considers; look at what it reads. With credit_assignment token or sequence: the sampled ids",
    )


def entropy_collapse(metrics: Metrics, _first: Metrics) -> str | None:
    # actor/entropy is what a run with a loss of verl's has; it is over all response tokens.
    name = next((n for n in ("self_distillation/student_entropy", "actor/entropy") if n in metrics), None)
    if name is None or not metrics[name] < MIN_ENTROPY:
        return None
    return _message(
        metrics,
        (name,),
        "the student is all but certain of every token: samples of a question are copies, and nothing new is tried. "
        "Harmless if critic/score/mean is at its best",
        "lower actor_rollout_ref.actor.optim.lr; go back to an earlier checkpoint; alpha nearer to 0 (forward KL); "
        "actor_rollout_ref.rollout.temperature of at least 1",
    )


def gradient_not_finite(metrics: Metrics, _first: Metrics) -> str | None:
    norm = metrics.get("actor/grad_norm")
    if norm is None or math.isfinite(norm):
        return None
    return _message(
        metrics,
        ("actor/grad_norm",),
        "a gradient was infinite or not a number; the optimizer left out every such mini-batch",
        "lower actor_rollout_ref.actor.optim.lr; look at rollout_corr/ for rollouts that do not fit the trainer",
    )


def gradient_vanished(metrics: Metrics, _first: Metrics) -> str | None:
    norm = metrics.get("actor/grad_norm")
    if norm is None or not norm < MIN_GRAD_NORM:
        return None
    return _message(
        metrics,
        ("actor/grad_norm",),
        "the update moves no weight",
        "see whether this step's scores differ (critic/score/) and whether samples have a target "
        "(self_distillation/target_sample_fraction)",
    )


def responses_collapse(metrics: Metrics, first: Metrics) -> str | None:
    name = "response_length/mean"
    if name not in metrics or name not in first or not metrics[name] < MIN_LENGTH_FRACTION * first[name]:
        return None
    return _message(
        metrics,
        (name,),
        f"responses are shorter than {MIN_LENGTH_FRACTION} of the {first[name]:.4g} tokens of the run's first steps: "
        "the student may have learned to end at once",
        "read rollouts (trainer.rollout_data_dir); lower actor_rollout_ref.actor.optim.lr; see whether the reward "
        "function scores an empty answer",
    )


RULES: tuple[Rule, ...] = (
    no_reward_variance,
    nothing_to_show,
    teacher_equals_student,
    little_support,
    entropy_collapse,
    gradient_not_finite,
    gradient_vanished,
    responses_collapse,
)


class RunHealth:
    """Applies the rules to each step, and keeps from saying the same thing every step.

    Args:
        repeat_every: a message comes once when first seen and then every so many steps while it lasts; again at once
            if it had gone.
        rules: what is looked at.
    """

    def __init__(self, repeat_every: int, rules: tuple[Rule, ...] = RULES) -> None:
        self.repeat_every = repeat_every
        self.rules = rules
        self._said_at: dict[str, int] = {}
        self._first: dict[str, list[float]] = {name: [] for name in TRACKED}

    def check(self, step: int, metrics: Metrics) -> list[str]:
        """What is to be said after this step."""
        for name, values in self._first.items():
            if name in metrics and len(values) < NUM_FIRST_STEPS:
                values.append(float(metrics[name]))
        first = {name: sum(v) / len(v) for name, v in self._first.items() if len(v) == NUM_FIRST_STEPS}
        messages = []
        for rule in self.rules:
            message = rule(metrics, first)
            if message is None:
                self._said_at.pop(rule.__name__, None)
            elif rule.__name__ not in self._said_at or step - self._said_at[rule.__name__] >= self.repeat_every:
                self._said_at[rule.__name__] = step
                messages.append(message)
        return messages

    def state_dict(self) -> dict[str, Any]:
        """The run's first steps. What was said is not kept: a resumed run says it again."""
        return {"first": self._first}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._first = {name: list(state["first"].get(name, [])) for name in TRACKED}


def _message(metrics: Metrics, names: tuple[str, ...], meaning: str, remedy: str) -> str:
    values = ", ".join(f"{name}={metrics[name]:.4g}" for name in names if name in metrics)
    return f"{values}: {meaning}. Try: {remedy}"
