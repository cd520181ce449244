# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A word-level tokenizer of the quickstart's few words, with a chat template."""

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from recipe.quickstart import task

PAD, UNKNOWN, SYSTEM, USER, ASSISTANT, END = "<pad>", "<unk>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|> {{ message['content'] }} <|end|> {% endfor %}"
    "{% if add_generation_prompt %}<|assistant|> {% endif %}"
)


def build_tokenizer():
    split = pre_tokenizers.Whitespace()
    texts = [task.QUESTION, *task.SECRET_WORDS, *task.KNOWN_WORDS, *task.CODE_WORDS]
    texts += [task.reprompt("", "x", task.compute_score("", "x")["feedback"]).replace("{", "")]
    words = {w for t in texts for w, _ in split.pre_tokenize_str(t.replace("{words}", ""))}
    special = [PAD, UNKNOWN, SYSTEM, USER, ASSISTANT, END]
    vocab = {w: i for i, w in enumerate(special + sorted(words - {"x"}))}
    tok = Tokenizer(models.WordLevel(vocab, unk_token=UNKNOWN))
    tok.pre_tokenizer = split
    return PreTrainedTokenizerFast(
        tokenizer_object=tok,
        pad_token=PAD,
        unk_token=UNKNOWN,
        eos_token=END,
        additional_special_tokens=[SYSTEM, USER, ASSISTANT],
        chat_template=CHAT_TEMPLATE,
        model_max_length=512,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )
