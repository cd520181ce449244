# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The command but for its engine: files that agree with each other, and faults that are told before it is loaded."""

import errno
import json
import os
from collections import Counter
from itertools import combinations
from pathlib import Path
from statistics import fmean

import pyarrow.parquet as pq
import pytest

from data_preprocess.writer import write_parquet
from recipe.tiny_model import build_tokenizer
from tests.evaluate.tiny_world import REWARD, FakeEngine, write_data, write_model, write_run
from tests.evaluate.tiny_world import rows as rows_of_data
from verl_sdpo.evaluate import generate, judge, unjudged
from verl_sdpo.evaluate.__main__ import main


@pytest.fixture
def engine(monkeypatch):
    """`engine(answers)`: what the engine will say; before that it must not be called."""
    # It would choose the platform of this whole process.
    monkeypatch.setattr(generate, "prepare_device", lambda *_: None)
    fake = FakeEngine([])
    monkeypatch.setattr(generate, "generate", fake)
    return fake


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model"))


def run(tmp_path, model, *arguments, data=None):
    data = data or [write_data(tmp_path / "data.parquet")]
    fixed = ["--data", *data, "--output", str(tmp_path / "out"), "--max-response-length", "64"]
    return main([model, *fixed, *arguments])


def written(tmp_path):
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    return results, pq.read_table(tmp_path / "out" / "responses.parquet").to_pylist()


def recount(rows, n, ks):
    """The numbers of a group of rows, counted another way: subsets written out, votes by hand."""
    questions = {}
    for row in rows:
        if row["no_verdict"] is None:
            questions.setdefault(row["question"], []).append(row)
    made = {f"avg@{n}": fmean(fmean(row["acc"] for row in group) for group in questions.values())}
    for k in ks:
        shares = [
            fmean(any(row["acc"] >= 1 for row in subset) for subset in combinations(group, k))
            for group in questions.values()
            if len(group) >= k
        ]
        made[f"pass@{k}"] = fmean(shares)
    majorities = []
    for group in questions.values():
        votes = Counter(row["answer"] for row in group if row["answer"] is not None).most_common()
        tied = [answer for answer, count in votes if count == votes[0][1]] or [None]
        majorities.append(fmean(fmean(r["acc"] for r in group if r["answer"] == answer) for answer in tied))
    made[f"maj@{n}"] = fmean(majorities)
    return made


ANSWERS = ["red", "fox", "é?", "reds", "a!", "bb", "ccc", "é", "", "x", "yy", "zzz", "one", "three", "öne", "thre"]


