# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Rows of files, faults in them, and prompts that are those of training."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recipe.tiny_model import build_tokenizer
from tests.evaluate.tiny_world import rows, write_data, write_model
from verl_sdpo.evaluate.fault import EvaluateError
from verl_sdpo.evaluate.questions import Prompts, checked_length, read


def test_rows_are_numbered_through_and_know_their_file(tmp_path):
    files = [write_data(tmp_path / "one.parquet", "ABC"), write_data(tmp_path / "two.parquet", "DA")]
    found = read(files, None)
    assert [(q.number, q.file, q.row, q.ground_truth) for q in found] == [
        (0, files[0], 0, "A"),
        (1, files[0], 1, "B"),
        (2, files[0], 2, "C"),
        (3, files[1], 0, "D"),
        (4, files[1], 1, "A"),
    ]
    assert found[1].data_source == "multiple_choice/e1"
    assert found[1].extra_info["index"] == 1
    assert [(q.number, q.row) for q in read(files, 1)] == [(0, 0), (1, 0)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: [{k: v for k, v in row.items() if k != "prompt"} for row in rows], "has no column prompt: make"),
        (
            lambda rows: [{**row, "reward_model": {"style": "rule"}} for row in rows],
            "row 0: reward_model has no ground",
        ),
        (lambda rows: [rows[0], {**rows[1], "prompt": []}], "row 1: prompt has no message: correct the row"),
        (lambda rows: [rows[0], {**rows[1], "prompt": None}], "row 1: prompt is NoneType, not a list"),
    ],
)
def test_a_file_with_a_fault_is_refused_with_its_place(tmp_path, change, said):
    path = tmp_path / "data.parquet"
    pq.write_table(pa.Table.from_pylist(change(rows())), path)
    with pytest.raises(EvaluateError) as caught:
        read([str(path)], None)
    assert str(caught.value).startswith(f"--data={path}")
    assert said in str(caught.value)


def test_files_that_cannot_be_read_are_refused(tmp_path):
    (tmp_path / "text.parquet").write_text("no parquet")
    pq.write_table(pa.Table.from_pylist(rows()).slice(0, 0), tmp_path / "empty.parquet")
    for name, said in {"nowhere": "cannot be read", "text": "cannot be read", "empty": "has no rows"}.items():
        with pytest.raises(EvaluateError, match=said):
            read([str(tmp_path / f"{name}.parquet")], None)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model"))


THINKING = (
    "{% for m in messages %}[{{ m['content'] }}]{% endfor %}"
    "{% if enable_thinking is defined and not enable_thinking %}<no thinking>{% endif %}"
)


def test_a_prompt_is_what_the_tokenizers_template_makes_of_it(tmp_path, model):
    questions = read([write_data(tmp_path / "data.parquet")], None)
    tokenizer = build_tokenizer()
    expected = [
        tokenizer.apply_chat_template(q.prompt, add_generation_prompt=True, tokenize=True, return_dict=False)
        for q in questions
    ]
    assert Prompts(model, None, {}).token_ids(questions) == expected


@pytest.mark.parametrize(
    ("arguments", "ending"), [({}, ""), ({"enable_thinking": True}, ""), ({"enable_thinking": False}, "<no thinking>")]
)
def test_arguments_and_template_of_the_run_are_those_of_the_prompt(tmp_path, model, arguments, ending):
    prompts = Prompts(model, THINKING, arguments)
    [first, *_] = prompts.token_ids(read([write_data(tmp_path / "data.parquet")], None))
    assert prompts.tokenizer.decode(first) == f"[Question 0: which letter?]{ending}"


def test_a_response_is_read_without_special_tokens(model):
    prompts = Prompts(model, None, {})
    assert prompts.text([*prompts.tokenizer.encode("red fox"), prompts.tokenizer.eos_token_id]) == "red fox"


def test_a_template_that_refuses_a_prompt_and_a_model_without_one_are_faults(tmp_path, model):
    questions = read([write_data(tmp_path / "data.parquet")], None)
    with pytest.raises(EvaluateError, match="row 0: the chat template refuses its prompt: no such chat"):
        Prompts(model, "{{ raise_exception('no such chat') }}", {}).token_ids(questions)
    with pytest.raises(EvaluateError, match="has no tokenizer or configuration that loads"):
        Prompts(str(tmp_path), None, {})


def test_a_response_that_the_model_has_no_room_for_is_refused():
    assert checked_length([[1] * 5, [1] * 7], 3, 10) == 10
    assert checked_length([[1] * 7], 100, None) == 107
    with pytest.raises(EvaluateError, match=r"--max-response-length=4 .* 10 positions .*: set it to at most 3$"):
        checked_length([[1] * 5, [1] * 7], 4, 10)
    with pytest.raises(EvaluateError, match=r"prompt, 11 tokens, .*: leave that question out$"):
        checked_length([[1] * 11], 1, 10)
