# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Rewards are told by `extra_info["truncated"]` whether the response was cut off at the length limit.

The rollout engine knows: it ends a response with "stop" or with "length", and an end-of-turn token in the last place
that the limit allows is a "stop". verl 0.9.1's agent loops drop that word, so it is noted down where it arrives, in the
worker's client of the engines, and handed to the reward of the same session. No ids of end-of-turn tokens are guessed.

Depends on these of verl 0.9.1, which `tests/test_verl_seams.py` pins:

- `workers/rollout/llm_server.py`: `LLMServerClient.generate` returns an engine's own output; the client that resumes
  interrupted responses calls it for each part, and then says "length" of all that fill their limit, whatever the engine
  said.
- `experimental/agent_loop/agent_loop.py`: a session is one asyncio task, from `_run_agent_loop` to `_compute_score`.
- `trainer/ppo/v1/agent_loop_tq.py`, `trainer/main_ppo.py`: the manager is chosen by
  `actor_rollout_ref.rollout.agent.agent_loop_manager_class`.

vLLM's two reasons are one in verl: `verl_sdpo.rollout.vllm_server` keeps them apart.
"""

from __future__ import annotations

import contextvars
import dataclasses
import functools
import logging
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ray
from verl.experimental.agent_loop import AgentLoopOutput
from verl.trainer.ppo.v1.agent_loop_tq import AgentLoopManagerTQ, AgentLoopWorkerTQ
from verl.workers.rollout.llm_server import LLMServerClient
from verl.workers.rollout.replica import TokenOutput

from verl_sdpo.rollout.empty_response import stand_in
from verl_sdpo.rollout.reward_calls import answered
from verl_sdpo.rollout.sessions import GENERATION, REWARD, Sessions

logger = logging.getLogger(__name__)

CUT_OFF = "length"
INTERRUPTED = frozenset({"abort", "aborted"})
# What says nothing: vLLM's reasons as verl joins them, and engines that give none (TensorRT-LLM).
UNKNOWN = frozenset({None, "completed"})


@dataclasses.dataclass
class Session:
    """What the engine said last in the session of one sample."""

    reason: str | None = None
    token_ids: Sequence[int] = ()
    # Called at each word of the engine.
    goes_on: Callable[[], None] = lambda: None

    def note(self, output: TokenOutput) -> None:
        """Take in the output of a request, or of a part of one that was interrupted."""
        self.reason = output.stop_reason
        self.token_ids = list(output.token_ids) or self.token_ids
        self.goes_on()


_SESSION: contextvars.ContextVar[Session | None] = contextvars.ContextVar("session", default=None)


def is_cut_off(session: Session, response_ids: Sequence[int], response_length: int) -> bool | None:
    """Whether a response lacks its end for want of room; None where nobody said.

    Args:
        session: the engine's word about the last turn. An interruption is no lack of room.
        response_ids: the response as the agent loop returns it, with tool results.
        response_length: the limit of all turns together, in tokens. The agent loop drops what goes beyond it, however
            the engine ended the last turn.
    """
    last = list(session.token_ids)
    if len(response_ids) >= response_length and last and list(response_ids[-len(last) :]) != last:
        return True
    return None if session.reason in UNKNOWN else session.reason == CUT_OFF


class _Listening(LLMServerClient):
    """A client that notes down the engine's own output for the running session."""

    async def generate(self, request_id: str, **request: Any) -> TokenOutput:
        output = await super().generate(request_id, **request)
        if (session := _SESSION.get()) is not None:
            session.note(output)
        return output


class _ListeningAgain:
    """Around a client that resumes interrupted responses, and ends those whose room was used up by then itself."""

    async def generate(self, request_id: str, **request: Any) -> TokenOutput:
        output = await super().generate(request_id, **request)
        session = _SESSION.get()
        if session is not None and session.reason in INTERRUPTED:
            session.reason = output.stop_reason
        return output


def listening(client: LLMServerClient) -> LLMServerClient:
    """Make this client, of whichever of verl's classes, note down what the engines say; returns it.

    Its class gets two more bases: one below all that a subclass of verl's does to the outputs, and one above.
    """
    kind = type(client)
    bases = (_ListeningAgain, _Listening) if kind is LLMServerClient else (_ListeningAgain, kind, _Listening)
    client.__class__ = type(f"Listening{kind.__name__}", bases, {})
    return client


class StopReasonWorker(AgentLoopWorkerTQ.__ray_metadata__.modified_class):
    """verl's agent loop worker, whose rewards are told whether their response was cut off.

    A response that its reward does not answer has no verdict (`verl_sdpo.rollout.reward_calls`), and the worker can be
    asked what its sessions wait for.

    A row whose agent loop sets `extra_fields["truncated"]` itself keeps the agent loop's word.
    """

    _has_warned = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.llm_client = listening(self.llm_client)

    @functools.cached_property
    def sessions(self) -> Sessions:
        """Those that run in this worker."""
        return Sessions()

    async def waiting(self) -> dict[str, Any]:
        """What this worker's sessions wait for: `worker`, `idle_seconds` and `sessions`, as `Sessions` has them."""
        return {
            "worker": f"agent loop worker with process {os.getpid()} on {platform.node()}",
            "idle_seconds": self.sessions.idle_seconds(),
            "sessions": [tuple(each) for each in self.sessions.unfinished()],
        }

    async def _run_agent_loop(self, *args: Any, **kwargs: Any) -> Any:
        session = Session()
        session.goes_on = functools.partial(self.sessions.goes_on, id(session), GENERATION)
        _SESSION.set(session)
        self.sessions.waits(id(session), str(kwargs.get("uid")), kwargs.get("session_id"), GENERATION)
        try:
            return await super()._run_agent_loop(*args, **kwargs)
        finally:
            self.sessions.ended(id(session))

    async def _compute_score(self, outputs: list[AgentLoopOutput], kwargs: dict[str, Any]) -> None:
        row = kwargs | self._told(outputs[-1], kwargs.get("extra_info"))
        for output in outputs:
            stand_in(output, getattr(self.tokenizer, "eos_token_id", None), self.rollout_config.calculate_log_probs)
        call = super()._compute_score(outputs, row)
        if self.reward_loop_worker_handles is None:
            # The trainer's ranks judge later on.
            await call
            return
        self.sessions.goes_on(id(_SESSION.get()), REWARD)
        await answered(call, outputs[-1], row.get("extra_info"), self.config.trainer.reward_timeout)

    def _told(self, output: AgentLoopOutput, extra_info: Mapping[str, Any] | None) -> dict[str, Any]:
        """What is new for the reward. The row itself, which verl stores with the sample, stays as it is."""
        session = _SESSION.get()
        if "truncated" in output.extra_fields:
            return {"extra_info": dict(extra_info or {}, truncated=bool(output.extra_fields["truncated"]))}
        if session is None or (cut := is_cut_off(session, output.response_ids, self._response_length())) is None:
            self._warn()
            return {}
        return {"extra_info": dict(extra_info or {}, truncated=cut)}

    def _response_length(self) -> int:
        return self.rollout_config.response_length

    def _warn(self) -> None:
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "nothing told why a response ended (rollout engine %r): rewards do not hear of responses that were cut "
                "off",
                self.rollout_config.name,
            )


class StopReasonManager(AgentLoopManagerTQ):
    """verl's manager with these workers; the name in `actor_rollout_ref.rollout.agent.agent_loop_manager_class`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.agent_loop_workers_class = ray.remote(StopReasonWorker)
