# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""From a model's attempts to hints to the prompt that `sft_on_teacher` asks; and the steps of its script before."""

import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf

from data_preprocess import add_context
from data_preprocess.schema import chat_prompt, make_row
from data_preprocess.writer import write_parquet
from recipe.livecodebench.hints import main
from tests.recipe.commands import composed, printed, script, value_of
from verl_sdpo.algorithm.reprompt import plan_before_generation, plan_reprompts
from verl_sdpo.algorithm.reprompt_config import RepromptConfig
from verl_sdpo.evaluate.attempt import Attempt
from verl_sdpo.evaluate.questions import fingerprint
from verl_sdpo.evaluate.write import write_files

RUN = ("recipe/livecodebench/run.sh", "sft_on_teacher")
SDPO = "actor_rollout_ref.actor.self_distillation"
# Score (None: no verdict), response, feedback; of each question two.
SOLVED = [(0.0, "wrong", "F0"), (1.0, "<think>so</think>\n\nright", "")]
SOLVED_TWICE = [(0.5, "half", "F1"), (1.0, "whole", "")]
FAILED = [(0.0, "bad", "F2"), (0.25, "worse", "F3")]
FAILED_SILENTLY = [(0.0, "bad", ""), (0.0, "bad", "F4")]
NEITHER = [(0.0, "bad", " \n"), (0.0, "bad", "")]
NO_VERDICT = [(None, "lost", "the sandbox is gone"), (None, "lost", "the sandbox is gone")]
HALF_LOST = [(None, "lost", "the sandbox is gone"), (0.0, "bad", "F5")]
ONLY_THOUGHT = [(1.0, "<think>so</think>", "passed"), (0.0, "bad", "F6")]
QUESTIONS = [SOLVED, SOLVED_TWICE, FAILED, FAILED_SILENTLY, NEITHER, NO_VERDICT, HALF_LOST, ONLY_THOUGHT]
SOLUTION = "\nCorrect solution:\n\n"
FEEDBACK = "\nThe following is feedback from your unsuccessful earlier attempt:\n\n"


def row(index, split="train", **changes):
    fields = {"data_source": "livecodebench", "prompt": chat_prompt(f"Question {index}?"), "ground_truth": "{}"}
    fields |= {"ability": "code", "split": split, "index": index, "source_id": f"q{index}"}
    return make_row(**(fields | changes))


def attempts_of(questions, file):
    return [
        Attempt(
            question=number,
            attempt=place,
            file=file,
            row=number,
            data_source="livecodebench",
            response=response,
            num_tokens=3,
            truncated=False,
            no_verdict="sandbox_error" if score is None else None,
            score=score,
            acc=score,
            feedback=feedback,
        )
        for number, group in enumerate(questions)
        for place, (score, response, feedback) in enumerate(group)
    ]


def evaluated(folder, questions=QUESTIONS, shuffled=False):
    """Data, and what the evaluation writes of them."""
    data = folder / "train.parquet"
    write_parquet([row(index) for index in range(len(QUESTIONS))], data)
    attempts = attempts_of(questions, str(data))
    results = folder / "attempts"
    results.mkdir()
    write_files(results, {"data": {"files": {str(data): fingerprint(str(data))}}}, attempts[:: -1 if shuffled else 1])
    return data, results


def run(data, responses, output):
    return main(["--responses", str(responses), "--data", str(data), "--output", str(output)])


def hints_in(path):
    return {each["source_id"]: each["hint"] for each in map(json.loads, path.read_text("utf-8").splitlines())}


def test_a_question_gets_its_first_success_or_else_the_first_feedback(tmp_path, capsys):
    data, responses = evaluated(tmp_path)
    output = tmp_path / "new" / "hints.jsonl"
    assert run(data, responses, output) == 0
    assert hints_in(output) == {
        "q0": f"{SOLUTION}right",
        "q1": f"{SOLUTION}half",
        "q2": f"{FEEDBACK}F2",
        "q3": f"{FEEDBACK}F4",
        "q6": f"{FEEDBACK}F5",
        "q7": f"{FEEDBACK}F6",
    }
    assert [path.name for path in output.parent.iterdir()] == ["hints.jsonl"]
    told = capsys.readouterr().out
    assert "of 8 questions 2 with a solution, 4 with feedback, 2 without either, 0 not asked; 3 responses" in told


def test_the_only_success_of_a_question_is_shown_where_nothing_else_has_a_verdict(tmp_path):
    data, responses = evaluated(tmp_path, [[(None, "lost", "gone"), (1.0, "right", "passed")]])
    assert run(data, responses / "responses.parquet", tmp_path / "hints.jsonl") == 0
    assert hints_in(tmp_path / "hints.jsonl") == {"q0": f"{SOLUTION}right"}


