# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Programs inside of bubblewrap: its command, with a stand-in for it, and with bubblewrap where it is installed."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from verl_sdpo.sandbox import Limits, SandboxRefused, SandboxSettings, Status, sandbox_for
from verl_sdpo.sandbox.bubblewrap import BubblewrapSandbox, command, package_directories
from verl_sdpo.sandbox.doctor import examine
from verl_sdpo.sandbox.inside import INSIDE

SETTINGS = SandboxSettings("bubblewrap", num_slots=1)
LIMITS = Limits(cpu_seconds=1.0, idle_seconds=1.0, memory_mib=256)
# How many arguments each option of bwrap takes; of those that are used.
OPTIONS = {
    "--unshare-ipc": 0,
    "--unshare-pid": 0,
    "--unshare-net": 0,
    "--unshare-uts": 0,
    "--unshare-cgroup-try": 0,
    "--unshare-user": 0,
    "--cap-drop": 1,
    "--cap-add": 1,
    "--dir": 1,
    "--tmpfs": 1,
    "--proc": 1,
    "--chdir": 1,
    "--remount-ro": 1,
    "--symlink": 2,
    "--bind": 2,
    "--ro-bind": 2,
    "--ro-bind-try": 2,
    "--dev-bind-try": 2,
}
# Does not isolate: takes the options off and runs the rest, as its child, which is how bwrap does it.
STAND_IN = """#!/bin/sh
printf '%s\\n' "$@" > {log}
while [ "$1" != -- ]; do shift; done
shift
"$@"
"""


def steps_of(line):
    """The options with their arguments; those of the command that is started are left out."""
    steps, rest = [], list(line[1:])
    while rest[0] != "--":
        number = 1 + OPTIONS[rest[0]]
        steps.append(tuple(rest[:number]))
        rest = rest[number:]
    return steps


def install(folder, text, monkeypatch):
    path = folder / "bwrap"
    path.write_text(text)
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return path


@pytest.fixture
def closing():
    made = []
    yield made.append
    for sandbox in made:
        sandbox.close()


@pytest.mark.parametrize("is_superuser", [False, True])
def test_the_command_shares_nothing_and_keeps_the_control_socket(is_superuser):
    line = command("/usr/bin/bwrap", "/scratch/here", [], is_superuser=is_superuser)
    assert (line[0], line[-1]) == ("/usr/bin/bwrap", "--")
    names = [step[0] for step in steps_of(line)]
    assert {f"--unshare-{name}" for name in ("ipc", "pid", "net", "uts")} <= set(names)
    # Its ids would be one only, and programs of the superuser's are given another.
    assert ("--unshare-user" in names) == (not is_superuser)
    # Would end it with the thread that started it; would keep it from ending with its group.
    assert not {"--die-with-parent", "--new-session"} & set(names)


def test_the_superusers_privileges_are_those_that_the_interpreter_needs():
    steps = steps_of(command("bwrap", "/s", [], is_superuser=True))
    kept = {step[1] for step in steps if step[0] == "--cap-add"}
    assert ("--cap-drop", "ALL") in steps
    assert "CAP_SETUID" in kept
    assert not kept & {"CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_NET_ADMIN", "CAP_SYS_MODULE", "ALL"}
    assert not [step for step in steps_of(command("bwrap", "/s", [], is_superuser=False)) if "cap" in step[0]]


def test_only_the_temporary_directory_can_be_written_to():
    steps = steps_of(command("bwrap", "/scratch/here", ["/packages/numpy"], is_superuser=False))
    assert [step for step in steps if step[0] == "--bind"] == [("--bind", "/scratch/here", "/scratch/here")]
    assert {step[1] for step in steps if step[0].startswith("--dev")} <= {
        f"/dev/{name}" for name in ("null", "zero", "random", "urandom")
    }
    made = {step[1] for step in steps if step[0] == "--tmpfs"}
    closed = [step[1] for step in steps if step[0] == "--remount-ro"]
    assert made | {"/"} == set(closed)
    # Nothing is put into the tree once it is closed.
    assert {step[0] for step in steps[-len(closed) - 1 :]} == {"--remount-ro", "--chdir"}


