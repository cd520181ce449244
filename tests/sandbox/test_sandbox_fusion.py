# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Programs on a server, through verl's client, against a server of our own that speaks the protocol."""

import json
import os
import signal
import socket
import sys
import threading

import pytest

from tests.sandbox.fusion_server import FusionServer, answer_of
from verl_sdpo.rewards.code_runs import run_test
from verl_sdpo.rewards.code_truth import CodeTest, CodeTruth
from verl_sdpo.sandbox import Limits, SandboxRefused, SandboxSettings, Status, sandbox_for
from verl_sdpo.sandbox.sandbox_fusion import FusionSandbox, server_limits
from verl_sdpo.sandbox.server_answer import result_of

client = pytest.importorskip("verl.utils.reward_score.sandbox_fusion.utils", reason="verl is not installed")

# A server measures by the wall clock, and the machine that tests run on may be busy.
LIMITS = Limits(cpu_seconds=20.0, idle_seconds=20.0, memory_mib=256)
SHORT = Limits(cpu_seconds=1.0, idle_seconds=1.0)
SECRET = "8159347260"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(client, "INITIAL_RETRY_DELAY", 0)


@pytest.fixture(scope="module")
def running():
    with FusionServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def server(running):
    running.requests, running.told, running.most_at_once = [], [], 0
    return running


@pytest.fixture
def sandbox(server):
    fresh = FusionSandbox(settings_of(server))
    server.told = [(200, answer_of(stdout="2 True\n"))]
    fresh.layers()
    server.requests.clear()
    return fresh


def settings_of(server, **fields):
    return SandboxSettings("sandbox_fusion", url=server.url, **fields)


def truth_of(kind, test, **fields):
    standard = {"function": None, "setup": "", "time_limit": 20.0, "memory_limit": None, "checker": None}
    return CodeTruth(kind, (test,), **standard | fields)


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("print(sum(map(int, input().split())))", Status.FINISHED),
        ("import os\nos._exit(0)", Status.FINISHED),
        ("exit(3)", Status.RUNTIME_ERROR),
        ("1 / 0", Status.RUNTIME_ERROR),
        ("import os\nos.kill(os.getpid(), 9)", Status.RUNTIME_ERROR),
        ("def f(:", Status.COMPILE_ERROR),
        ("'\ud800'.encode(", Status.COMPILE_ERROR),
        ("x = bytearray(2 ** 31)", Status.MEMORY_LIMIT),
        ("print('x' * 2 ** 21)", Status.OUTPUT_LIMIT),
    ],
)
def test_the_status_is_the_one_that_this_machine_gives(sandbox, source, status):
    assert sandbox.run_script(source, b"1 2\n", LIMITS).status == status
    assert sandbox_for(SandboxSettings()).run_script(source, b"1 2\n", LIMITS).status in (
        status,
        # Here a program cannot kill itself.
        Status.RUNTIME_ERROR,
    )


@pytest.mark.parametrize("source", ["while True: pass", "import time\ntime.sleep(60)"])
def test_a_program_that_does_not_end_is_ended(sandbox, source):
    assert sandbox.run_script(source, b"", SHORT).status == Status.TIME_LIMIT


def test_processor_time_is_limited_too(sandbox, server):
    """By the code that is sent: a server has the wall clock only, which this program has enough of."""
    result = sandbox.run_script("while True: pass", b"", Limits(cpu_seconds=0.5, idle_seconds=99.0))
    assert (result.status, result.signal) == (Status.TIME_LIMIT, signal.SIGXCPU)


@pytest.mark.parametrize(
    "source",
    [
        "print(input())",
        "import heapq\ndef f(x):\n    return heapq.nlargest(2, x)\nprint(f(3))\n",
        "import os\nprint(os.read(0, os.fstat(0).st_size), os.get_inheritable(0))",
        "print({str(i) for i in range(50)})\nimport random\nprint(random.random())",
        "x = 1\ndef f(:\n",
        "def f(n):\n    return n and 1 + f(n - 1)\nprint(f(9000))",
        "import threading\nt = threading.Thread(target=print, args=('in a thread',))\nt.start()\nt.join()",
        "import atexit, sys\natexit.register(print, 'last')\nif __name__ == '__main__':\n    sys.exit('no')",
        "import numpy\nprint(numpy.ones((200, 200)).dot(numpy.ones((200, 200))).sum())",
    ],
)
def test_a_script_writes_what_it_writes_on_this_machine(sandbox, source):
    here = sandbox_for(SandboxSettings()).run_script(source, "žluť\n".encode(), LIMITS)
    there = sandbox.run_script(source, "žluť\n".encode(), LIMITS)
    assert (there.status, there.exit_code) == (here.status, here.exit_code)
    assert (there.stdout, there.stderr) == (here.stdout, here.stderr)


@pytest.mark.parametrize(
    "source",
    [
        "def f(a, b): return (a, {1: b}, float('inf'))",
        "class Solution:\n    def f(self, a, b):\n        print('noise', a)\n        return {'a': [a, b]}",
        "import atexit\natexit.register(print, 'last')\ndef f(a, b):\n    print('{}', end='')\n    return helper(a)",
        "import numpy\ndef f(a, b): return numpy.arange(a)",
        "def f(a, b): return {a}",
        "def g(a, b): return 1",
        "def f(a, b): exit(0)",
        "def f(a, b): return a / 0",
        "import sys\ndef f(a, b):\n    sys.stdout = None\n    return 'ž'",
        "def f(:",
        "if __name__ == '__main__': exit(1)\ndef f(a, b): return __name__",
    ],
)
def test_a_call_returns_what_it_returns_on_this_machine(sandbox, source):
    setup, arguments = "def helper(x): return [x] * 3", "[3, [true, null]]"
    here = sandbox_for(SandboxSettings()).run_call(source, setup, "f", arguments, LIMITS)
    there = sandbox.run_call(source, setup, "f", arguments, LIMITS)
    assert (there.status, there.result) == (here.status, here.result)
    assert (there.stdout, there.stderr) == (here.stdout, here.stderr)


def test_a_checker_finds_its_files(sandbox):
    files = {"a.txt": "one\n", "b.txt": b"\xfftwo".decode("utf-8", "surrogateescape")}
    source = "import sys\nprint([open(name, 'rb').read() for name in sys.argv[1:]])"
    assert sandbox.run_checker(source, files, LIMITS).stdout == b"[b'one\\n', b'\\xfftwo']\n"


@pytest.mark.parametrize(
    ("program", "verdict"), [("print(int(input()) * 10)", "accepted"), ("print(7)", "wrong_answer")]
)
def test_outputs_are_compared_here_and_expected_ones_are_never_sent(sandbox, server, program, verdict):
    test = CodeTest(SECRET[:-1], SECRET)
    assert run_test(sandbox, program, truth_of("stdin", test), 0).verdict == verdict
    function = f"def f(x):\n    return {program.removeprefix('print').replace('int(input())', 'x')}"
    called = truth_of("function", CodeTest(f"[{SECRET[:-1]}]", SECRET), function="f")
    assert run_test(sandbox, function, called, 0).verdict == verdict
    assert len(server.requests) == 2
    assert not [request for request in server.requests if SECRET in request]


def test_a_program_that_finds_the_mark_gains_nothing(sandbox):
    """It shares its process with the text that prints the result: it can print another, of which it knows no more."""
    thief = (
        "import gc\ndef f(x):\n"
        "    spaces = [o for o in gc.get_objects() if isinstance(o, dict) and isinstance(o.get('MARK'), str)]\n"
        "    mark = spaces[0]['MARK']\n"
        "    print(mark + '42' + mark, flush=True)\n"
        "    return 1\n"
    )
    test = CodeTest("[1]", SECRET)
    outcome = run_test(sandbox, thief, truth_of("function", test, function="f"), 0)
    assert (outcome.verdict, outcome.output) == ("wrong_answer", b"42")


def test_outputs_with_several_right_ones_are_judged_by_the_checker(sandbox):
    checker = "import sys\nprint(int(sorted(open(sys.argv[3]).read()) == sorted(open(sys.argv[2]).read())))"
    truth = truth_of("stdin", CodeTest("", "1 2\n"), checker=checker)
    assert run_test(sandbox, "print('2 1')", truth, 0).verdict == "accepted"
    assert run_test(sandbox, "print('2 2')", truth, 0).verdict == "wrong_answer"


