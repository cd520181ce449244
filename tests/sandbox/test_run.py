# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""How runs end, and what is left of them."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from verl_sdpo import sandbox
from verl_sdpo.sandbox import Limits, LocalSandbox, SandboxRefused, SandboxSettings, Status
from verl_sdpo.sandbox.scratch_folder import ScratchFolder

ROOT = Path(__file__).parents[2]
LIMITS = Limits(cpu_seconds=1.0, idle_seconds=1.0, memory_mib=256)


def run(source, stdin="", limits=LIMITS):
    return sandbox.run(source, stdin, limits)


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("print(1)", Status.FINISHED),
        ("", Status.FINISHED),
        ("raise SystemExit", Status.FINISHED),
        ("exit(0)", Status.FINISHED),
        ("import os\nos._exit(0)", Status.FINISHED),
        ("import sys\nprint('MemoryError', file=sys.stderr)", Status.FINISHED),
        ("import sys\nprint('ValueError: none', file=sys.stderr)\nexit(0)", Status.FINISHED),
        ("exit(3)", Status.RUNTIME_ERROR),
        ("exit('no')", Status.RUNTIME_ERROR),
        ("1 / 0", Status.RUNTIME_ERROR),
        ("raise KeyboardInterrupt", Status.RUNTIME_ERROR),
        ("import os\nos.abort()", Status.RUNTIME_ERROR),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)", Status.RUNTIME_ERROR),
        ("import ctypes\nctypes.string_at(0)", Status.RUNTIME_ERROR),
        ("def f(:", Status.COMPILE_ERROR),
        ("print(1)\x00", Status.COMPILE_ERROR),
        ("'\ud800'.encode(", Status.COMPILE_ERROR),
        ("(" * 100_000, Status.COMPILE_ERROR),
        ("while True: pass", Status.TIME_LIMIT),
        ("import signal\nsignal.signal(signal.SIGXCPU, lambda *a: 0)\nwhile True: pass", Status.TIME_LIMIT),
        ("10 ** 10 ** 8", Status.TIME_LIMIT),
        ("import time\ntime.sleep(99)", Status.TIME_LIMIT),
        ("import threading\nthreading.Event().wait()", Status.TIME_LIMIT),
        ("import atexit\n@atexit.register\ndef spin():\n    while True: pass", Status.TIME_LIMIT),
        ("x = bytearray(2 ** 30)", Status.MEMORY_LIMIT),
        ("x = []\nwhile True: x.append([0] * 10 ** 5)", Status.MEMORY_LIMIT),
        ("while True: print('x' * 1000)", Status.OUTPUT_LIMIT),
        ("import os\nwhile True: os.write(1, b'x' * 100)", Status.OUTPUT_LIMIT),
    ],
)
def test_the_status_is_what_the_kernel_saw(source, status):
    assert run(source).status == status


def test_a_program_that_kills_itself_is_not_taken_for_a_fault_of_the_machine():
    for way in ("os.kill(os.getpid(), 9)", "signal.raise_signal(9)", "os.kill(os.getpid(), 19)", "os.kill(0, 9)"):
        result = run(f"import os, signal\n{way}")
        assert (result.status, result.signal) == (Status.RUNTIME_ERROR, None), way


def test_every_module_of_the_standard_library_can_be_imported():
    """As far as this machine's Python itself can; each of them alone, without what another one has loaded."""
    left_out = {"antigravity", "this", "idlelib", "turtle", "turtledemo", "tkinter", "_tkinter", "test", "lib2to3"}
    names = sorted(set(sys.stdlib_module_names) - left_out)
    source = (
        "import importlib, sys\n"
        "for name in sys.stdin.read().split():\n"
        "    try:\n        importlib.import_module(name)\n"
        "    except ImportError as error:\n        print(name, type(error).__name__)\n"
    )
    plain = subprocess.run(
        [sys.executable, "-I", "-c", source], input="\n".join(names), capture_output=True, text=True, check=True
    )
    result = run(source, "\n".join(names), Limits(memory_mib=1024))
    assert (result.status, result.stderr) == (Status.FINISHED, b"")
    assert result.stdout.decode() == plain.stdout
    assert len(names) - len(plain.stdout.splitlines()) > 200