def test_what_python_needs_is_there_and_what_is_installed_is_not():
    steps = steps_of(command("bwrap", "/s", ["/packages/numpy", "/packages/numpy.libs"], is_superuser=False))
    given = [Path(step[-1]) for step in steps if step[0] in ("--ro-bind", "--ro-bind-try")]
    library = Path(os.__file__).parent

    def is_in(path):
        return any(Path(path).is_relative_to(place) for place in given)

    assert is_in(library)
    assert is_in(INSIDE)
    assert is_in(os.path.realpath(sys.executable))
    assert is_in("/packages/numpy.libs")
    assert not is_in(Path(__file__))
    assert not is_in("/etc/passwd")
    assert not is_in(Path.home() / ".ssh")
    if (library / "site-packages").is_dir():
        order = [step[-1] for step in steps]
        assert ("--tmpfs", str(library / "site-packages")) in steps
        assert order.index(str(library.parent)) < order.index(str(library / "site-packages"))


def test_directories_of_packages_are_those_that_are_installed():
    numpy = pytest.importorskip("numpy")
    place = os.path.dirname(numpy.__file__)
    assert package_directories(("numpy", "no_such_package")) == [place, place + ".libs"]


def test_programs_run_behind_it(tmp_path, monkeypatch, closing):
    install(tmp_path, STAND_IN.format(log=tmp_path / "log"), monkeypatch)
    sandbox = BubblewrapSandbox(SETTINGS)
    closing(sandbox)
    assert sandbox.run_script("print(int(input()) + 1)", b"1\n", LIMITS).stdout == b"2\n"
    assert sandbox.run_call("def f(x): return x", "", "f", "[[1]]", LIMITS).result == b"[1]"
    assert sandbox.run_asserts("def f(): return 1", "", "f", "assert f() == 1", LIMITS)[1].status == Status.FINISHED
    line = (tmp_path / "log").read_text().splitlines()
    scratch = next(step[1] for step in steps_of(["bwrap", *line]) if step[0] == "--bind")
    assert os.path.isdir(scratch)
    started = line[line.index("--") + 1 :]
    assert (started[0], started[-1]) == (sys.executable, str(INSIDE / "zygote.py"))


def test_its_namespaces_are_told_and_no_others_are_made(tmp_path, monkeypatch, closing):
    install(tmp_path, STAND_IN.format(log=tmp_path / "log"), monkeypatch)
    sandbox = BubblewrapSandbox(SandboxSettings("bubblewrap", required=("namespaces",)))
    closing(sandbox)
    assert sandbox.layers().in_force() >= {"namespaces", "filesystem"}
    assert "namespaces by bubblewrap" in str(sandbox.layers())
    assert "by bubblewrap" not in str(sandbox_for(SandboxSettings()).layers())
    assert not sandbox._idle[0].layers["namespaces"]


def test_all_of_it_ends_when_it_is_closed(tmp_path, monkeypatch):
    install(tmp_path, STAND_IN.format(log=tmp_path / "log"), monkeypatch)
    sandbox = BubblewrapSandbox(SETTINGS)
    sandbox.layers()
    group = sandbox._idle[0]._process.pid
    assert len(processes_of(group)) == 2
    sandbox.close()
    deadline = time.monotonic() + 5
    while processes_of(group) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert processes_of(group) == []


def processes_of(group):
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            found.append(int(path.parent.name))
    return found


def test_without_it_programs_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxRefused, match="no bwrap on PATH. Install the package bubblewrap") as caught:
        BubblewrapSandbox(SETTINGS).run_script("print(1)", b"", LIMITS)
    assert "\n" not in str(caught.value)