def test_the_order_of_the_responses_and_the_files_place_change_nothing(tmp_path):
    made = []
    for name, shuffled in (("a", False), ("b", True)):
        (tmp_path / name).mkdir()
        data, responses = evaluated(tmp_path / name, shuffled=shuffled)
        moved = data.rename(tmp_path / name / "moved.parquet")
        assert run(moved, responses, tmp_path / name / "hints.jsonl") == 0
        made.append((tmp_path / name / "hints.jsonl").read_bytes())
    assert made[0] == made[1]


def test_questions_that_were_not_asked_are_counted_apart(tmp_path, capsys):
    data, responses = evaluated(tmp_path, [SOLVED, NEITHER])
    assert run(data, responses, tmp_path / "hints.jsonl") == 0
    assert "1 with a solution, 0 with feedback, 1 without either, 6 not asked" in capsys.readouterr().out


def test_the_run_asks_what_sdpos_teacher_reads_after_a_failure(compose, tmp_path):
    """Through add_context and the options of the script's own command."""
    data, responses = evaluated(tmp_path)
    hints = tmp_path / "hints.jsonl"
    assert run(data, responses, hints) == 0
    arguments = ["--input", str(data), "--output", str(tmp_path / "with"), "--from-column", "hint"]
    assert add_context.main([*arguments, "--joined", str(hints)]) == 0
    words = printed(RUN, tmp_path)
    overrides = [word for word in words[5:] if not word.startswith("hydra.")]
    options = OmegaConf.select(composed(compose(words[4]), overrides), SDPO)
    known = RepromptConfig.__dataclass_fields__
    config = RepromptConfig(**{key: value for key, value in options.items() if key in known})
    asked = [
        plan_before_generation(each, config).render()
        for each in pq.read_table(tmp_path / "with" / "train.parquet").to_pylist()
    ]
    last = "\n\nCorrectly solve the original question."
    assert asked[0] == chat_prompt(f"Question 0?{SOLUTION}right{last}")
    assert asked[2] == chat_prompt(f"Question 2?{FEEDBACK}F2{last}")
    assert asked[4] == chat_prompt("Question 4?")
    # What the default options show after the first attempt, which in these has failed.
    for number in (0, 2):
        group = [
            {"uid": "u", "prompt": chat_prompt(f"Question {number}?"), "response": said, "score": score, "feedback": of}
            for score, said, of in QUESTIONS[number]
        ]
        assert asked[number] == plan_reprompts(group, RepromptConfig())[0].render()


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda data, responses, output: output.write_text("mine", encoding="utf-8"), "exists: remove it"),
        (lambda data, responses, output: drop_column(responses, "feedback"), "has no column feedback"),
        (lambda data, responses, output: (responses / "results.json").unlink(), "not there, or not whole"),
        (lambda data, responses, output: (responses / "results.json").write_text("[1"), "not there, or not whole"),
        (lambda data, responses, output: (responses / "responses.parquet").unlink(), "no such file"),
        (lambda data, responses, output: (responses / "responses.parquet").write_text("x"), "not a readable parquet"),
        (lambda data, responses, output: data.unlink(), "no such file"),
        (lambda data, responses, output: write_parquet([row(0), row(9)], data), "other rows than were evaluated on"),
        (lambda data, responses, output: write_other_table(data), "not in the row schema"),
    ],
)
def test_what_does_not_work_is_one_line_and_nothing_is_written(tmp_path, capsys, spoil, expected):
    data, responses = evaluated(tmp_path)
    output = tmp_path / "hints.jsonl"
    spoil(data, responses, output)
    before = sorted(tmp_path.rglob("*"))
    assert run(data, responses, output) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert expected in line
    assert sorted(tmp_path.rglob("*")) == before


def test_without_any_hint_nothing_is_written_and_the_reason_told(tmp_path, capsys):
    data, responses = evaluated(tmp_path, [NEITHER, NO_VERDICT])
    assert run(data, responses, tmp_path / "hints.jsonl") == 2
    assert "no question gets a hint: of 8 questions 0 with a solution" in capsys.readouterr().err
    assert not (tmp_path / "hints.jsonl").exists()


def test_a_row_that_nothing_can_be_joined_to_is_named(tmp_path, capsys):
    data = tmp_path / "train.parquet"
    write_parquet([row(0, source_id=None)], data)
    write_files(tmp_path, {"data": {"files": {"x": fingerprint(str(data))}}}, attempts_of([SOLVED], "x"))
    assert run(data, tmp_path, tmp_path / "hints.jsonl") == 2
    assert "row 0 has no source_id" in capsys.readouterr().err


def drop_column(responses, name):
    path = responses / "responses.parquet"
    pq.write_table(pq.read_table(path).drop_columns(name), path)


