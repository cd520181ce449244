# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""From a group of rollouts to the chat messages that the teacher reads (paper Table 2).

The teacher is the student with more to read: a correct solution from the same group or from the dataset (the
*demonstration*), the environment's feedback on this attempt, and, where the dataset row has one, its privileged
context. Everything here is plain data in and plain data out: no tokenizer, no tensors, no random state.
"""

import hashlib
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

from verl_sdpo.algorithm.reprompt_config import BRACE_GROUP, RepromptConfig, RepromptTemplates

Message = dict[str, Any]
Rollout = Mapping[str, Any]


@dataclass(frozen=True)
class Reprompt:
    """What one rollout's teacher is shown besides the prompt; None is shown nowhere."""

    prompt: tuple[Message, ...]
    demonstration: str | None
    feedback: str | None
    privileged_context: str | None
    templates: RepromptTemplates
    # Makes no target: the attempt says nothing about itself.
    own_attempt: str | None = None

    @property
    def has_target(self) -> bool:
        """Whether the teacher knows more than the student, so that there is something to learn from it."""
        return any(piece is not None for piece in (self.demonstration, self.feedback, self.privileged_context))

    def spelled_out(self, special_tokens: Sequence[str]) -> "Reprompt":
        """With the tokenizer's special tokens, where they stand in what is shown, made ordinary text.

        A program may print the token that ends a turn, and the teacher's turn would end there. A space after the first
        character is enough for it to be read as text. The question stays as it is: the student reads it so.
        """

        def plain(text: str | None) -> str | None:
            for token in special_tokens if text is not None else ():
                text = text.replace(token, f"{token[0]} {token[1:]}")
            return text

        return replace(
            self,
            demonstration=plain(self.demonstration),
            feedback=plain(self.feedback),
            privileged_context=plain(self.privileged_context),
            own_attempt=plain(self.own_attempt),
        )

    def render(self) -> list[Message]:
        """The teacher's messages, fresh at every call; equal to the prompt where there is nothing to show."""
        messages = [_copy(message) for message in self.prompt]
        if self.has_target:
            head, tail = self._texts_around_question()
            messages[-1]["content"] = _wrap(messages[-1]["content"], head, tail)
        return messages

    def _texts_around_question(self) -> tuple[str, str]:
        texts = self.templates
        sections = {
            "solution": _section(texts.solution, "successful_previous_attempt", self.demonstration),
            "privileged_context": _section(texts.privileged_context, "privileged_context_raw", self.privileged_context),
            "feedback": _section(texts.feedback, "feedback_raw", self.feedback),
        }
        if self.own_attempt is not None:
            attempt = _section(texts.own_attempt, "own_attempt_raw", self.own_attempt)
            sections["feedback"] = attempt + sections["feedback"]
        if "{privileged_context}" not in texts.reprompt:
            sections["feedback"] = sections["privileged_context"] + sections["feedback"]
        head, _, tail = texts.reprompt.partition("{prompt}")
        return _fill(head, sections), _fill(tail, sections)


def build_teacher_messages(
    rollouts: Sequence[Rollout], **config: Any
) -> tuple[list[list[Message]], list[float], dict[str, float]]:
    """The teacher's chat messages of a batch (paper Table 2).

    Args:
        rollouts: `num_rollouts` mappings with `uid` (the question's group), `prompt` (chat messages ending with a
            user turn), `response`, `score`, `feedback` (str or None), and where it applies `privileged_context` (str
            or None) and `is_padding` (bool). None of them is changed.
        config: fields of `RepromptConfig`; what is left out has its default.

    Returns:
        messages `(num_rollouts,)` lists of chat messages; mask `(num_rollouts,)` of floats, 1.0 where the rollout has
        a target; metrics, see `reprompt_metrics`.

    Raises:
        ValueError: an unknown or senseless option, or a rollout without the fields above.
    """
    settings = RepromptConfig.from_keywords(**config)
    plans = plan_reprompts(rollouts, settings)
    messages = [plan.render() for plan in plans]
    return messages, [float(plan.has_target) for plan in plans], reprompt_metrics(rollouts, plans, settings)


def plan_reprompts(rollouts: Sequence[Rollout], config: RepromptConfig) -> list[Reprompt]:
    """What each rollout's teacher is shown: `(num_rollouts,)` plans, in the rollouts' order.

    Takes and raises what `build_teacher_messages` does. A group is all rollouts with the same `uid`, wherever they
    stand in the batch. Padding is in no group and has no target.
    """
    groups: dict[Any, list[int]] = {}
    for index, rollout in enumerate(rollouts):
        _check_rollout(index, rollout)
        if not _is_padding(rollout):
            groups.setdefault(rollout["uid"], []).append(index)
    if config.demonstration_source == "dataset":
        return [_plan(rollout, _text(rollout, "privileged_context"), config) for rollout in rollouts]
    demonstrations: dict[int, str | None] = {}
    for members in groups.values():
        demonstrations.update(zip(members, _demonstrations([rollouts[i] for i in members], config), strict=True))
    return [_plan(rollout, demonstrations.get(index), config) for index, rollout in enumerate(rollouts)]