def test_the_results_agree_with_a_recount_of_the_responses(tmp_path, model, engine, capsys):
    engine.answers, engine.cut_off = ANSWERS, {3, 5}
    (tmp_path / "reward.py").write_text(REWARD)
    arguments = ["--n", "4", "--k", "1", "2", "3", "--reward", str(tmp_path / "reward.py"), "--seed", "5"]
    assert run(tmp_path, model, *arguments) == 0
    results, rows = written(tmp_path)
    assert [row["response"] for row in rows] == ANSWERS
    assert [(row["question"], row["attempt"]) for row in rows] == [(q, a) for q in range(4) for a in range(4)]
    assert [row["truncated"] for row in rows] == [place in {3, 5} for place in range(16)]
    # Bytes, and the end of turn unless cut off.
    assert [r["num_tokens"] for r in rows] == [len(r["response"].encode()) + (not r["truncated"]) for r in rows]
    assert [row["no_verdict"] for row in rows] == ["sandbox_error" if "!" in text else None for text in ANSWERS]
    assert rows[4]["score"] is rows[4]["acc"] is rows[4]["answer"] is None
    assert rows[3]["feedback"] == "4 characters, truncated True"
    told = results["data_sources"]
    assert set(told) == {"multiple_choice/e0", "multiple_choice/e1", "all"}
    for source, numbers in told.items():
        mine = [row for row in rows if source in ("all", row["data_source"])]
        expected = recount(mine, 4, (1, 2, 3))
        assert {name: numbers[name]["value"] for name in expected} == pytest.approx(expected, abs=1e-12)
        assert 0 <= numbers["avg@4"]["low"] <= numbers["avg@4"]["value"] <= numbers["avg@4"]["high"] <= 1
        assert numbers["response_length"]["mean"] == pytest.approx(fmean(row["num_tokens"] for row in mine))
        assert numbers["truncated_fraction"] == pytest.approx(fmean(row["truncated"] for row in mine))
        assert sum(numbers["without_verdict"].values()) == sum(row["no_verdict"] is not None for row in mine)
    said = capsys.readouterr().out
    assert f"{100 * told['all']['avg@4']['value']:.1f} [" in said
    [(made, prompts, sampling)] = engine.calls
    assert (made.model, made.device, made.max_model_len) == (model, "cuda", max(map(len, prompts)) + 64)
    assert results["sampling"] == {
        "n": 4,
        "temperature": 0.6,
        "top_p": 0.95,
        "max_response_length": 64,
        "seed": 5,
        "greedy": False,
        "apply_chat_template_kwargs": {},
    }
    mark = write_parquet(rows_of_data(), tmp_path / "same.parquet").fingerprint
    assert results["data"]["files"] == {str(tmp_path / "data.parquet"): mark}
    assert results["versions"]["verl"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["responses.parquet", "results.json"]


def test_a_checkpoint_brings_reward_and_template_of_its_run(tmp_path, engine):
    (tmp_path / "reward.py").write_text(REWARD)
    section = {"path": str(tmp_path / "reward.py"), "name": "compute_score", "reward_kwargs": {}}
    template = "{% for m in messages %}{{ m['content'] }}{% endfor %}{{ enable_thinking }} {{ depth }}"
    settings = {
        "data": {"apply_chat_template_kwargs": {"enable_thinking": False, "depth": 1}},
        "reward": {"custom_reward_function": section},
        "actor_rollout_ref": {"model": {"custom_chat_template": template}},
    }
    checkpoint = write_run(tmp_path / "run", settings)
    engine.answers = ["odd", "even"] * 2
    assert run(tmp_path, checkpoint, "--greedy", "--teacher", "--apply-chat-template-kwargs", "depth=2") == 0
    results, rows = written(tmp_path)
    assert [row["acc"] for row in rows] == [1.0, 0.0, 1.0, 0.0]
    assert results["sampling"]["apply_chat_template_kwargs"] == {"enable_thinking": False, "depth": 2}
    assert results["model"]["role"] == "teacher"
    [(made, prompts, _)] = engine.calls
    assert build_tokenizer().decode(prompts[0]) == "Question 0: which letter?False 2"
    # The model was put together for the engine, and is gone.
    assert made.model.startswith(str(tmp_path / "out"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["responses.parquet", "results.json"]


def test_answers_of_our_rewards_vote(tmp_path, model, engine):
    right, wrong = "<answer>{}</answer>".format, "<answer>D</answer>"
    engine.answers = [right("A"), right("A"), wrong, "x", right("B"), "y", wrong, "z"]
    assert run(tmp_path, model, "--n", "4", "--limit", "2") == 0
    results, _ = written(tmp_path)
    numbers = results["data_sources"]["all"]
    assert (numbers["questions"], numbers["avg@4"]["value"]) == (2, (2 / 4 + 1 / 4) / 2)
    # A has two votes of three; B and D one each.
    assert numbers["maj@4"]["value"] == (1 + 1 / 2) / 2


def test_where_the_reward_tells_no_answers_there_is_no_majority(tmp_path, model, engine, capsys):
    engine.answers = ["x"] * 4
    reward = tmp_path / "reward.py"
    reward.write_text("def mine(data_source, solution_str, ground_truth, extra_info=None):\n    return 0.0\n")
    assert run(tmp_path, model, "--greedy", "--reward", str(reward), "--reward-name", "mine") == 0
    results, rows = written(tmp_path)
    assert results["data_sources"]["all"]["maj@1"] is None
    assert {row["answer"] for row in rows} == {None}
    [header, _, first, *_] = capsys.readouterr().out.splitlines()
    place = header.index("maj@1")
    assert first[place : place + 6].strip() == "-"


def test_responses_of_which_none_has_a_verdict_are_written_and_are_a_fault(tmp_path, model, engine, capsys):
    engine.answers = ["!"] * 4
    (tmp_path / "reward.py").write_text(REWARD)
    assert run(tmp_path, model, "--greedy", "--reward", str(tmp_path / "reward.py")) == 1
    results, rows = written(tmp_path)
    assert results["data_sources"]["all"]["avg@1"]["value"] is None
    assert len(rows) == 4
    told = capsys.readouterr().err
    assert "no response has a verdict; the first one: 1 characters" in told
    assert "delete results.json and start again: the responses are judged anew" in told
    # With another reward, and without the engine.
    (tmp_path / "out" / "results.json").unlink()
    (tmp_path / "reward.py").write_text(REWARD.replace('count("!") == 1', 'count("?") == 1'))
    assert run(tmp_path, model, "--greedy", "--reward", str(tmp_path / "reward.py")) == 0
    assert len(engine.calls) == 1
    assert [row["acc"] for row in written(tmp_path)[1]] == [1.0] * 4
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["responses.parquet", "results.json"]


@pytest.fixture
def interrupted(tmp_path, model, engine, monkeypatch, capsys):
    """An evaluation that was ended while it judged; returns its arguments, without the reward."""
    engine.answers, engine.cut_off = ANSWERS, {3}

    def ended(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(judge, "judge", ended)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, model, "--n", "4", "--seed", "5")
    assert len(engine.calls) == 1
    capsys.readouterr()
    return ["--n", "4", "--seed", "5"]


def test_responses_are_on_the_disk_before_they_are_judged_and_are_not_made_twice(
    tmp_path, model, engine, interrupted, capsys
):
    [left] = (tmp_path / "out").iterdir()
    assert left.name == "responses_unjudged.parquet"
    rows = pq.read_table(left).to_pylist()
    assert [row["response"] for row in rows] == ANSWERS
    assert set(rows[0]) == {"question", "attempt", "file", "row", "data_source", "response", "num_tokens", "truncated"}
    # With a reward that is mended now, say.
    (tmp_path / "reward.py").write_text(REWARD)
    mended = [*interrupted, "--reward", str(tmp_path / "reward.py")]
    assert run(tmp_path, model, *mended) == 0
    assert len(engine.calls) == 1
    assert f"16 responses of an earlier start are judged: {left}" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["responses.parquet", "results.json"]
    # As if nothing had happened.
    data = [str(tmp_path / "data.parquet")]
    assert run(tmp_path, model, *mended, "--output", str(tmp_path / "at_once"), data=data) == 0
    assert len(engine.calls) == 2
    files = [(tmp_path / folder / "results.json").read_text() for folder in ("out", "at_once")]
    assert files[0] == files[1]
    tables = [pq.read_table(tmp_path / folder / "responses.parquet") for folder in ("out", "at_once")]
    assert tables[0].equals(tables[1])


def test_responses_to_something_else_are_neither_judged_nor_lost(tmp_path, model, engine, interrupted, capsys):
    other_data, other_model = write_data(tmp_path / "other.parquet", "AB"), write_model(tmp_path / "other", seed=2)
    capsys.readouterr()
    for asked, arguments, data, differs in (
        (model, ["--n", "4", "--seed", "6"], None, "sampling"),
        (model, interrupted, [other_data], "prompts"),
        (other_model, interrupted, None, "model, model_files"),
    ):
        assert run(tmp_path, asked, *arguments, data=data) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert line.startswith(f"evaluate error: --output={tmp_path / 'out'} has responses_unjudged.parquet of another")
        assert f"({differs}): delete it, or name another folder" in line
    # The same path, another model.
    touched = Path(model, "config.json")
    os.utime(touched, ns=(1, 1))
    assert run(tmp_path, model, *interrupted) == 2
    assert "(model_files): delete it" in capsys.readouterr().err
    [left] = (tmp_path / "out").iterdir()
    left.write_bytes(b"PAR1")
    assert run(tmp_path, model, *interrupted) == 2
    assert "responses_unjudged.parquet cannot be read" in capsys.readouterr().err
    assert len(engine.calls) == 1


@pytest.mark.parametrize("place", [".", "evaluation"])
def test_results_in_the_models_own_folder_change_no_model(tmp_path, model, engine, monkeypatch, place):
    engine.answers = ["x"] * 4
    output = ["--output", str(Path(model, place))]

    def ended(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(judge, "judge", ended)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, model, "--greedy", *output)
    data = [str(tmp_path / "data.parquet")]
    assert run(tmp_path, model, "--greedy", *output, data=data) == 0
    assert len(engine.calls) == 1


def test_where_responses_cannot_be_written_first_they_are_judged_all_the_same(
    tmp_path, model, engine, monkeypatch, capsys
):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(unjudged, "write_table", full)
    engine.answers = ["x"] * 4
    assert run(tmp_path, model, "--greedy") == 0
    assert "responses_unjudged.parquet is not written (No space left on device)" in capsys.readouterr().err
    assert len(written(tmp_path)[1]) == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--n", "0"], "--n=0 must be"),
        (["--teacher"], "--teacher needs a checkpoint"),
        (["--reward", "/nowhere.py"], "--reward='/nowhere.py' cannot be loaded"),
        (["--reward-kwargs", "revel=1"], "--reward-kwargs: reward options ['revel']"),
        (["--max-response-length", "9000"], "--max-response-length=9000 and the longest prompt"),
        (["--output", "/proc/nothing/out"], "--output=/proc/nothing/out cannot be written to"),
    ],
)
def test_a_fault_is_one_line_before_the_engine_is_loaded(tmp_path, model, engine, capsys, arguments, said):
    assert run(tmp_path, model, *arguments) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"evaluate error: {said}")
    assert engine.calls == []
    assert not (tmp_path / "out" / "results.json").exists()


def test_a_run_without_a_reward_function_has_to_be_told_one(tmp_path, engine, capsys):
    checkpoint = write_run(tmp_path / "run", {"reward": {"custom_reward_function": {"path": None, "name": "x"}}})
    assert run(tmp_path, checkpoint, "--greedy") == 2
    assert "--reward is not given, and the run of MODEL=" in capsys.readouterr().err
    engine.answers = ["x"] * 4
    assert run(tmp_path, checkpoint, "--greedy", "--reward", "pkg://verl_sdpo.rewards") == 0


def test_a_machine_without_enough_gpus_is_told_so(tmp_path, model, capsys):
    assert run(tmp_path, model, "--tensor-parallel-size", "64") == 2
    assert "--device=cuda and --tensor-parallel-size=64, but this machine has" in capsys.readouterr().err


def test_no_two_responses_share_a_seed():
    seeds = {
        generate.first_seed(seed, question, 16) + attempt
        for seed in (0, 1, 7)
        for question in range(50)
        for attempt in range(16)
    }
    assert len(seeds) == 3 * 50 * 16
    assert max(seeds) < 2**63
    assert generate.first_seed((1 << 20) - 1, 10**6, 10**3) < 2**63