def write_other_table(data):
    pq.write_table(pq.read_table(data).drop_columns("prompt"), data)


# The script

# Notes what it is called with, and leaves what each step is known by.
STAND_IN = """#!{python}
import pathlib, sys
log = pathlib.Path({log!r})
with log.open("a", encoding="utf-8") as file:
    file.write(" ".join(sys.argv[2:]) + "\\n")
words = sys.argv[2:]
def made(name):
    path = pathlib.Path(words[words.index("--output") + 1], name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
fails = pathlib.Path({log!r} + ".fails")
if fails.exists() and fails.read_text("utf-8") == words[0]:
    sys.exit(1)
leaves = {{
    "data_preprocess.livecodebench": "train.parquet",
    "verl_sdpo.evaluate": "results.json",
    "recipe.livecodebench.hints": "",
    "data_preprocess.add_context": "train.parquet",
    "recipe.tiny_model": "config.json",
}}
if words[0] in leaves:
    made(leaves[words[0]])
"""


class Steps:
    """The script with a stand-in for Python."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log, self.python = folder, folder / "log", folder / "python"
        self.python.write_text(STAND_IN.format(python=sys.executable, log=str(self.log)), encoding="utf-8")
        self.python.chmod(0o755)

    def __call__(self, fails="", **variables):
        self.log.unlink(missing_ok=True)
        Path(f"{self.log}.fails").write_text(fails, encoding="utf-8")
        self.told = script(RUN, self.folder, PYTHON=str(self.python), **variables)
        lines = self.log.read_text("utf-8").splitlines() if self.log.exists() else []
        self.words = {line.split()[0]: line.split() for line in lines}
        return [line.split()[0] for line in lines]


@pytest.fixture
def steps(tmp_path):
    return Steps(tmp_path)


DATA, EVALUATE, HINTS, CONTEXT, RECORD = (
    "data_preprocess.livecodebench",
    "verl_sdpo.evaluate",
    "recipe.livecodebench.hints",
    "data_preprocess.add_context",
    "recipe.run_record",
)


def test_attempts_hints_and_data_are_made_before_the_run_and_once(steps):
    assert steps(fails=EVALUATE) == [DATA, EVALUATE]
    assert steps.told.returncode == 1
    assert steps(fails=HINTS) == [EVALUATE, HINTS]
    assert steps(fails=CONTEXT) == [HINTS, CONTEXT]
    assert steps() == [CONTEXT, RECORD]
    assert steps() == [RECORD]
    # Another seed and another model make attempts of their own.
    assert steps(SEED="1") == [EVALUATE, HINTS, CONTEXT, RECORD]
    assert steps(MODEL="Qwen/Qwen3-4B") == [EVALUATE, HINTS, CONTEXT, RECORD]


def test_attempts_are_sampled_as_the_run_samples(steps):
    steps(SEED="3", TP="2")
    expected = {"--n": "8", "--temperature": "1.0", "--top-p": "1.0", "--max-response-length": "8192", "--seed": "3"}
    expected |= {"--apply-chat-template-kwargs": "enable_thinking=False", "--reward-name": "compute_score_async"}
    expected |= {"--tensor-parallel-size": "2", "--device": "cuda"}
    words = steps.words[EVALUATE]
    assert words[1] == "Qwen/Qwen3-8B"
    assert {name: words[words.index(name) + 1] for name in expected} == expected
    train = str(steps.folder / "data" / "lcb_v6" / "train.parquet")
    assert [words[words.index("--data") + 1] for words in (words, steps.words[HINTS])] == [train, train]
    # The run reads what add_context wrote, of the file that the hints are in.
    context, record = steps.words[CONTEXT], steps.words[RECORD]
    assert context[context.index("--joined") + 1] == steps.words[HINTS][-1]
    assert value_of(record, "data.train_files") == context[context.index("--output") + 1] + "/train.parquet"


def test_a_file_of_hints_is_taken_instead(steps):
    assert steps(HINTS="mine.jsonl", ENGINE="sglang") == [DATA, CONTEXT, RECORD]
    assert steps.words[CONTEXT][-1] == "mine.jsonl"


def test_attempts_are_vllms_and_another_engine_is_told_so(steps):
    assert steps(ENGINE="sglang") == [DATA]
    assert steps.told.returncode == 2
    assert "set HINTS to a file" in steps.told.stderr


def test_the_rollout_has_room_for_what_the_teacher_reads(compose, tmp_path):
    for variables, length in (({}, 10240), ({"SMOKE": "1"}, 3072)):
        words = printed(RUN, tmp_path, **variables)
        config = composed(compose(words[4]), [word for word in words[5:] if not word.startswith("hydra.")])
        assert config.actor_rollout_ref.rollout.prompt_length == length
        assert OmegaConf.select(config, f"{SDPO}.max_reprompt_len") == length