def test_standard_streams_carry_any_bytes():
    data = bytes(range(256)) * 100
    result = sandbox.run("import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])", data)
    assert result.stdout == data[::-1]
    assert sandbox.run("print(input())", "žluť\U0001f40d").stdout == "žluť\U0001f40d\n".encode()
    assert sandbox.run("print(input())", b"\xff\n").stdout == b"\xff\n"


def test_what_a_program_leaves_open_or_to_the_end_is_written():
    source = """
import atexit, sys, threading, time
own = open(1, "w", closefd=False)
own.write("own ")
atexit.register(print, "atexit", end=" ")
class Last:
    def __del__(self): print("del")
last = Last()
threading.Thread(target=lambda: (time.sleep(0.05), print("thread", end=" "))).start()
print("main", end=" ")
"""
    assert sorted(run(source).stdout.split()) == [b"atexit", b"del", b"main", b"own", b"thread"]


def test_the_trace_has_the_programs_own_lines_only():
    source = "import heapq\ndef f(x):\n    return heapq.nlargest(2, x)\nprint(f(3))\n"
    assert run(source).stderr.decode() == (
        "Traceback (most recent call last):\n"
        '  File "solution.py", line 4, in <module>\n    print(f(3))\n          ^^^^\n'
        '  File "solution.py", line 3, in f\n    return heapq.nlargest(2, x)\n'
        "           ^^^^^^^^^^^^^^^^^^^^\n"
        "TypeError: 'int' object is not iterable\n"
    )


def test_one_run_leaves_nothing_for_the_next():
    first = "import os\nopen('mark', 'w').write('x')\nos.environ['A'] = 'b'\nimport builtins\nbuiltins.leak = 1\n"
    assert run(first).status == Status.FINISHED
    look = "import os, builtins\nprint(os.listdir('.'), dict(os.environ), hasattr(builtins, 'leak'))"
    for _ in range(2 * os.cpu_count()):
        assert run(look + f"  # {time.monotonic_ns()}").stdout == b"[] {} False\n"


def test_the_same_run_gives_the_same_bytes():
    source = """
import random, numpy
print({str(i) for i in range(50)}, random.random(), numpy.random.random())
raise ValueError(set("abcdefg"))
"""
    results = {run(f"{source}# {index % 2}")[:3] for index in range(2)}
    fresh = LocalSandbox(SandboxSettings())
    results.add(fresh.run_script(source + "# 0", b"", LIMITS)[:3])
    fresh.close()
    assert len(results) == 1


def test_time_asleep_is_not_time_at_work():
    assert run("import time\ntime.sleep(0.8)\nprint(1)").status == Status.FINISHED
    result = run("import time\nfor _ in range(5): time.sleep(0.3)")
    assert result.status == Status.TIME_LIMIT
    assert "waited" in result.reason
    assert result.cpu_seconds < 0.5


def test_a_busy_machine_does_not_make_a_program_slow():
    """Eight programs of 0.6 s at once, each with a limit of 1 s, on however few processors."""
    source = "import time\nwhile time.process_time() < 0.6: pass\nprint('done')"
    wide = LocalSandbox(SandboxSettings(num_slots=8))
    results = [None] * 8

    def work(index):
        results[index] = wide.run_script(f"{source}  # {index}", b"", LIMITS)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wide.close()
    assert [result.stdout for result in results] == [b"done\n"] * 8


def test_memory_is_counted_from_the_warm_interpreter_on():
    """The caller's own size does not matter: it is no fork of the caller."""
    ballast = bytearray(2**31)
    fresh = LocalSandbox(SandboxSettings())
    result = fresh.run_script("x = list(range(10 ** 6))\nprint(len(x))", b"", Limits(memory_mib=128))
    fresh.close()
    assert (result.stdout, len(ballast)) == (b"1000000\n", 2**31)


def test_limits_that_are_no_limits_are_refused():
    with pytest.raises(ValueError, match="cpu_seconds -1 must be a number above 0"):
        Limits(cpu_seconds=-1)
    with pytest.raises(ValueError, match="memory_mib nan must be"):
        Limits(memory_mib=float("nan"))