def test_code_as_tests_is_refused(sandbox, server):
    with pytest.raises(SandboxRefused, match="in the program's own process.*Use backend=local or bubblewrap"):
        run_test(sandbox, "def f(): pass", truth_of("asserts", CodeTest("assert f() is None", ""), function="f"), 0)
    assert server.requests == []


@pytest.mark.parametrize(
    "told",
    [
        (500, "{}"),
        (503, "busy"),
        (422, '{"detail": []}'),
        (200, "{"),
        (200, ""),
        (200, "null"),
        (200, "[]"),
        (200, "{}"),
        (200, answer_of("SandboxError")),
        (200, answer_of("Failed", "Error", None)),
        (200, answer_of("Failed", "Finished", 0)),
        (200, answer_of("Success", "Finished", 1)),
        (200, answer_of("Success", "TimeLimitExceeded", None)),
        (200, answer_of("Success", "Finished", True)),
        (200, answer_of("Success", "Finished", None)),
        (200, answer_of("Success", stdout=["2"])),
        (200, answer_of("Success", run_result=None)),
        (200, answer_of("Failed", compile_result={"status": "Error", "return_code": None})),
        (200, answer_of("Perfect")),
    ],
)
def test_a_fault_of_the_server_is_not_the_programs(sandbox, server, told):
    server.told = [told, told]
    result = sandbox.run_script("print(2)", b"", LIMITS)
    assert result.status == Status.SANDBOX_ERROR
    assert result.reason
    assert "\n" not in result.reason
    assert len(server.requests) == 2


def test_a_fault_that_passes_does_not_matter_and_no_fault_is_remembered(sandbox, server):
    server.told = [(500, "{}")]
    assert sandbox.run_script("print(3)", b"", LIMITS).stdout == b"3\n"
    server.told = [(500, "{}")] * 2
    assert sandbox.run_script("print(4)", b"", LIMITS).status == Status.SANDBOX_ERROR
    assert sandbox.run_script("print(4)", b"", LIMITS).stdout == b"4\n"
    # verl's client itself tries three times where a gateway was late.
    server.requests.clear()
    server.told = [(504, "")] * 5
    assert sandbox.run_script("print(5)", b"", LIMITS).stdout == b"5\n"
    assert len(server.requests) == 6


@pytest.mark.parametrize(
    ("answer", "limits", "status"),
    [
        (answer_of(stdout="2\n"), LIMITS, Status.FINISHED),
        (answer_of("Failed", "TimeLimitExceeded", None), LIMITS, Status.TIME_LIMIT),
        (answer_of("Failed", return_code=-24), LIMITS, Status.TIME_LIMIT),
        (answer_of("Failed", return_code=152), LIMITS, Status.TIME_LIMIT),
        (answer_of("Failed", return_code=137), LIMITS, Status.RUNTIME_ERROR),
        (answer_of("Failed", return_code=1, stderr="x\nMemoryError\n"), LIMITS, Status.MEMORY_LIMIT),
        (answer_of("Failed", return_code=1, stderr="NoMemoryErrorAtAll\n"), LIMITS, Status.RUNTIME_ERROR),
        (answer_of(stdout="x" * 2**20), LIMITS, Status.OUTPUT_LIMIT),
        (answer_of(stdout="ž" * 600), Limits(output_bytes=1000), Status.OUTPUT_LIMIT),
        # Who asks for more than a server keeps cannot know what the rest was.
        (answer_of(stdout="x" * 2**20), Limits(output_bytes=2**22), Status.SANDBOX_ERROR),
    ],
)
def test_answers_are_read_as_the_server_means_them(answer, limits, status):
    result = result_of(json.loads(answer), limits, "no mark")
    assert result.status == status
    assert result.wall_seconds == 0.1


def test_limits_are_told_to_the_server(sandbox, server):
    limits = Limits(cpu_seconds=2.5, idle_seconds=3.0, wall_seconds=35.0, memory_mib=300.5)
    sandbox.run_script("print(1)", b"", limits)
    sent = json.loads(server.requests[0])
    assert (sent["run_timeout"], sent["memory_limit_MB"], sent["language"]) == (6, 301 + 512, "python")
    # The client waits for both, and Python is not compiled.
    assert sent["run_timeout"] + sent["compile_timeout"] == 35
    assert server_limits(Limits(wall_seconds=0.5)) == {
        "compile_timeout": 1,
        "run_timeout": 1,
        "memory_limit_mb": 1024 + 512,
    }


