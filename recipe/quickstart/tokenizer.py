# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A tokenizer of the quickstart's few words: one token a word, a punctuation mark or a line break."""

from collections.abc import Iterable, Sequence

from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from recipe.quickstart import task
from verl_sdpo.algorithm.reprompt_config import BRACE_GROUP, RepromptConfig
from verl_sdpo.rewards.passphrase import compute_score

PAD, UNKNOWN, START, END = "<|endoftext|>", "<unk>", "<|im_start|>", "<|im_end|>"
ROLES = ("system", "user", "assistant")
# Qwen's form: for model type qwen3, verl's agent loop looks for these markers and wants "\n" to be one token.
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_TOKEN = Regex(r"\n|\w+|[^\w\s]")


def build_tokenizer(new_words: Sequence[str] = task.NEW_WORDS) -> PreTrainedTokenizerFast:
    """The quickstart's tokenizer."""
    return tokenizer_of(_texts(new_words))


def tokenizer_of(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """One that knows the words of these texts. Spaces only separate: decoding puts one between any two tokens.

    Padding is on the left.
    """
    # Invert: what matches is kept, and the blanks between are dropped.
    splitter = pre_tokenizers.Split(_TOKEN, behavior="removed", invert=True)
    words = {word for text in texts for word, _ in splitter.pre_tokenize_str(text)}
    vocabulary = {token: index for index, token in enumerate([PAD, UNKNOWN, START, END, *sorted(words)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = splitter
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        unk_token=UNKNOWN,
        eos_token=END,
        additional_special_tokens=[START],
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=512,
        padding_side="left",
    )


def _texts(new_words: Sequence[str]) -> list[str]:
    """Texts with every word that a prompt or an answer can hold."""
    templates = RepromptConfig().templates
    feedback = [compute_score(wrong, task.CODE_WORDS[0])["feedback"] for wrong in ("", task.CODE_WORDS[1])]
    frames = [task.QUESTION, task.STATED_ANSWER, templates.reprompt, templates.solution, templates.feedback]
    return [BRACE_GROUP.sub(" ", f) for f in frames] + [
        *feedback, "\n", *ROLES, *task.CODE_WORDS, *new_words, *task.KNOWN_WORDS
    ]  # fmt: skip
