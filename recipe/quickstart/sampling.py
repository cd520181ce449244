# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Forward passes and sampling in plain PyTorch, for prompts of some fifty tokens."""

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

MAX_RESPONSE_LEN = 8  # tokens; a right answer has one a word, and the end


def chat_ids(tokenizer: PreTrainedTokenizerFast, user_turn: str) -> list[int]:
    """Token ids of a chat with one user turn, up to where the answer begins."""
    messages = [{"role": "user", "content": user_turn}]
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False)


def answer_logits(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], written: torch.Tensor, num_logits: int
) -> torch.Tensor:
    """Logits at the last `num_logits` positions of prompts followed by `written` (bsz, num_written), an int64 tensor.

    The last of the (bsz, num_logits, vocab_size) logits predict the token after `written`. Prompts may differ in
    length and are padded on the left.
    """
    longest = max(len(prompt) for prompt in prompts)
    pad_id = model.config.pad_token_id
    padded = torch.tensor([[pad_id] * (longest - len(prompt)) + list(prompt) for prompt in prompts])
    is_prompt = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    mask = torch.cat([is_prompt, torch.ones_like(written)], dim=1)  # (bsz, longest + num_written)
    return model(
        input_ids=torch.cat([padded, written], dim=1),
        attention_mask=mask,
        position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0),
        logits_to_keep=num_logits,
        use_cache=False,
    ).logits


@torch.no_grad()
def sample(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], generator: torch.Generator | None = None
) -> torch.Tensor:
    """Responses (bsz, response_len) at temperature 1, greedy where `generator` is None; padded after the end."""
    end_id, pad_id = model.config.eos_token_id, model.config.pad_token_id
    responses = torch.zeros(len(prompts), 0, dtype=torch.long)
    is_done = torch.zeros(len(prompts), dtype=torch.bool)
    while responses.shape[1] < MAX_RESPONSE_LEN and not bool(is_done.all()):
        logits = answer_logits(model, prompts, responses, num_logits=1)[:, -1].float()
        if generator is None:
            tokens = logits.argmax(dim=-1)
        else:
            tokens = torch.multinomial(logits.softmax(dim=-1), 1, generator=generator)[:, 0]
        tokens = tokens.masked_fill(is_done, pad_id)
        responses = torch.cat([responses, tokens[:, None]], dim=1)
        is_done = is_done | (tokens == end_id)
    return responses
