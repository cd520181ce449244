# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The multi-turn baseline: what the model is asked after the attempts that it has made (paper, section 5, D.3).

One conversation a question. The first prompt is the dataset's question; later ones carry feedback on earlier attempts,
the latest of it that fits into the window, the oldest leaving first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from verl_sdpo.algorithm.reprompt import Reprompt, RepromptTemplates
from verl_sdpo.test_time.turns import Turn

Message = dict[str, Any]
# Between the feedback on one attempt and on the next.
_SEPARATOR = "\n\n"


def feedback_only(
    question: Sequence[Message], turns: Sequence[Turn], templates: RepromptTemplates, special_tokens: Sequence[str] = ()
) -> list[Message]:
    """The question with the feedback on all these turns in one user turn, in the words of the self-teacher's prompt.

    With one turn it is what the self-teacher reads about a failure (paper, Table 2); with none the question itself.
    """
    feedback = _SEPARATOR.join(turn.feedback for turn in turns) if turns else None
    return Reprompt(tuple(question), None, feedback, None, templates).spelled_out(special_tokens).render()


def attempts_and_feedback(
    question: Sequence[Message], turns: Sequence[Turn], templates: RepromptTemplates, special_tokens: Sequence[str] = ()
) -> list[Message]:
    """A chat: the question, and for each turn the attempt as the assistant's turn and the feedback as the user's."""
    messages = Reprompt(tuple(question), None, None, None, templates).render()
    for turn in turns:
        shown = Reprompt(({"role": "user", "content": ""},), turn.response, turn.feedback, None, templates)
        shown = shown.spelled_out(special_tokens)
        messages.append({"role": "assistant", "content": shown.demonstration})
        [asked] = Reprompt(shown.prompt, None, shown.feedback, None, templates).render()
        messages.append(asked | {"content": asked["content"].strip("\n")})
    return messages


CONTEXTS: dict[str, Callable[..., list[Message]]] = {
    "feedback": feedback_only,
    "attempts_and_feedback": attempts_and_feedback,
}


def next_prompt(
    question: Sequence[Message],
    turns: Sequence[Turn],
    context: str,
    templates: RepromptTemplates,
    count_tokens: Callable[[list[Message]], int],
    max_tokens: int,
    special_tokens: Sequence[str] = (),
) -> tuple[list[Message], int]:
    """(messages of the next attempt, how many of the turns they show).

    Shown are the latest turns that together fit. Successes, turns without feedback, and attempts that nobody judged
    are never shown. Where not even the last turn fits, the question stands alone.

    Args:
        question: the dataset's messages, ending with a user turn.
        turns: all turns so far, the oldest first.
        context: one of `CONTEXTS`.
        count_tokens: of a prompt, generation prompt included; more turns must never be fewer tokens.
        max_tokens: the window.
        special_tokens: of the tokenizer; made ordinary text where they stand in attempts or feedback.
    """
    write = CONTEXTS[context]
    usable = [turn for turn in turns if turn.judged and not turn.success and turn.feedback.strip()]

    def messages_of(num_shown: int) -> list[Message]:
        return write(question, usable[len(usable) - num_shown :], templates, special_tokens)

    # The largest number that fits, by halving: a prompt of a thousand turns takes a while to render.
    fits, too_many = 0, len(usable) + 1
    guess = len(usable)
    while too_many - fits > 1:
        if count_tokens(messages_of(guess)) <= max_tokens:
            fits = guess
        else:
            too_many = guess
        guess = (fits + too_many) // 2
    return messages_of(fits), fits
