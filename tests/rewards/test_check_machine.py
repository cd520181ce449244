# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A machine on which programs cannot be isolated is refused before anything is scored there."""

import concurrent.futures
import time

import pytest

from verl_sdpo.rewards import check_machine, code_answer, compute_score, score
from verl_sdpo.rewards.code_feedback import TestOutcome as Outcome
from verl_sdpo.rewards.code_truth import CodeTest, truth_text
from verl_sdpo.rewards.code_verdict import Verdict
from verl_sdpo.sandbox import ExecutionResult, Layers, SandboxRefused, Status, doctor

TRUTH = truth_text("stdin", [CodeTest("1 2", "3", is_public=True)], time_limit=2)
RIGHT = "```python\nprint(sum(map(int, input().split())))\n```"
LAYERS = Layers(namespaces=True, landlock=3, user=4711)
WANTED = {
    "adds numbers": ExecutionResult(Status.FINISHED, stdout=b"3\n"),
    "uses its directory": ExecutionResult(Status.FINISHED, stdout=b"5\n"),
    "imports what is not warm": ExecutionResult(Status.FINISHED, stdout=b"1\n"),
    "has no environment": ExecutionResult(Status.FINISHED, stdout=b"0\n"),
    "is ended when it loops": ExecutionResult(Status.TIME_LIMIT),
    "is ended when it sleeps": ExecutionResult(Status.TIME_LIMIT),
    "gets no more memory": ExecutionResult(Status.MEMORY_LIMIT),
    "writes no more output": ExecutionResult(Status.OUTPUT_LIMIT),
}
FAILS = ExecutionResult(Status.RUNTIME_ERROR, stderr=b"PermissionError: no\n")


class Machine:
    """A sandbox in which canaries come out as wanted, but for those of `faults`: a result for each time they run."""

    def __init__(self, **faults):
        self.faults = {name.replace("_", " "): list(results) for name, results in faults.items()}
        self.names = {canary.source: canary.name for canary in doctor.canaries(("numpy",))}
        self.runs, self.kept = 0, {}

    def layers(self):
        return LAYERS

    def run_script(self, source, _stdin, _limits):
        self.runs += 1
        # What was run before is kept, as the sandbox does it.
        if source in self.kept:
            return self.kept[source]
        self.kept[source] = self._come_out(self.names[source.rstrip("\n")])
        return self.kept[source]

    def _come_out(self, name):
        if self.faults.get(name):
            return self.faults[name].pop(0)
        return WANTED.get(name, FAILS)


READ = ExecutionResult(Status.FINISHED, stdout=b"root:x:0:0\n")


def test_a_sound_machine_is_told_its_layers():
    assert doctor.check_machine(Machine(), ("numpy",)) == LAYERS


def test_a_canary_that_fails_is_named_with_what_came_of_it_the_layers_and_where_to_look():
    machine = Machine(reads_no_file_of_the_machine=[READ, READ])
    with pytest.raises(SandboxRefused) as refused:
        doctor.check_machine(machine, ("numpy",))
    text = str(refused.value)
    assert "'reads no file of the machine'" in text
    assert "root:x:0:0" in text
    assert str(LAYERS) in text
    assert "python -m verl_sdpo.sandbox doctor" in text
    assert "adds numbers" not in text


def test_what_a_busy_machine_did_to_a_canary_is_tried_again_and_only_that():
    machine = Machine(adds_numbers=[ExecutionResult(Status.TIME_LIMIT)])
    assert doctor.check_machine(machine, ("numpy",)) == LAYERS
    assert machine.runs == len(machine.names) + 1


@pytest.fixture
def machine(monkeypatch):
    """`machine(...)`: what the reward of programs finds; nothing of this process is known yet."""

    def found(**faults):
        made = Machine(**faults)
        made.close = lambda: None
        monkeypatch.setattr(code_answer, "sandbox_for", lambda _settings: made)
        monkeypatch.setattr(code_answer, "_SOUND", {})
        return made

    return found


def test_only_rewards_that_need_something_of_the_machine_are_asked_and_each_once(machine):
    made = machine()
    assert check_machine(["gsm8k", "math/dapo", "none"], {}) == []
    assert made.runs == 0
    [line] = check_machine(["code/a", "code/b", "gsm8k"], {"dense_score": True, "reveal_answer": True})
    assert line == f"sandbox in force: {LAYERS}"
    assert made.runs == len(made.names)


def test_an_unsound_machine_scores_nothing(machine):
    machine(opens_no_socket=[READ] * 2)
    with pytest.raises(SandboxRefused, match="'opens no socket'"):
        check_machine(["code"], {})
    with pytest.raises(ValueError, match="'opens no socket'"):
        compute_score("code", RIGHT, TRUTH)
    assert not code_answer._SOUND


def test_a_process_tries_its_machine_once_whoever_asks_first(machine, monkeypatch):
    made, examine = machine(), doctor.examine
    monkeypatch.setattr(doctor, "examine", lambda *given: time.sleep(0.1) or examine(*given))
    passed = Outcome(Verdict.ACCEPTED, None, 0)
    monkeypatch.setattr(code_answer, "run_test", lambda *_: passed)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: compute_score("code", RIGHT, TRUTH), range(32)))
    assert {outcome["score"] for outcome in outcomes} == {1.0}
    assert made.runs == len(made.names)


def test_this_machine_is_asked_with_the_settings_of_the_run():
    assert "system-call filter" in check_machine(["code"], {"sandbox": {"num_slots": 1}})[0]
    with pytest.raises(ValueError, match="'telepathy'"):
        check_machine(["code"], {"sandbox": {"required": ["telepathy"]}})


@pytest.mark.parametrize("verdict", [Verdict.SANDBOX_ERROR, Verdict.BAD_TEST])
def test_why_there_is_no_verdict_is_logged(machine, monkeypatch, caplog, verdict):
    machine()
    monkeypatch.setattr(code_answer, "run_test", lambda *_: Outcome(verdict, None, 0, reason="the interpreter died"))
    assert compute_score("code", RIGHT, TRUTH)[str(verdict)] == 1.0
    [record] = [record for record in caplog.records if record.levelname == "WARNING"]
    assert record.getMessage() == f"no verdict on a program: {verdict}: the interpreter died"


def test_a_server_isolates_programs_in_its_own_way(machine, monkeypatch):
    made = machine()
    monkeypatch.setattr(made, "layers", lambda: LAYERS._replace(server="http://box"))
    assert check_machine(["code"], {}) == ["sandbox in force: programs run at http://box, which isolates them"]
    assert made.runs == 0


def test_the_hook_is_that_of_the_reward_of_programs_alone():
    has_hook = {name for name, reward in score._REWARDS.items() if reward.check_machine is not None}
    assert has_hook == {"code"}