def plan_before_generation(row: Mapping[str, Any], config: RepromptConfig) -> Reprompt:
    """What the teacher is shown where there is no attempt yet: the demonstration that the dataset row has.

    Args:
        row: `prompt` (chat messages ending with a user turn) and, where there is one, `privileged_context`.
        config: with `demonstration_source="dataset"`; any other source has nothing to show.

    Raises:
        ValueError: a row without these fields.
    """
    blank = {"uid": None, "response": "", "score": 0.0, "feedback": None}
    return plan_reprompts([blank | dict(row)], config)[0]


def reprompt_metrics(
    rollouts: Sequence[Rollout], plans: Sequence[Reprompt], config: RepromptConfig
) -> dict[str, float]:
    """Fractions in 0 to 1 of the whole batch, padding apart; made once, before the batch is split over ranks.

    - `self_distillation/success_group_fraction`: groups with at least one success, of all groups
    - `self_distillation/success_sample_fraction`: rollouts that are shown a solution, be it the dataset's
    - `self_distillation/feedback_available_fraction`: rollouts with feedback, 0 where feedback is switched off
    - `self_distillation/feedback_used_fraction`: rollouts that are shown their feedback
    - `self_distillation/reprompt_sample_fraction`: rollouts with a target
    - `self_distillation/privileged_context_used_fraction`: rollouts that are shown their privileged context, as
      additional information or as the solution; only where the options allow that and rollouts have that field, be it
      None
    """
    real = [(rollout, plan) for rollout, plan in zip(rollouts, plans, strict=True) if not _is_padding(rollout)]
    groups = {rollout["uid"] for rollout, _ in real}
    successful_groups = {rollout["uid"] for rollout, _ in real if _is_success(rollout, config)}
    available = [config.include_environment_feedback and _text(rollout, "feedback") is not None for rollout, _ in real]
    metrics = {
        "success_group_fraction": len(successful_groups) / max(len(groups), 1),
        "success_sample_fraction": _mean([plan.demonstration is not None for _, plan in real]),
        "feedback_available_fraction": _mean(available),
        "feedback_used_fraction": _mean([plan.feedback is not None for _, plan in real]),
        "reprompt_sample_fraction": _single_precision(_mean([plan.has_target for _, plan in real])),
    }
    # The field, not its text: which metrics a run logs must not change from step to step.
    is_from_dataset = config.demonstration_source == "dataset"
    may_show = is_from_dataset or config.privileged_context_use != "off"
    if may_show and any("privileged_context" in rollout for rollout, _ in real):
        shown = [plan.demonstration if is_from_dataset else plan.privileged_context for _, plan in real]
        metrics["privileged_context_used_fraction"] = _mean([context is not None for context in shown])
    return {f"self_distillation/{name}": value for name, value in metrics.items()}


def remove_thinking(text: str, thinking_removal: str) -> str:
    """`text` without its thinking and the white space after it; the cases are `RepromptConfig.thinking_removal`'s.

    "all" treats what the pairs leave over: everything up to a closing tag (the chat template opened the thinking in
    the prompt), and everything from an opening tag on (the thinking was never finished).
    """
    kept, end = [], 0
    # A loop over find, not a lazy regular expression: that takes quadratic time on a text of opening tags only.
    while (start := text.find("<think>", end)) >= 0 and (close := text.find("</think>", start)) >= 0:
        kept.append(text[end:start])
        end = re.compile(r"\s*").match(text, close + len("</think>")).end()
    text = "".join(kept) + text[end:]
    if thinking_removal == "paired":
        return text
    if "</think>" in text:
        text = text.rpartition("</think>")[2].lstrip()
    if "<think>" in text:
        text = text.partition("<think>")[0].rstrip()
    return text


def _plan(rollout: Rollout, demonstration: str | None, config: RepromptConfig) -> Reprompt:
    prompt = tuple(rollout["prompt"])
    if _is_padding(rollout):
        return Reprompt(prompt, None, None, None, config.templates)
    # About the question, not about the attempt: a success learns from it as a failure does. Shown once: the dataset's
    # demonstration is that same text.
    shows_hint = config.privileged_context_use != "off" and config.demonstration_source != "dataset"
    hint = _text(rollout, "privileged_context") if shows_hint else None
    shows_feedback = (
        config.include_environment_feedback
        and (config.environment_feedback_on_success or not _is_success(rollout, config))
        and not (config.environment_feedback_only_without_solution and demonstration is not None)
        and not (config.privileged_context_use == "instead" and hint is not None)
    )
    feedback = _text(rollout, "feedback") if shows_feedback else None
    attempt = _text(rollout, "response") if config.include_own_attempt else None
    return Reprompt(prompt, demonstration, feedback, hint, config.templates, attempt)


