# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Seeds and names of the rollout's requests, as they arrive at a server behind verl's clients and worker."""

import asyncio
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from verl.workers.rollout.llm_server import LLMServerClient
from verl.workers.rollout.replica import TokenOutput

from verl_sdpo.rollout.request_seeds import SeededManager, SeededWorker, request_seed, seeding
from verl_sdpo.rollout.stop_reasons import StopReasonWorker

RUN_SEED = 7


class Client(LLMServerClient):
    """Keeps what it is asked."""

    def __init__(self):
        self.asked = []

    async def generate(self, request_id, **request):
        self.asked.append((request_id, request["sampling_params"]))
        await asyncio.sleep(0)
        return TokenOutput(token_ids=[1], stop_reason="stop")


@pytest.fixture
def client(monkeypatch):
    async def loop(self, sampling_params, turns, **_):
        for _ in range(turns):
            await self.llm_client.generate("det-0", prompt_ids=[1], sampling_params=sampling_params)

    monkeypatch.setattr(StopReasonWorker, "_run_agent_loop", loop)
    return Client()


def asked(client, sessions, params, run_seed=RUN_SEED):
    """Run sessions (uid, session, turns) at the same time, with one dictionary of parameters; {name: seeds}."""
    worker = SeededWorker.__new__(SeededWorker)
    worker.rollout_config = SimpleNamespace(seed=run_seed)
    worker.llm_client = client if "Seeding" in type(client).__name__ else seeding(client)
    client.asked.clear()

    async def run():
        loops = [worker._run_agent_loop(params, uid=uid, session_id=number, turns=n) for uid, number, n in sessions]
        await asyncio.gather(*map(asyncio.create_task, loops))

    asyncio.run(run())
    seeds = {}
    for name, sent in client.asked:
        seeds.setdefault(name, []).append(sent["seed"])
    return seeds


SESSIONS = [(f"train-{step}-{place}", session, 2) for step in (1, 2) for place in (0, 1) for session in (0, 1)]


def test_every_request_has_a_seed_of_its_own_and_its_sessions_name(client):
    seeds = asked(client, SESSIONS, {"temperature": 1.0})
    assert sorted(seeds) == sorted(f"{uid}-{session}" for uid, session, _ in SESSIONS)
    flat = [seed for each in seeds.values() for seed in each]
    assert len(set(flat)) == len(flat) == 2 * len(SESSIONS)
    assert all(0 <= seed < 2**32 for seed in flat)


def test_seeds_do_not_depend_on_who_asks_first(client):
    assert asked(client, SESSIONS, {}) == asked(client, SESSIONS[::-1], {})


def test_another_run_seed_gives_other_seeds(client):
    ours, others = asked(client, SESSIONS, {}), asked(client, SESSIONS, {}, run_seed=RUN_SEED + 1)
    assert all(ours[name][0] != others[name][0] for name in ours)


def test_the_parameters_that_sessions_share_stay_as_they_are(client):
    params = {"temperature": 1.0}
    asked(client, SESSIONS, params)
    assert params == {"temperature": 1.0}
    assert all(sent["temperature"] == 1.0 for _, sent in client.asked)


def test_a_request_of_no_session_stays_as_it_is(client):
    asyncio.run(seeding(client).generate("name", prompt_ids=[1], sampling_params={"temperature": 1.0}))
    assert client.asked == [("name", {"temperature": 1.0})]


def test_a_seed_is_the_same_in_another_process():
    code = "from verl_sdpo.rollout.request_seeds import request_seed; print(request_seed(3, 'train-1-0', 2))"
    environment = os.environ | {"PYTHONHASHSEED": "12345"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert int(run.stdout.split()[-1]) == request_seed(3, "train-1-0", 2)


def test_the_manager_starts_these_workers():
    manager = SeededManager(SimpleNamespace(actor_rollout_ref=SimpleNamespace(rollout=None, model=None)), None)
    assert manager.agent_loop_workers_class.__ray_metadata__.modified_class is SeededWorker
