# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""With `trainer.full_determinism`: each request of the rollout has a seed and a name that follow from what it is for.

verl's V1 trainer seeds all requests alike and calls all of them "det-0" (`single_turn_agent_loop.py`,
`vllm_async_server.py`, verl 0.9.1). Here both are made of the prompt's `uid`, which `verl_sdpo.trainer.fixed_order`
makes of step and place, of the session and of the turn.
"""

from __future__ import annotations

import contextvars
import hashlib
from collections.abc import Mapping
from typing import Any

import ray
from verl.workers.rollout.llm_server import LLMServerClient
from verl.workers.rollout.replica import TokenOutput

from verl_sdpo.rollout.stop_reasons import StopReasonManager, StopReasonWorker

# vLLM takes more, numpy's and torch's generators do not.
_SEED_BITS = 32


class Requests:
    """The requests of one session, counted."""

    def __init__(self, run_seed: int, uid: str, session: int) -> None:
        self.name = f"{uid}-{session}"
        self._run_seed = run_seed
        self._turn = 0

    def next_seed(self) -> int:
        """The seed of the session's next request; from 0 to 2**32 - 1."""
        seed = request_seed(self._run_seed, self.name, self._turn)
        self._turn += 1
        return seed


_REQUESTS: contextvars.ContextVar[Requests | None] = contextvars.ContextVar("requests", default=None)


def request_seed(run_seed: int, session: str, turn: int) -> int:
    """A number that is the same in every process and on every machine, and unrelated between neighbours."""
    digest = hashlib.sha256(f"{run_seed}/{session}/{turn}".encode()).digest()
    return int.from_bytes(digest[: _SEED_BITS // 8], "big")


class _Seeding:
    """Before a client's class: requests of a known session get a seed, and the session's name as theirs.

    The name is also what verl's router sends a session to one engine by.
    """

    async def generate(self, request_id: str, *, sampling_params: dict[str, Any], **request: Any) -> TokenOutput:
        if (requests := _REQUESTS.get()) is not None:
            request_id = requests.name
            # The sessions of a worker share one dictionary.
            sampling_params = sampling_params | {"seed": requests.next_seed()}
        return await super().generate(request_id, sampling_params=sampling_params, **request)


def seeding(client: LLMServerClient) -> LLMServerClient:
    """Make this client, of whichever class, seed its requests; returns it."""
    kind = type(client)
    client.__class__ = type(f"Seeding{kind.__name__}", (_Seeding, kind), {})
    return client


class SeededWorker(StopReasonWorker):
    """An agent loop worker whose requests are seeded."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.llm_client = seeding(self.llm_client)

    async def _run_agent_loop(self, *args: Any, **kwargs: Any) -> Any:
        # A session is one asyncio task, and so has a context of its own.
        _REQUESTS.set(self._requests(kwargs))
        return await super()._run_agent_loop(*args, **kwargs)

    def _requests(self, row: Mapping[str, Any]) -> Requests | None:
        """Of a session, from its row with `uid` and `session_id`; None leaves them as they are."""
        return Requests(self.rollout_config.seed, row["uid"], row["session_id"])


class SeededManager(StopReasonManager):
    """The manager with these workers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.agent_loop_workers_class = ray.remote(SeededWorker)
