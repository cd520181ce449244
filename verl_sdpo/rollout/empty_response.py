# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A response without any token: verl cannot store it, and its session, with its score, would be lost without a word.

`AgentLoopOutput.as_dict` writes the score to the last token, `rm_scores[-1]`, and TransferQueue takes no empty rows
(verl 0.9.1).
"""

from __future__ import annotations

from verl.experimental.agent_loop import AgentLoopOutput


def stand_in(output: AgentLoopOutput, token_id: int | None, has_log_probs: bool) -> None:
    """Give an empty response one token that nobody has written: its mask is 0, so it is in no loss.

    Args:
        output: of an agent loop; changed where it has no response.
        token_id: the end of a turn, which decodes to nothing; None where the tokenizer has none.
        has_log_probs: whether the run's other responses have log-probabilities, so that this one needs one too.
    """
    if output.response_ids:
        return
    output.response_ids, output.response_mask = [token_id or 0], [0]
    if has_log_probs:
        output.response_logprobs = [0.0]
