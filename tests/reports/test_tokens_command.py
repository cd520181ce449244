# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""`python -m verl_sdpo.reports.tokens` on a run's folder: which weights, which numbers, what is said without them."""

import dataclasses
import gzip
import shutil

import pytest
import torch
from transformers import AutoModelForCausalLM

from recipe.tiny_model import build_model, build_tokenizer
from tests.checkpoint.small_run import manifest
from tests.checkpoint.test_export import save
from tests.reports.page_reader import elements, read_page
from tests.reports.small_step import HOSTILE, write_base, write_checkpoint, write_diverged, write_step
from verl_sdpo.checkpoint.store import CheckpointStore
from verl_sdpo.reports.token_records import read_record, spread
from verl_sdpo.reports.tokens import main
from verl_sdpo.reports.tokens import page_of as page_of_record
from verl_sdpo.watch.token_recorder import TokenRecorder

TEXTS = ["One answer.", HOSTILE, "No target.", "Ask<tool>Answer"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return write_base(tmp_path_factory.mktemp("base"))


def page_of(run, step, tmp_path, *options):
    output = tmp_path / "page.html"
    assert main([str(run), str(step), "--output", str(output), *options]) == 0
    return output.read_text(encoding="utf-8")


def log_probs(model, prompt, response, temperature=0.8):
    with torch.no_grad():
        logits = model.double()(torch.tensor([prompt + response])).logits[0, len(prompt) - 1 : -1] / temperature
    return logits.log_softmax(-1).gather(-1, torch.tensor(response)[:, None]).squeeze(-1)


def prompts(number):
    encode = build_tokenizer().encode
    question = encode("<|im_start|>user\nQ?<|im_end|>\n<|im_start|>assistant\n")
    return question, [*question[:5], *encode(f"feedback {number}: "), *question[5:]]


def check_numbers(html, student, teacher):
    _, index, _, details = read_page(html)
    for number, (entry, detail) in enumerate(zip(index, details, strict=True)):
        if not entry["target"]:
            assert "student" not in detail
            continue
        own, shown = prompts(number)
        expected = log_probs(student, own, detail["ids"])
        assert [-x / 1000 for x in detail["student"]] == pytest.approx(expected.tolist(), abs=6e-4)
        expected = log_probs(teacher, shown, detail["ids"])
        assert [-x / 1000 for x in detail["teacher"]] == pytest.approx(expected.tolist(), abs=6e-4)


def test_the_first_step_is_shown_with_the_base_model(base, tmp_path, capsys):
    write_step(tmp_path / "checkpoints", base, 1, TEXTS, TokenRecorder)
    html = page_of(tmp_path, 1, tmp_path)
    facts, index, vocabulary, details = read_page(html)
    model = AutoModelForCausalLM.from_pretrained(base)
    check_numbers(html, model, model)
    assert facts["title"] == "Step 1 of tiny"
    assert facts["about"][0] == f"The student has the weights that step 1 began with: the base model {base}."
    assert "generalised Jensen-Shannon, alpha 0.5, over the student's 20 most probable ids" in facts["about"][2]
    assert "4 of the step's 4 responses; over their counted tokens the mean divergence is" in facts["about"][3]
    assert [entry["success"] for entry in index] == [False, True, False, True]
    assert [entry["target"] for entry in index] == [True, True, False, True]
    assert index[2]["divergence"] is None
    assert details[3]["counts"] == [int(not 2 <= place < 5) for place in range(len("Ask<tool>Answer"))]
    assert index[3]["counted"] == len("Ask<tool>Answer") - 3
    assert {len(each) for each in details[0]["student_top"]} == {2 * 5}
    assert {str(each[place]) for each in details[0]["student_top"] for place in range(0, 10, 2)} <= vocabulary.keys()
    assert "4 of 4 responses" in capsys.readouterr().err


def test_numbers_that_are_not_finite_are_null_and_said(tmp_path):
    write_step(tmp_path, write_diverged(tmp_path / "base", 5), 1, TEXTS)
    facts, index, _, details = read_page(page_of(tmp_path, 1, tmp_path))
    assert [(entry["divergence"], entry["widest"]) for entry in index] == [(None, None)] * 4
    assert [entry["finite"] for entry in index] == [False, False, True, False]
    for number in (0, 1, 3):
        detail = details[number]
        assert set(detail["student"] + detail["teacher"] + detail["divergence"]) == {None}
        for pairs in detail["student_top"] + detail["teacher_top"]:
            assert None not in pairs[::2]
            assert set(pairs[1::2]) == {None}
    assert facts["about"][3] == (
        "4 of the step's 4 responses; 3 of them have numbers that are not finite, as of a model that has diverged, and "
        "so has their mean divergence."
    )


def test_a_score_that_is_not_finite_is_null(base, tmp_path):
    write_step(tmp_path, base, 1, TEXTS[:1])
    record = read_record(tmp_path, 1)
    broken = dataclasses.replace(record, samples=[dataclasses.replace(record.samples[0], score=float("nan"))])
    [entry] = read_page(page_of_record(broken, tmp_path, 10, 5))[1]
    assert (entry["score"], entry["success"], entry["finite"]) == (None, False, True)


def test_a_later_step_is_shown_with_the_checkpoint_before_it_unrounded(base, tmp_path):
    write_checkpoint(tmp_path / "checkpoints", 2)
    write_checkpoint(tmp_path / "checkpoints", 4, teacher_seed=4)
    write_step(tmp_path / "checkpoints", base, 3, TEXTS, TokenRecorder)
    html = page_of(tmp_path, 3, tmp_path)
    check_numbers(html, build_model(build_tokenizer(), 2), build_model(build_tokenizer(), 3))
    about = read_page(html)[0]["about"]
    assert about[0] == "The student has the weights that step 3 began with: global_step_2."
    assert about[1] == "The teacher (ema) is from the same checkpoint."


def test_the_page_says_how_old_the_weights_are(base, tmp_path):
    write_checkpoint(tmp_path, 2)
    write_step(tmp_path, base, 6, TEXTS)
    about = read_page(page_of(tmp_path, 6, tmp_path))[0]["about"]
    assert about[0] == (
        "The student has weights 3 steps older than those that step 6 began with: global_step_2. The numbers are those "
        "of these weights, not those of the step."
    )


def test_the_best_checkpoint_serves_too_and_a_damaged_one_is_passed_over_and_named(base, tmp_path):
    write_checkpoint(tmp_path / "best", 4)
    damaged = write_checkpoint(tmp_path, 5)
    (damaged / "actor" / "fsdp_config.json").write_text("{}")
    write_step(tmp_path, base, 6, TEXTS)
    about = read_page(page_of(tmp_path, 6, tmp_path))[0]["about"]
    assert "weights 1 step older" in about[0]
    assert about[0].count("global_step_4") == 1
    assert about[2].startswith("global_step_5 could not be used")


@pytest.mark.parametrize(("kind", "seeds"), [("frozen", [3]), ("live", [2]), ("external", [1])])
def test_each_kind_of_teacher_speaks_with_its_own_weights(base, tmp_path, kind, seeds):
    write_checkpoint(tmp_path, 2, kind=kind)
    path = {"external_teacher_path": str(base)} if kind == "external" else {}
    write_step(tmp_path, base, 3, TEXTS[:1], teacher_regularization=kind, **path)
    html = page_of(tmp_path, 3, tmp_path)
    check_numbers(html, build_model(build_tokenizer(), 2), build_model(build_tokenizer(), seeds[0]))


def test_a_trust_region_teacher_is_between_reference_and_student(base, tmp_path):
    write_checkpoint(tmp_path, 2, kind="trust_region")
    write_step(tmp_path, base, 3, TEXTS[:1], teacher_regularization="trust_region", trust_region_mix=0.25)
    html = page_of(tmp_path, 3, tmp_path)
    [detail] = read_page(html)[3]
    _, shown = prompts(0)
    with torch.no_grad():
        ids = torch.tensor([shown + detail["ids"]])
        reference, student = (build_model(build_tokenizer(), seed).double()(ids).logits[0] / 0.8 for seed in (3, 2))
    mixed = (0.75 * reference.log_softmax(-1) + 0.25 * student.log_softmax(-1)).log_softmax(-1)[len(shown) - 1 : -1]
    expected = mixed.gather(-1, torch.tensor(detail["ids"])[:, None]).squeeze(-1)
    assert [-x / 1000 for x in detail["teacher"]] == pytest.approx(expected.tolist(), abs=6e-4)


def test_everything_that_a_model_wrote_is_data_and_comes_back_as_it_was(base, tmp_path):
    write_step(tmp_path, base, 1, TEXTS)
    html = page_of(tmp_path, 1, tmp_path)
    opened, scripts = elements(html)
    assert {tag for tag, _ in opened} & {"img", "iframe", "link", "object", "base"} == set()
    assert [tag for tag, _ in opened].count("script") == 3 + len(TEXTS) + 1
    assert not {
        name for _, attributes in opened for name in attributes if name.startswith("on") or name in ("src", "href")
    }
    assert "window.broken" not in html
    assert "{{" not in html.replace(scripts["code"], "")
    _, _, _, details = read_page(html)
    assert "".join(details[1]["pieces"]) == HOSTILE.encode("utf-8", "replace").decode()
    assert details[0]["feedback"] == HOSTILE
    assert details[0]["shown"]["demonstration"] == HOSTILE
    assert "\ud83d" in details[0]["feedback"]


def test_names_are_data_too(base, tmp_path):
    write_step(tmp_path, base, 1, TEXTS[:1])
    record = read_record(tmp_path, 1)
    samples = [dataclasses.replace(sample, uid=HOSTILE) for sample in record.samples]
    html = page_of_record(dataclasses.replace(record, experiment=HOSTILE, samples=samples), tmp_path, 5, 2)
    opened, _ = elements(html)
    assert [tag for tag, _ in opened].count("script") == 3 + 1 + 1
    assert "img" not in {tag for tag, _ in opened}
    facts, [entry], _, _ = read_page(html)
    assert (facts["title"], entry["uid"]) == (f"Step 1 of {HOSTILE}", HOSTILE)


def test_the_limit_takes_evenly_from_the_step(base, tmp_path):
    write_step(tmp_path, base, 1, [f"text {number}" for number in range(8)])
    facts, _, _, details = read_page(page_of(tmp_path, 1, tmp_path, "--limit", "3", "--top-k", "2"))
    assert ["".join(detail["pieces"]) for detail in details] == ["text 0", "text 2", "text 5"]
    assert "3 of the step's 8 responses" in facts["about"][-1]
    assert {len(each) for detail in details if "student" in detail for each in detail["teacher_top"]} == {4}
    assert spread([1, 2], 3) == [1, 2]


def write_lines(run, *lines):
    with gzip.open(run / "token_records" / "7.jsonl.gz", "wt") as file:
        file.writelines(f"{line}\n" for line in lines)


def header_of(run):
    with gzip.open(run / "token_records" / "1.jsonl.gz", "rt") as file:
        return next(file).strip()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda run: None, "step 7 was not recorded: recorded are 1. TokenRecorder keeps step 1"),
        (
            lambda run: shutil.rmtree(run / "token_records"),
            "train with trainer.callbacks=[verl_sdpo.watch.token_recorder",
        ),
        (lambda run: shutil.rmtree(run), "is no folder"),
        (lambda run: (run / "token_records" / "7.jsonl.gz").write_bytes(b"\x1f\x8bhalf"), "7.jsonl.gz is damaged"),
        (lambda run: write_lines(run, '{"a": 1}'), "7.jsonl.gz is no record of a step: its first line has no format"),
        (lambda run: write_lines(run, "[1]"), "7.jsonl.gz is no record of a step: its first line has no format"),
        (lambda run: write_lines(run, '{"format": 0}'), "7.jsonl.gz has format 0, this version of verl_sdpo reads 1"),
        (lambda run: write_lines(run, '{"format": 1}'), "7.jsonl.gz is damaged: KeyError: 'self_distillation'"),
        (lambda run: write_lines(run, header_of(run), '{"uid": "q"}'), "7.jsonl.gz is damaged: KeyError: 'tokens'"),
    ],
)
def test_what_is_missing_is_said_in_one_line(base, tmp_path, capsys, change, words):
    run = tmp_path / "run"
    write_step(run, base, 1, TEXTS[:1])
    change(run)
    assert main([str(run), "7", "--output", str(tmp_path / "page.html")]) == 1
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "page.html").exists()


def test_a_checkpoint_of_another_kind_of_teacher_is_refused(base, tmp_path, capsys):
    write_checkpoint(tmp_path, 2, kind="frozen")
    write_step(tmp_path, base, 3, TEXTS[:1])
    assert main([str(tmp_path), "3"]) == 1
    assert "a teacher of kind frozen, the step had ema" in capsys.readouterr().err


def test_a_run_with_an_adapter_is_refused(base, tmp_path, capsys):
    store = CheckpointStore(tmp_path)
    folder = store.begin(2)
    save(folder, build_tokenizer(), build_model(build_tokenizer(), 2), {"kind": "live"})
    weights = {"base_model.model.q_proj.lora_A.default.weight": torch.zeros(1)}
    torch.save(weights, folder / "actor" / "model_world_size_1_rank_0.pt")
    store.finish(manifest(2), keep=None)
    write_step(tmp_path, base, 3, TEXTS[:1], teacher_regularization="live")
    assert main([str(tmp_path), "3"]) == 1
    assert "has a LoRA adapter, which this page cannot show yet" in capsys.readouterr().err
