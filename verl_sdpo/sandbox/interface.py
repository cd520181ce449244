# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What each backend can do."""

from collections.abc import Mapping
from typing import Protocol

from verl_sdpo.sandbox.layers import Layers
from verl_sdpo.sandbox.limits import Limits
from verl_sdpo.sandbox.result import ExecutionResult


class Sandbox(Protocol):
    """Runs programs that a model wrote. Safe to use from many threads, and after a fork.

    A fault of its own is ``Status.SANDBOX_ERROR``, never the program's; each method but ``close`` raises
    ``SandboxRefused`` where programs cannot be run as the settings require.
    """

    def layers(self) -> Layers:
        """The layers in force, after a program was run under them."""

    def run_script(self, source: str, stdin: bytes, limits: Limits) -> ExecutionResult:
        """Runs a program that reads standard input and writes standard output."""

    def run_call(self, source: str, setup: str, function: str, arguments: str, limits: Limits) -> ExecutionResult:
        """Loads a program and calls one of its functions; ``result`` has the returned value as JSON.

        Args:
            source: the program.
            setup: source that runs before it, in its namespace.
            function: name of the function, or of the method of a class ``Solution``.
            arguments: JSON array.
            limits: of the whole.
        """

    def run_asserts(
        self, source: str, setup: str, function: str, tests: str, limits: Limits
    ) -> tuple[ExecutionResult, ExecutionResult]:
        """Runs test code against a program's functions, where neither can reach the other's process.

        Returns:
            The program's and the tests'; ``result`` of the latter says what came of them.
        """

    def run_checker(self, source: str, files: Mapping[str, str], limits: Limits) -> ExecutionResult:
        """Runs a dataset's program that judges an output.

        Args:
            source: the program.
            files: name and content of the files that it finds, and gets as arguments in this order. Bytes that are no
                UTF-8 stand as Python's ``surrogateescape`` has them.
            limits: of the run; the files count as its own.
        """

    def close(self) -> None:
        """Lets go of what is not at work."""