def test_a_program_cannot_write_large_files(sandbox):
    source = "with open('f', 'wb') as file:\n    file.write(bytes(3000))\nprint(1)"
    assert sandbox.run_script(source, b"", Limits(file_bytes=2000)).status == Status.RUNTIME_ERROR
    assert sandbox.run_script(source, b"", Limits(file_bytes=4000)).stdout == b"1\n"


def test_input_that_cannot_be_sent_is_no_fault_of_the_program(sandbox, server):
    result = sandbox.run_script("print(1)", b"\xff", LIMITS)
    assert (result.status, "UTF-8" in result.reason) == (Status.SANDBOX_ERROR, True)
    assert server.requests == []


def test_no_more_programs_run_at_once_than_slots(server):
    own = FusionSandbox(settings_of(server, num_slots=2))
    server.told = [(200, answer_of(stdout="2 True\n"))]
    sources = [f"import time\ntime.sleep(0.3)  # {index}" for index in range(6)]
    threads = [threading.Thread(target=own.run_script, args=(source, b"", LIMITS)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.most_at_once == 2
    assert len(server.requests) == 7


def test_repeated_runs_are_answered_from_memory(sandbox, server):
    first = sandbox.run_script("import time\nprint(time.time_ns())", b"", LIMITS)
    assert sandbox.run_script("import time\nprint(time.time_ns())", b"", LIMITS) == first
    assert len(server.requests) == 1
    sandbox.run_script("import time\nprint(time.time_ns())", b"x", LIMITS)
    assert len(server.requests) == 2


def test_a_fork_of_the_caller_can_run_programs(sandbox):
    with sandbox._lock:  # as another thread could hold it in that moment
        pid = os.fork()
        if not pid:
            os._exit(0 if sandbox.run_script("print(2)", b"", LIMITS).stdout == b"2\n" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_the_server_is_the_layer(sandbox, server):
    assert server.url in str(sandbox.layers())
    assert sandbox.layers().in_force() == frozenset()


def test_an_unreachable_server_is_refused_by_address():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/run_code"
        with pytest.raises(SandboxRefused, match="backend=local") as caught:
            FusionSandbox(SandboxSettings("sandbox_fusion", url=url)).run_script("print(1)", b"", LIMITS)
    assert url in str(caught.value)
    assert "refused" in str(caught.value)


@pytest.mark.parametrize(
    ("told", "reason"),
    [((200, answer_of(stdout="3\n")), "printed b'3"), ((200, answer_of(stdout="2 False\n")), "3.10 or later")],
)
def test_a_server_that_runs_no_programs_as_it_should_is_refused(server, told, reason):
    server.told = [told]
    with pytest.raises(SandboxRefused, match=reason):
        FusionSandbox(settings_of(server)).layers()


def test_a_wrong_path_is_refused(server):
    url = server.url.replace("run_code", "code")
    with pytest.raises(SandboxRefused, match="404"):
        FusionSandbox(SandboxSettings("sandbox_fusion", url=url)).layers()


def test_without_verl_it_is_refused(server, monkeypatch):
    monkeypatch.setitem(sys.modules, client.__name__, None)
    with pytest.raises(SandboxRefused, match="Install verl, or use backend=local"):
        FusionSandbox(settings_of(server)).layers()


def test_settings_that_a_server_ignores_are_refused(server):
    for fields, told in (
        ({"required": ("filesystem",)}, "required .* has no effect on a server"),
        ({"required": ()}, "required .* has no effect on a server"),
        ({"packages": ("numpy",)}, "packages .* has no effect on a server"),
    ):
        with pytest.raises(ValueError, match=told):
            settings_of(server, **fields)
    with pytest.raises(ValueError, match="must begin with http"):
        SandboxSettings("sandbox_fusion", url="localhost:8080")
    assert isinstance(sandbox_for(settings_of(server)), FusionSandbox)
