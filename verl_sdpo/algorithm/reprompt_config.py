# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The options of the teacher's prompt, their checks, and named sets of them."""

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

# Per template: the placeholders it must hold exactly once, then those it may hold once.
_PLACEHOLDERS = {
    "reprompt_template": (("prompt", "solution", "feedback"), ("privileged_context",)),
    "solution_template": (("successful_previous_attempt",), ()),
    "feedback_template": (("feedback_raw",), ()),
    "privileged_context_template": (("privileged_context_raw",), ()),
    "own_attempt_template": (("own_attempt_raw",), ()),
}
_KNOWN_PLACEHOLDERS = tuple(name for required, optional in _PLACEHOLDERS.values() for name in required + optional)
_CHOICES = {
    "demonstration_source": ("rollouts", "dataset"),
    "thinking_removal": ("paired", "all"),
    "demonstration_choice": ("random", "first"),
    "own_success_choice": ("among_peers", "when_alone", "always"),
    "privileged_context_use": ("off", "beside", "instead"),
    "reprompt_truncation": ("middle", "error"),
}
# What may be a placeholder: a name in braces.
BRACE_GROUP = re.compile(r"\{\s*([A-Za-z_]\w*)\s*\}")
# How alike (difflib ratio, 0 to 1) a brace group must be to a placeholder to be taken for a misspelling of it.
_MISSPELLING_RATIO = 0.75


@dataclass(frozen=True)
class RepromptTemplates:
    """The texts around the question, the solution, the feedback, the privileged context and the attempt itself."""

    reprompt: str
    solution: str
    feedback: str
    privileged_context: str
    own_attempt: str = ""


