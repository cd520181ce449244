# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A model that knows nothing, for runs that only try the machinery: random weights and a tokenizer of bytes.

`python -m recipe.tiny_model --output DIR` writes a Hugging Face folder. Any text has a tokenization, one token a byte.
`small_qwen3` makes every untrained model of recipes, scripts and tests.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

END, START, PAD = "<|im_end|>", "<|im_start|>", "<|endoftext|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level tokenizer with a Qwen-like chat template: 256 bytes and three special tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: index for index, token in enumerate([*alphabet, PAD, START, END])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[START],
        chat_template=CHAT_TEMPLATE,
        model_max_length=8192,
    )


def build_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> Qwen3ForCausalLM:
    """Two layers of Qwen3 for this tokenizer."""
    return small_qwen3(
        len(tokenizer),
        hidden_size=64,
        num_layers=2,
        num_heads=2,
        seed=seed,
        max_position_embeddings=8192,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def small_qwen3(
    vocab_size: int, hidden_size: int, num_layers: int, num_heads: int, seed: int, **settings: Any
) -> Qwen3ForCausalLM:
    """A Qwen3, untrained, in float32; the same arguments give the same weights.

    By default the MLP is twice as wide as the model, heads share it evenly, two of them share keys and values, and
    embedding and output head are apart. `settings` are any of `Qwen3Config`'s, these included. Reseeds torch.
    """
    derived = {
        "intermediate_size": 2 * hidden_size,
        "num_key_value_heads": max(num_heads // 2, 1),
        "head_dim": hidden_size // num_heads,
        "tie_word_embeddings": False,
    }
    config = Qwen3Config(
        vocab_size=vocab_size,
        hidden_size=hidden_size,
        num_hidden_layers=num_layers,
        num_attention_heads=num_heads,
        **derived | settings,
    )
    torch.manual_seed(seed)
    return Qwen3ForCausalLM(config).float()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, help="folder for the model and its tokenizer")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    tokenizer = build_tokenizer()
    tokenizer.save_pretrained(arguments.output)
    build_model(tokenizer, arguments.seed).save_pretrained(arguments.output)
    print(f"wrote an untrained model to {arguments.output}")


if __name__ == "__main__":
    main()
