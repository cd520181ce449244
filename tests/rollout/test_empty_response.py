# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""An engine that answers with no token at all: the sample is there, has a score, and is in no loss."""

import asyncio
from types import SimpleNamespace

import pytest
from verl.experimental.agent_loop.agent_loop import AgentLoopOutput
from verl.workers.rollout.llm_server import LLMServerClient

from tests.rollout.test_reward_calls import Judge
from tests.rollout.test_stop_reasons import client_of, run_session
from tests.rollout.test_stop_reasons import fast_loop as fast_loop
from verl_sdpo.rollout.empty_response import stand_in
from verl_sdpo.rollout.stop_reasons import listening

EOS = 2


def stored(token_ids, score=0.0, has_log_probs=False):
    """What verl stores of a session whose engine answers so."""
    worker = Judge({"q": score})
    worker.llm_client = listening(client_of(LLMServerClient, (token_ids, "stop")))
    worker.tokenizer = SimpleNamespace(eos_token_id=EOS)
    worker.rollout_config = SimpleNamespace(**vars(worker.rollout_config) | {"calculate_log_probs": has_log_probs})
    asyncio.run(run_session(worker, uid="u", session_id=0))
    return worker.outputs["q"].as_dict()


def test_verl_by_itself_cannot_store_it():
    # Why this is needed: once it can, the stand-in can go.
    output = AgentLoopOutput(prompt_ids=[1], response_ids=[], response_mask=[], metrics={}, reward_score=0.0)
    with pytest.raises(IndexError):
        output.as_dict()


@pytest.mark.parametrize("has_log_probs", [False, True])
def test_an_empty_response_is_stored_with_its_score_and_without_a_token_that_counts(has_log_probs):
    fields = stored([], has_log_probs=has_log_probs)
    assert fields["responses"].tolist() == [EOS]
    assert fields["response_mask"].tolist() == [0]
    assert fields["rm_scores"].tolist() == [0.0]
    assert fields["extra_fields"]["reward_extra_info"]["mine"] == "q"
    # All samples of a batch have the same fields.
    assert ("rollout_log_probs" in fields) == has_log_probs
    assert not has_log_probs or fields["rollout_log_probs"].tolist() == [0.0]


@pytest.mark.parametrize("token_ids", [[EOS], [EOS, EOS], [5, EOS]])
def test_a_response_with_tokens_is_as_the_engine_gave_it(token_ids):
    fields = stored(token_ids, score=1.0)
    assert fields["responses"].tolist() == token_ids
    assert fields["response_mask"].tolist() == [1] * len(token_ids)
    assert fields["rm_scores"].tolist() == [0.0] * (len(token_ids) - 1) + [1.0]


def test_without_an_end_of_turn_there_is_still_a_token():
    output = AgentLoopOutput(prompt_ids=[1], response_ids=[], response_mask=[], metrics={})
    stand_in(output, None, False)
    assert (output.response_ids, output.response_mask) == ([0], [0])