def _demonstrations(group: Sequence[Rollout], config: RepromptConfig) -> list[str | None]:
    """For each member of one group the solution it is shown."""
    solutions = [_solution(rollout, config) for rollout in group]
    shown: list[str | None] = []
    for place, rollout in enumerate(group):
        candidates = _candidates(solutions, place, config)
        shown.append(candidates[_choice(len(candidates), rollout["uid"], place, config)] if candidates else None)
    return shown


def _solution(rollout: Rollout, config: RepromptConfig) -> str | None:
    if not _is_success(rollout, config):
        return None
    text = rollout["response"]
    if config.remove_thinking_from_demonstration:
        text = remove_thinking(text, config.thinking_removal)
    return text if text.strip() else None


def _candidates(solutions: Sequence[str | None], place: int, config: RepromptConfig) -> list[str]:
    own = solutions[place]
    peers = [text for other, text in enumerate(solutions) if text is not None and other != place]
    if own is None or config.dont_reprompt_on_self_success:
        return peers
    if config.own_success_choice == "always":
        return [own]
    if config.own_success_choice == "when_alone":
        return peers or [own]
    return [text for text in solutions if text is not None]


def _choice(num_candidates: int, uid: Any, place: int, config: RepromptConfig) -> int:
    if config.demonstration_choice == "first":
        return 0
    # A hash in place of a generator: no state that other groups could advance, the same in every process. 64 bits
    # make the remainder uniform for any group that fits in memory.
    digest = hashlib.sha256(f"{config.demonstration_seed}:{place}:{uid}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % num_candidates


def _is_success(rollout: Rollout, config: RepromptConfig) -> bool:
    return bool(rollout["score"] >= config.success_reward_threshold)


def _is_padding(rollout: Rollout) -> bool:
    return bool(rollout.get("is_padding", False))


def _text(rollout: Rollout, key: str) -> str | None:
    """The text under `key`; blank is none."""
    text = rollout.get(key)
    return text if text is not None and text.strip() else None


def _section(template: str, placeholder: str, text: str | None) -> str:
    return "" if text is None else _fill(template, {placeholder: text})


def _fill(template: str, texts: Mapping[str, str]) -> str:
    """One pass over the template: what is put in is not looked at again, and other braces stay as they are."""
    return BRACE_GROUP.sub(lambda group: texts.get(group[1], group[0]), template)


def _wrap(content: str | Sequence[Any], head: str, tail: str) -> str | Sequence[Any]:
    """The question with text around it; in a list of parts the text goes to the first and the last text part."""
    if isinstance(content, str):
        return head + content + tail
    places = [place for place, part in enumerate(content) if _is_text_part(part)]
    content[places[0]]["text"] = head + content[places[0]]["text"]
    content[places[-1]]["text"] += tail
    return content


def _copy(value: Any) -> Any:
    """New containers all the way down, the same leaves: an image in a part is not copied."""
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_copy(item) for item in value])
    return value


def _mean(flags: Sequence[bool]) -> float:
    return sum(flags) / max(len(flags), 1)


def _single_precision(value: float) -> float:
    """The published code takes this mean over the float32 mask, and readers compare the logged number with it."""
    return struct.unpack("f", struct.pack("f", value))[0]


def _is_text_part(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") == "text" and isinstance(part.get("text"), str)


def _check_rollout(index: int, rollout: Rollout) -> None:
    for key in ("uid", "prompt", "response", "score", "feedback"):
        if key not in rollout:
            raise ValueError(f"rollouts[{index}] has no {key!r}: every rollout needs it (feedback may be None)")
    text_or_none = (str | None, "str or None")
    wanted_types = {"response": (str, "str"), "score": (Real, "number")}
    wanted_types |= {"feedback": text_or_none, "privileged_context": text_or_none}
    for key, (wanted, name) in wanted_types.items():
        if not isinstance(rollout.get(key), wanted):
            raise ValueError(f"rollouts[{index}][{key!r}]={rollout.get(key)!r} has the wrong type: give a {name}")
    messages = rollout["prompt"]
    role = messages[-1].get("role") if len(messages) else None
    if role != "user":
        raise ValueError(f"rollouts[{index}]['prompt'] ends with role {role!r}: the last message must be a user turn")
    content = messages[-1].get("content")
    parts = content if isinstance(content, list | tuple) else ()
    if not isinstance(content, str) and not any(_is_text_part(part) for part in parts):
        raise ValueError(f"rollouts[{index}]['prompt'] ends with {content!r}: the user turn needs a str or a text part")