def test_where_it_does_not_work_programs_are_refused(tmp_path, monkeypatch):
    told = "bwrap: No permissions to create new namespace"
    install(tmp_path, f"#!/bin/sh\necho '{told}' >&2\nexit 1\n", monkeypatch)
    with pytest.raises(SandboxRefused, match="bubblewrap does not work on this machine") as caught:
        BubblewrapSandbox(SETTINGS).run_script("print(1)", b"", LIMITS)
    assert told in str(caught.value)
    assert "backend=local" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_settings_choose_it():
    assert type(sandbox_for(SETTINGS)) is BubblewrapSandbox


def bubblewrap_works():
    done = subprocess.run(
        [
            "bwrap",
            "--unshare-user-try",
            "--unshare-pid",
            "--ro-bind",
            "/",
            "/",
            "--proc",
            "/proc",
            sys.executable,
            "-V",
        ],
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


@pytest.fixture(scope="module")
def real():
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap (bwrap) is not installed")
    if not bubblewrap_works():
        pytest.skip("bubblewrap makes no namespaces on this machine")
    sandbox = BubblewrapSandbox(SandboxSettings("bubblewrap", num_slots=2))
    yield sandbox
    sandbox.close()


def test_real_it_is_sound(real):
    findings = examine(real, ("numpy",))
    assert [finding for finding in findings if not finding.is_as_wanted] == []


def test_real_files_of_the_machine_are_not_in_the_tree(real):
    """Not refused but absent: the tree is another one, whatever the file rules say."""
    paths = ["/etc/passwd", __file__, "/home", str(Path(__file__).parents[2] / "pyproject.toml")]
    source = (
        f"import os\nfor path in {paths!r}:\n    try:\n        os.stat(path)\n    except OSError as e: print(e.errno)"
    )
    assert real.run_script(source, b"", LIMITS).stdout.split() == [b"2"] * len(paths)


def test_real_the_tree_holds_without_file_rules(monkeypatch):
    """As on a kernel that has no Landlock."""
    if shutil.which("bwrap") is None or not bubblewrap_works():
        pytest.skip("bubblewrap (bwrap) is not installed, or makes no namespaces on this machine")
    from verl_sdpo.sandbox import bubblewrap

    whole = bubblewrap.WarmInterpreter
    monkeypatch.setattr(bubblewrap, "WarmInterpreter", lambda *a, **k: whole(*a, **k, use_landlock=False))
    sandbox = BubblewrapSandbox(SETTINGS)
    try:
        assert (sandbox.layers().landlock, "filesystem" in sandbox.layers().in_force()) == (0, True)
        source = """
import os, sqlite3, numpy
places = ["/", "/tmp", "/dev", "/dev/shm", "/proc/self", os.path.dirname(os.__file__), os.path.dirname(numpy.__file__)]
for place in places + [f"{os.path.dirname(os.__file__)}/site-packages"]:
    try:
        open(f"{place}/verl_sdpo_mark", "w")
        print("wrote", place)
    except OSError:
        pass
open("mark", "w").write("x")
print(os.listdir("."))
"""
        result = sandbox.run_script(source, b"", LIMITS)
        assert (result.stdout, result.stderr) == (b"['mark']\n", b"")
        assert sandbox.run_script("import os\nprint(os.listdir('.'))", b"", LIMITS).stdout == b"[]\n"
    finally:
        sandbox.close()


def test_real_the_network_has_no_other_end(real):
    """Seen from within: only the loopback device, which is down."""
    real.layers()
    interpreter = real._idle[0]
    inner = [pid for pid in processes_of(interpreter._process.pid) if pid != interpreter._process.pid]
    assert inner
    for name in ("net", "pid", "mnt", "ipc", "uts"):
        ours = os.stat("/proc/self/ns/" + name).st_ino
        try:
            theirs = {os.stat(f"/proc/{pid}/ns/{name}").st_ino for pid in inner}
        except PermissionError:
            pytest.skip("only the superuser can look at the namespaces of others")
        assert ours not in theirs, name