def test_settings_that_make_no_sense_are_refused():
    for fields, told in (
        ({"backend": "docker"}, "backend 'docker' is not one of local"),
        ({"required": ("selinux",)}, r"required \['selinux'\] are no layers"),
        ({"num_slots": 0}, "num_slots 0 must be at least 1"),
        ({"url": "http://x"}, "does not go with backend local"),
        ({"backend": "sandbox_fusion"}, "does not go with backend sandbox_fusion"),
    ):
        with pytest.raises(ValueError, match=told):
            SandboxSettings(**fields)


def test_a_killed_interpreter_loses_nothing():
    """The warm interpreter is killed in the middle of a run; the run is repeated with another."""
    own = LocalSandbox(SandboxSettings(num_slots=1))
    own.layers()
    interpreter = own._idle[0]
    killer = threading.Timer(0.3, os.kill, (interpreter._process.pid, signal.SIGKILL))
    killer.start()
    result = own.run_script("import time\nwhile time.process_time() < 0.6: pass\nprint('done')", b"", LIMITS)
    assert (result.status, result.stdout) == (Status.FINISHED, b"done\n")
    assert own._idle[0] is not interpreter
    own.close()


def test_a_program_that_is_killed_from_outside_is_run_again():
    own = LocalSandbox(SandboxSettings(num_slots=1))
    own.layers()
    killed = []

    def kill():
        for _ in range(500):
            for pid in descendants(own._idle[0]._process.pid if own._idle else own_pids[0]):
                if pid not in own_pids:
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
                    return
            time.sleep(0.002)

    own_pids = [own._idle[0]._process.pid, *descendants(own._idle[0]._process.pid)]
    thread = threading.Thread(target=kill)
    thread.start()
    result = own.run_script("import time\nwhile time.process_time() < 0.5: pass\nprint('done')", b"", LIMITS)
    thread.join()
    assert killed
    assert (result.status, result.stdout) == (Status.FINISHED, b"done\n")
    own.close()


def descendants(pid):
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            child = int(path.parent.name)
            found += [child, *descendants(child)]
    return found


def test_everything_ends_with_the_caller(tmp_path, monkeypatch):
    """Also where the caller is killed while a program runs, that has written a file."""
    source = (
        "from verl_sdpo import sandbox\nimport threading, sys\n"
        "sandbox.sandbox_for(sandbox.SandboxSettings()).layers()\n"
        "threading.Timer(0.5, lambda: print('ready', flush=True)).start()\n"
        "program = 'import time\\nopen(\\'a\\', \\'w\\').write(\\'b\\')\\nwhile True: time.sleep(0.01)'\n"
        "sandbox.run(program, '', sandbox.Limits(60, 60, 60))\n"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    caller = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, cwd=ROOT, env=environment)
    assert caller.stdout.readline() == b"ready\n"
    children = descendants(caller.pid)
    assert len(children) >= 2
    caller.kill()
    caller.wait()
    caller.stdout.close()
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []
    # No file of the program's is left; the folder that they were in goes with the next interpreter's start.
    [folder] = tmp_path.iterdir()
    assert list(folder.iterdir()) == []
    os.utime(folder, (0, 0))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first, second = ScratchFolder(), ScratchFolder()
    assert {str(path) for path in tmp_path.iterdir()} == {first.path, second.path}
    first.remove()
    second.remove()
    assert list(tmp_path.iterdir()) == []