@dataclass(frozen=True)
class RepromptConfig:
    """What the teacher is shown. Raises ValueError (key, value, remedy) on a value that makes no sense.

    The defaults do what the published training runs did; `RECOMMENDED_BEHAVIOUR` is what we would choose.
    """

    # A rollout whose score is at least this is a success. 0.5 and 1.0 mean the same for rewards of 0 and 1.
    success_reward_threshold: float = 0.5
    # Where the solution comes from that the teacher is shown: "rollouts", a success of the same group; "dataset", the
    # row's privileged context as it stands, whatever any score, and then not shown as additional information too.
    demonstration_source: str = "rollouts"
    # True: a success never sees itself as the solution, only other successes of its group. It is still reprompted
    # with those, and failures still see it.
    dont_reprompt_on_self_success: bool = True
    # Only with the key above False. Where a success may see itself: "among_peers" as one candidate of many,
    # "when_alone" if no other attempt of its group succeeded, "always" instead of any other (the paper's sentence).
    own_success_choice: str = "among_peers"
    # Which success of the group is shown: "random" (each attempt draws its own) or "first" (in batch order).
    demonstration_choice: str = "first"
    # Seed of "random" only, any whole number. The draw depends on it, the group's uid and the place in the group only.
    demonstration_seed: int = 0
    # Take the thinking out of a solution before it is shown.
    remove_thinking_from_demonstration: bool = True
    # "paired" takes out <think>...</think>; "all" also thinking whose opening or closing tag is missing.
    thinking_removal: str = "paired"
    # Show the environment's feedback on the attempt.
    include_environment_feedback: bool = True
    # Show the feedback only where there is no solution to show.
    environment_feedback_only_without_solution: bool = True
    # Show the feedback to successful attempts too, although the text calls the attempt unsuccessful.
    environment_feedback_on_success: bool = True
    # Show the attempt itself, wherever there is a solution, feedback or a hint beside it.
    include_own_attempt: bool = False
    # The dataset row's own hint: "off", "beside" the feedback, or "instead" of it in the rows that have a hint.
    privileged_context_use: str = "beside"
    # The whole user turn. {privileged_context} may be added; without it that text stands just before {feedback}.
    reprompt_template: str = "{prompt}{solution}{feedback}\n\nCorrectly solve the original question."
    # The part about the solution; it vanishes where there is none. So do the two below.
    solution_template: str = "\nCorrect solution:\n\n{successful_previous_attempt}"
    feedback_template: str = "\nThe following is feedback from your unsuccessful earlier attempt:\n\n{feedback_raw}"
    privileged_context_template: str = "\nAdditional information on this question:\n\n{privileged_context_raw}"
    # Only with include_own_attempt; it stands just before the hint and the feedback.
    own_attempt_template: str = "\nThe following is your earlier attempt:\n\n{own_attempt_raw}"
    # Longest teacher prompt in tokens, generation prompt included, response not.
    max_reprompt_len: int = 10240
    # A longer one: "middle" takes the middle out of solution, feedback and hint; "error" stops the run.
    reprompt_truncation: str = "middle"

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_type(field.name, getattr(self, field.name), type(field.default))
        for key, allowed in _CHOICES.items():
            if getattr(self, key) not in allowed:
                raise ValueError(f"{key}={getattr(self, key)!r} is not known: choose one of {', '.join(allowed)}")
        for key in _PLACEHOLDERS:
            _check_template(key, getattr(self, key))
        if self.max_reprompt_len < 1:
            raise ValueError(f"max_reprompt_len={self.max_reprompt_len} leaves no token: give a number of at least 1")
        if self.dont_reprompt_on_self_success and self.own_success_choice != "among_peers":
            raise ValueError(
                f"own_success_choice={self.own_success_choice!r} has no effect while dont_reprompt_on_self_success is "
                "True: set dont_reprompt_on_self_success=False, or leave own_success_choice at 'among_peers'"
            )

        if self.demonstration_source == "dataset" and self.privileged_context_use == "instead":
            raise ValueError(
                "privileged_context_use='instead' has no effect with demonstration_source='dataset', where the context "
                "is the solution: leave it at 'beside'; include_environment_feedback=False shows no feedback"
            )

    @classmethod
    def from_keywords(cls, **config: Any) -> "RepromptConfig":
        """Like the constructor, but an unknown key raises ValueError with the nearest known one."""
        known = [field.name for field in fields(cls)]
        for key in sorted(set(config) - set(known)):
            near = difflib.get_close_matches(key, known, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"known keys are {', '.join(known)}"
            raise ValueError(f"{key}={config[key]!r} is no reprompt option: {remedy}")
        return cls(**config)

    @property
    def templates(self) -> RepromptTemplates:
        return RepromptTemplates(
            self.reprompt_template,
            self.solution_template,
            self.feedback_template,
            self.privileged_context_template,
            self.own_attempt_template,
        )


# The published code has its templates twice, with different white space. These are its dataclass's; the training runs
# used its YAML's, which are the defaults above.
PUBLISHED_DATACLASS_TEMPLATES: Mapping[str, str] = MappingProxyType(
    {
        "reprompt_template": "{prompt}{solution}{feedback}\n\nCorrectly solve the original question.\n",
        "solution_template": "\nCorrect solution:\n\n{successful_previous_attempt}\n\n",
        "feedback_template": (
            "\nThe following is feedback from your unsuccessful earlier attempt:\n\n{feedback_raw}\n\n"
        ),
    }
)

# What we would choose where a run need not be comparable with the paper's; docs/deviations.md has the reasons.
RECOMMENDED_BEHAVIOUR: Mapping[str, Any] = MappingProxyType(
    {
        # With "first" all failures of a group are pulled towards one and the same response.
        "demonstration_choice": "random",
        # With "paired" a solution keeps all of its thinking where the chat template opened it or the limit cut it off.
        "thinking_removal": "all",
        # With True a success is told about its "unsuccessful earlier attempt", where the reward says anything about it.
        "environment_feedback_on_success": False,
    }
)

# Self-distillation fine-tuning: demonstrations that were written beforehand, and no reward (docs/sdft.md).
SDFT_BEHAVIOUR: Mapping[str, Any] = MappingProxyType(
    {
        "demonstration_source": "dataset",
        "include_environment_feedback": False,
    }
)


def _check_type(key: str, value: Any, wanted: type) -> None:
    # A bool is an int to isinstance, and a whole number is a fine threshold.
    accepted = (float, int) if wanted is float else wanted
    is_right = isinstance(value, accepted) and (wanted is bool or not isinstance(value, bool))
    if not is_right or (wanted is float and not math.isfinite(value)):
        raise ValueError(f"{key}={value!r} is no {wanted.__name__}: give a finite value of that type")


def _check_template(key: str, template: str) -> None:
    required, optional = _PLACEHOLDERS[key]
    fitting = [f"{{{name}}}" for name in required + optional]
    for group in BRACE_GROUP.finditer(template):
        # Only what looks like a slip is refused: \boxed{x}, {n} and JSON are text.
        is_slip = difflib.get_close_matches(group[1].lower(), _KNOWN_PLACEHOLDERS, n=1, cutoff=_MISSPELLING_RATIO)
        if group[0] not in fitting and is_slip:
            raise ValueError(f"{key}={template!r} holds {group[0]}: its placeholders are {', '.join(fitting)}")
    for placeholder in fitting:
        count = template.count(placeholder)
        if count > 1 or (count == 0 and placeholder[1:-1] in required):
            raise ValueError(f"{key}={template!r} holds {placeholder} {count} times: write it exactly once")
