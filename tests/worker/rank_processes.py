# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Processes that run functions of a test as the ranks of a process group, on the CPU."""

from __future__ import annotations

import io
import multiprocessing
import multiprocessing.connection
import os
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import torch


class Ranks:
    """Process groups of several sizes, each rank a process that runs task after task: verl is imported once in each."""

    def __init__(self, directory: Path, worlds: Sequence[int]) -> None:
        self.worlds = tuple(worlds)
        self._directory = directory
        self._connections: dict[tuple[int, int], Any] = {}
        self._processes: list[Any] = []

    def run(self, task: Callable[..., Any], *arguments: Any, seconds: float = 400.0) -> dict[int, list[Any]]:
        """`task(rank, world_size, *arguments)` on every rank; results by world size and rank.

        A rank that raises, dies or waits for ever ends all processes and is an AssertionError; the next task gets new
        ones.
        """
        if not self._connections:
            self._start()
        for connection in self._connections.values():
            connection.send_bytes(_pack((task, arguments)))
        results = {}
        deadline = time.monotonic() + seconds
        while len(results) < len(self._connections):
            waiting = {c: key for key, c in self._connections.items() if key not in results}
            ready = multiprocessing.connection.wait(waiting, timeout=deadline - time.monotonic())
            if not ready:
                self._fail(f"{task.__name__}: (world, rank) {sorted(waiting.values())} did not end in {seconds} s")
            for connection in ready:
                results[waiting[connection]] = self._receive(connection, task, waiting[connection])
        return {world: [results[world, rank] for rank in range(world)] for world in self.worlds}

    def close(self) -> None:
        """End all processes."""
        for process in self._processes:
            process.kill()
        self._connections, self._processes = {}, []

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        directory = tempfile.mkdtemp(dir=self._directory)
        environment = {"VERL_PLATFORM": "cpu", "OMP_NUM_THREADS": "1", "VERL_LOGGING_LEVEL": "ERROR"}
        with mock.patch.dict(os.environ, environment):
            for world, rank in [(size, rank) for size in self.worlds for rank in range(size)]:
                self._connections[world, rank], theirs = context.Pipe()
                arguments = (theirs, world, rank, f"file://{directory}/store_{world}")
                self._processes.append(context.Process(target=_serve, args=arguments, daemon=True))
                self._processes[-1].start()
                theirs.close()

    def _receive(self, connection: Any, task: Callable[..., Any], key: tuple[int, int]) -> Any:
        try:
            is_fine, value = _unpack(connection.recv_bytes())
        except EOFError:
            is_fine, value = False, "the process died"
        return value if is_fine else self._fail(f"{task.__name__} on (world, rank) {key}: {value}")

    def _fail(self, message: str) -> None:
        self.close()
        raise AssertionError(message)


def _serve(connection: Any, world: int, rank: int, store: str) -> None:
    # verl's worker asks for an address; the store is what is used.
    os.environ.update({"MASTER_ADDR": "localhost", "MASTER_PORT": "0", "RANK": str(rank), "WORLD_SIZE": str(world)})
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=world)
    while True:
        try:
            task, arguments = _unpack(connection.recv_bytes())
            answer = (True, task(rank, world, *arguments))
        except EOFError:
            return
        except BaseException:
            answer = (False, traceback.format_exc())
        connection.send_bytes(_pack(answer))


def _pack(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def _unpack(data: bytes) -> Any:
    return torch.load(io.BytesIO(data), weights_only=False)