def test_folders_that_are_in_use_or_somebody_elses_stay(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    used = ScratchFolder()
    others = [tmp_path / name for name in ("verl_sdpo_sandbox_new", "other_folder")]
    for path in others:
        path.mkdir()
    target = tmp_path / "target"
    target.mkdir()
    (tmp_path / "verl_sdpo_sandbox_link").symlink_to(target)
    for path in (used.path, others[1]):
        os.utime(path, (0, 0))
    ScratchFolder().remove()
    assert {path.name for path in tmp_path.iterdir()} == {
        Path(used.path).name,
        "verl_sdpo_sandbox_new",
        "other_folder",
        "target",
        "verl_sdpo_sandbox_link",
    }
    used.remove()


def test_many_runs_leave_no_process_file_or_descriptor(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    own = LocalSandbox(SandboxSettings(num_slots=2))
    own.layers()
    before = (len(os.listdir("/proc/self/fd")), len(descendants(os.getpid())))
    sources = ["print(1)", "1/0", "def", "import os\nos._exit(1)", "open('a', 'w').write('b')"]
    for index in range(300):
        own.run_script(f"{sources[index % len(sources)]}\n# {index}", b"1", LIMITS)
    assert (len(os.listdir("/proc/self/fd")), len(descendants(os.getpid()))) == before
    own.close()
    assert os.listdir(tmp_path) == []


def test_a_fork_of_the_caller_has_interpreters_of_its_own():
    own = LocalSandbox(SandboxSettings(num_slots=1))
    assert own.run_script("print(1)", b"", LIMITS).stdout == b"1\n"
    pid = os.fork()
    if not pid:
        ok = own.run_script("print(2)", b"", LIMITS).stdout == b"2\n"
        own.close()
        os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert own.run_script("print(3)", b"", LIMITS).stdout == b"3\n"
    own.close()


def test_repeated_runs_are_answered_from_memory():
    source = f"import time\nprint(time.time_ns())  # {time.time_ns()}"
    assert run(source).stdout == run(source).stdout
    assert run(source).stdout != run(source, "x").stdout


def test_a_missing_layer_is_a_refusal_with_the_ways_out():
    from verl_sdpo.sandbox.layers import Layers, check_layers

    bare = Layers(namespaces=False, landlock=0, user=None, namespaces_error="unshare: Operation not permitted")
    with pytest.raises(SandboxRefused) as caught:
        check_layers(bare, ("filesystem",))
    told = str(caught.value)
    for part in ("'filesystem'", "unshare: Operation not permitted", "any file", "sandbox_fusion", "'required'"):
        assert part in told
    check_layers(bare, ())
    check_layers(Layers(namespaces=False, landlock=3, user=None), ("filesystem",))


def test_the_doctor_finds_this_machine_sound():
    done = subprocess.run(
        [sys.executable, "-m", "verl_sdpo.sandbox", "doctor"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "in force: system-call filter" in done.stdout
    assert "FAILED" not in done.stdout


def test_a_later_interpreter_with_fewer_layers_runs_nothing(monkeypatch):
    own = LocalSandbox(SandboxSettings(num_slots=1))
    layers = own.layers()
    own.close()
    monkeypatch.setattr(own, "_use_namespaces", False)
    if not layers.namespaces:
        pytest.skip("there are no namespaces here that could be missing later")
    result = own.run_script("print(1)", b"", LIMITS)
    assert (result.status, result.stdout) == (Status.SANDBOX_ERROR, b"")
    assert "only these layers" in result.reason


@pytest.mark.parametrize("which", range(4))
def test_whatever_waits_may_be_killed_and_no_program_gets_anothers_orders(which):
    """Killed one after the other while idle: the interpreter, its world's first process, the template, the spare."""
    own = LocalSandbox(SandboxSettings(num_slots=1))
    assert own.run_script("print(0)", b"", LIMITS).stdout == b"0\n"
    idle = [own._idle[0]._process.pid, *descendants(own._idle[0]._process.pid)]
    assert len(idle) >= 3
    os.kill(idle[which % len(idle)], signal.SIGKILL)
    time.sleep(0.1)
    for number in range(1, 6):
        result = own.run_script(f"print({number})", b"", LIMITS)
        assert (result.status, result.stdout) == (Status.FINISHED, b"%d\n" % number)
    own.close()


def test_addresses_are_the_same_whatever_was_run_before():
    own = LocalSandbox(SandboxSettings(num_slots=1))
    source = "import threading\nprint(id([]), id('a b'), hash(object()), threading.get_ident())"
    told = set()
    for number in range(6):
        own.run_script(f"x = list(range({number} * 1000))\nprint(x)", b"1" * number, LIMITS)
        told.add(own.run_script(source, b"", Limits(cpu_seconds=5 + number)).stdout)
    own.close()
    assert len(told) == 1
