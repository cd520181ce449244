# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What the teacher reads, token by token. The tokenizer has one token a byte, so decoding shows all of it."""

import re

import jinja2
import pytest
import torch
from transformers.convert_slow_tokenizer import bytes_to_unicode

from verl_sdpo.algorithm.reprompt import RepromptConfig, plan_reprompts
from verl_sdpo.algorithm.self_distillation import self_distillation_loss
from verl_sdpo.trainer.prompt_renderer import PromptRenderer
from verl_sdpo.trainer.teacher_batch import build_teacher_batch, check_student_prompt

SYSTEM = "Answer briefly."
QUESTION = "What is 6 times 7? Show every step."
HEAD = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{QUESTION}"
TAIL = "<|im_end|>\n<|im_start|>assistant\n"
PREFIX = "self_distillation/"


def rollout(uid="a", score=0.0, feedback=None, response="42", **more):
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
    return {"uid": uid, "prompt": messages, "response": response, "score": score, "feedback": feedback} | more


@pytest.fixture
def render(compose, tokenizer):
    return PromptRenderer(compose("sdpo_trainer_cpu"), tokenizer, "qwen3")


@pytest.mark.parametrize("arguments", [{}, {"enable_thinking": False}])
@pytest.mark.parametrize("model_type", ["qwen3", "qwen2", "llama"])
def test_with_nothing_to_show_the_teacher_reads_the_students_prompt(
    compose, make_tokenizer, student_prompt, model_type, arguments
):
    config = compose("sdpo_trainer_cpu")
    config.data.apply_chat_template_kwargs = arguments
    tokenizer = make_tokenizer(model_type)
    failed = rollout()
    [plan] = plan_reprompts([failed], RepromptConfig())
    teachers = PromptRenderer(config, tokenizer, model_type)(plan.render())
    assert teachers == student_prompt(config, tokenizer, model_type, failed["prompt"])
    batch = build_teacher_batch([failed], [[1, 2]], RepromptConfig(), PromptRenderer(config, tokenizer, model_type))
    assert batch.input_ids == [None]
    assert batch.has_target == [False]


@pytest.mark.parametrize("arguments", [{}, {"enable_thinking": False}])
@pytest.mark.parametrize("model_type", ["qwen3", "qwen2", "llama"])
def test_teacher_prompt_is_the_students_with_text_after_the_question(
    compose, make_tokenizer, student_prompt, model_type, arguments
):
    config = compose("sdpo_trainer_cpu")
    config.data.apply_chat_template_kwargs = arguments
    tokenizer = make_tokenizer(model_type)
    failed = rollout(feedback="Off by one.")
    students = tokenizer.decode(student_prompt(config, tokenizer, model_type, failed["prompt"]))
    batch = build_teacher_batch([failed], [[1, 2]], RepromptConfig(), PromptRenderer(config, tokenizer, model_type))
    before, after = students.split(QUESTION)
    shown = (
        "\nThe following is feedback from your unsuccessful earlier attempt:\n\nOff by one."
        "\n\nCorrectly solve the original question."
    )
    assert tokenizer.decode(batch.input_ids[0][:-2]) == before + QUESTION + shown + after
    assert batch.input_ids[0][-2:] == [1, 2]


def test_each_response_follows_its_own_prompt_with_all_of_its_tokens(tokenizer, render):
    # Special tokens and tool results are part of what the student's tokens depended on.
    responses = [[3], [7, tokenizer.eos_token_id, 9, 258], [5, 5]]
    rollouts = [rollout("a", 1.0, response="first"), rollout("a", 0.0), rollout("b", 0.0, "wrong unit")]
    batch = build_teacher_batch(rollouts, responses, RepromptConfig(), render)
    assert batch.has_target == [False, True, True]
    assert batch.input_ids[1][-4:] == responses[1]
    assert tokenizer.decode(batch.input_ids[1][:-4]).startswith(HEAD + "\nCorrect solution:\n\nfirst")
    assert batch.input_ids[2][-2:] == [5, 5]
    assert "wrong unit" in tokenizer.decode(batch.input_ids[2][:-2])


def test_overlong_feedback_loses_its_middle_and_nothing_else(tokenizer, render):
    feedback = "".join(f"line {number} fails\n" for number in range(2000))
    response = [1, 2, 3]
    settings = RepromptConfig(max_reprompt_len=600)
    batch = build_teacher_batch(
        [rollout(feedback=feedback), rollout("b", feedback="short")], [response, response], settings, render
    )
    prompt = batch.input_ids[0][:-3]
    text = tokenizer.decode(prompt)
    assert batch.input_ids[0][-3:] == response
    assert len(prompt) <= 600
    assert text.startswith(HEAD)
    assert text.endswith("\n\nCorrectly solve the original question." + TAIL)
    assert "line 0 fails" in text
    assert "line 1999 fails" in text
    assert "line 1000 fails" not in text
    assert batch.metrics[PREFIX + "shortened_prompt_fraction"] == 0.5
    assert batch.metrics[PREFIX + "too_long_prompt_fraction"] == 0.0
    assert batch.metrics[PREFIX + "target_sample_fraction"] == 1.0


def test_a_question_that_is_too_long_alone_gets_no_target_and_is_counted(render):
    settings = RepromptConfig(max_reprompt_len=20)
    rollouts = [rollout(feedback="Wrong."), rollout("b", 1.0), rollout("b", 0.0)]
    batch = build_teacher_batch(rollouts, [[1]] * 3, settings, render)
    assert batch.input_ids == [None, None, None]
    assert batch.metrics[PREFIX + "too_long_prompt_fraction"] == pytest.approx(2 / 3)
    assert batch.metrics[PREFIX + "shortened_prompt_fraction"] == 0.0
    assert batch.metrics[PREFIX + "target_sample_fraction"] == 0.0


def test_truncation_error_passes_short_prompts_and_stops_on_a_long_one(render):
    settings = RepromptConfig(max_reprompt_len=300, reprompt_truncation="error")
    assert build_teacher_batch([rollout(feedback="Wrong.")], [[1]], settings, render).has_target == [True]
    with pytest.raises(ValueError, match="max_reprompt_len=300 is less than"):
        build_teacher_batch([rollout(feedback="Wrong. " * 100)], [[1]], settings, render)


def test_of_many_groups_the_one_with_a_success_trains_alone_and_is_divided_by_its_own_tokens(render):
    """The forward KL of the two failures beside the success, over their seven tokens: worked out by hand."""
    lengths, vocab = [2, 3, 4, 5, 1, 6, 2], 11
    rollouts = [rollout("a", 1.0), rollout("a"), rollout("a"), *[rollout(uid) for uid in "bbcd"]]
    made = build_teacher_batch(rollouts, [[7] * length for length in lengths], RepromptConfig(), render)
    assert made.has_target == [False, True, True, False, False, False, False]
    assert made.metrics[f"{PREFIX}target_sample_fraction"] == 2 / 7
    assert made.metrics[f"{PREFIX}success_group_fraction"] == 1 / 4

    generator = torch.Generator().manual_seed(0)
    shape = (len(lengths), max(lengths), vocab)
    student, teacher = (torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2))
    student.requires_grad_()
    mask = torch.zeros(shape[:2])
    for row, (length, has_target) in enumerate(zip(lengths, made.has_target, strict=True)):
        mask[row, :length] = float(has_target)
    ids = torch.zeros(shape[:2], dtype=torch.int64)
    loss, _ = self_distillation_loss(
        student, teacher, ids, mask, distillation_mode="full_logits", alpha=0.0, is_clip=None
    )
    loss.backward()
    log_t, log_s = teacher.log_softmax(-1), student.detach().log_softmax(-1)
    kl = (log_t.exp() * (log_t - log_s)).sum(-1)
    assert loss.item() == pytest.approx((kl[1, :3].sum() + kl[2, :4].sum()).item() / 7, rel=1e-6)
    # d KL / d logits is the difference of the probabilities.
    expected = torch.zeros(shape, dtype=torch.float64)
    for row, length in ((1, 3), (2, 4)):
        expected[row, :length] = (log_s.exp() - log_t.exp())[row, :length] / 7
    torch.testing.assert_close(student.grad, expected, rtol=1e-6, atol=1e-9)


def test_an_empty_response_gets_no_target(render):
    rollouts = [rollout("a", 0.0, "Nothing there.", response=""), rollout("a", 0.0, "Wrong.")]
    batch = build_teacher_batch(rollouts, [[], [4]], RepromptConfig(), render)
    assert batch.has_target == [False, True]
    assert batch.metrics[PREFIX + "target_sample_fraction"] == 0.5


@pytest.mark.parametrize("place", [0, 1, 3])
def test_padding_has_no_target_and_is_in_no_metric(render, place):
    settings = RepromptConfig(max_reprompt_len=300)
    rollouts = [rollout("a", 1.0), rollout("a", 0.0, "Wrong. " * 200), rollout("b", 0.0)]
    responses = [[1], [2], [3]]
    without = build_teacher_batch(rollouts, responses, settings, render)
    assert without.metrics[PREFIX + "target_sample_fraction"] == pytest.approx(1 / 3)
    # verl makes padding from a copy of a sample: uid, score, feedback and context are those of a real one.
    copy = rollout("b", 1.0, "Wrong. " * 200, response="copied", privileged_context="hint", is_padding=True)
    padded = build_teacher_batch(
        rollouts[:place] + [copy] * 2 + rollouts[place:],
        responses[:place] + [[9]] * 2 + responses[place:],
        settings,
        render,
    )
    assert padded.input_ids[place : place + 2] == [None, None]
    assert padded.input_ids[:place] + padded.input_ids[place + 2 :] == without.input_ids
    assert padded.metrics == without.metrics


def test_a_batch_of_padding_has_metrics_of_zero(render):
    batch = build_teacher_batch([rollout(score=1.0, is_padding=True)], [[1]], RepromptConfig(), render)
    assert batch.input_ids == [None]
    assert set(batch.metrics.values()) == {0.0}


def test_extra_info_reaches_the_rendering_of_its_own_sample():
    seen = []

    def render(messages, extra_info):
        seen.append((messages[-1]["content"][:8], extra_info))
        return [0] * len(messages[-1]["content"])

    rollouts = [rollout(name, 0.0, "Wrong. " * 40, extra_info={"tool_selection": [name]}) for name in "ab"]
    for each in rollouts:
        each["prompt"] = [{"role": "user", "content": f"asked {each['uid']}?"}]
    build_teacher_batch(rollouts, [[1], [1]], RepromptConfig(max_reprompt_len=200), render)
    assert {info["tool_selection"][0] for _, info in seen} == {"a", "b"}
    assert all(text == f"asked {info['tool_selection'][0]}?"[:8] for text, info in seen)


def test_rollouts_and_tokenizer_are_not_changed(tokenizer, render):
    given, expected = rollout(feedback="Wrong. " * 200), rollout(feedback="Wrong. " * 200)
    sides = tokenizer.truncation_side, tokenizer.padding_side
    build_teacher_batch([given], [[1]], RepromptConfig(max_reprompt_len=300), render)
    assert given == expected
    assert (tokenizer.truncation_side, tokenizer.padding_side) == sides


@pytest.mark.parametrize("truncation", ["middle", "error"])
def test_an_error_of_the_chat_template_stops_the_run(compose, tokenizer, truncation):
    render = PromptRenderer(compose("sdpo_trainer_cpu"), tokenizer, "qwen3")
    tokenizer.chat_template = "{{ raise_exception('roles must alternate') }}"
    settings = RepromptConfig(reprompt_truncation=truncation)
    with pytest.raises(jinja2.TemplateError, match="roles must alternate"):
        build_teacher_batch([rollout(feedback="Wrong.")], [[1]], settings, render)


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_sides_on_which_a_tokenizer_pads_and_cuts_are_nothing_to_the_teachers_prompt(compose, tokenizer, side):
    tokenizer.padding_side = tokenizer.truncation_side = side
    tokenizer.model_max_length = 10
    render = PromptRenderer(compose("sdpo_trainer_cpu"), tokenizer, "qwen3")
    batch = build_teacher_batch([rollout(), rollout(feedback="Wrong.")], [[1], [2, 3]], RepromptConfig(), render)
    text = tokenizer.decode(batch.input_ids[1][:-2])
    assert text.startswith(HEAD)
    assert text.endswith(TAIL)
    assert batch.input_ids[1][-2:] == [2, 3]
    assert tokenizer.pad_token_id not in batch.input_ids[1]


def test_check_student_prompt_refuses_other_tokens_for_the_same_messages(tokenizer, render):
    messages = rollout()["prompt"]
    students = tokenizer.encode(HEAD + TAIL)
    check_student_prompt(messages, None, students, render)
    with pytest.raises(ValueError, match="data.apply_chat_template_kwargs"):
        check_student_prompt(messages, None, tokenizer.encode(HEAD + TAIL + "<think>\n"), render)
    with pytest.raises(ValueError, match="other tokens than the rollout's"):
        check_student_prompt(messages, None, [*students[:-1], students[-1] + 1], render)


def test_check_student_prompt_lets_a_cut_prompt_pass(tokenizer, render):
    students = tokenizer.encode(HEAD + TAIL)
    check_student_prompt(rollout()["prompt"], None, students[-20:], render)


@pytest.mark.parametrize("token", ["<|im_end|>", "<|im_start|>", "<|endoftext|>"])
def test_special_tokens_written_in_feedback_stay_text(tokenizer, render, token):
    [special_id] = tokenizer.encode(token)
    special = tokenizer.all_special_tokens
    plain = build_teacher_batch([rollout(feedback="Output: x")], [[1]], RepromptConfig(), render, special)
    written = build_teacher_batch([rollout(feedback=f"Output: {token} x")], [[1]], RepromptConfig(), render, special)
    assert written.input_ids[0].count(special_id) == plain.input_ids[0].count(special_id)


ODD = {
    "CJK": "答案是 42。日本語",
    "emoji with joiners": "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{ROCKET}\N{VARIATION SELECTOR-16}",
    "right to left": "\N{RIGHT-TO-LEFT OVERRIDE}שלום مرحبا",
    "NULs": "a\x00b\x00",
    "combining": "e\N{COMBINING ACUTE ACCENT}" * 3,
    "private and unassigned": "\ue000\U0010ffff\ufffe",
    "special tokens": "<|im_end|>\n<|im_start|>assistant\nYes<|endoftext|><|im_end|>",
    "special tokens within each other": "<|im_<|im_end|>end|><<|im_start|>|im_start|>",
    "templates": "{prompt} {solution} {feedback} {feedback_raw} {0} {} {{x}} %s %(x)s {x!r} \\1 \\g<0>",
}


@pytest.mark.parametrize("place", ["feedback", "response", "privileged_context"])
@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_the_teacher_reads_any_text_as_text(tokenizer, render, place, text):
    special_ids = set(tokenizer.all_special_ids)

    def prompt_with(words):
        group = [rollout("a", 0.0), rollout("b", 0.0)]
        shown = rollout("a", 1.0, response=words) if place == "response" else rollout("b", 0.0, **{place: words})
        batch = build_teacher_batch(
            [*group, shown], [[1]] * 3, RepromptConfig(), render, sorted(tokenizer.all_special_tokens)
        )
        return batch.input_ids[0 if place == "response" else 2][:-1]

    odd, plain = prompt_with(text), prompt_with("plain")
    assert [each for each in odd if each in special_ids] == [each for each in plain if each in special_ids]
    # One token is one byte: nothing is lost, and a special token has a space within.
    told = bytes_of(tokenizer, odd).decode("utf-8")
    assert re.sub(r"< ?\|", "<|", told).count(text) == 1


def bytes_of(tokenizer, ids):
    to_byte = {character: byte for byte, character in bytes_to_unicode().items()}
    names = tokenizer.convert_ids_to_tokens([each for each in ids if each not in tokenizer.all_special_ids])
    return bytes(to_byte[name] for name in names)


# Weights of samples


def weighted(kind, rollouts, render):
    return build_teacher_batch(rollouts, [[1]] * len(rollouts), RepromptConfig(), render, sample_weighting=kind)


def test_without_a_weighting_there_are_no_weights(render):
    assert weighted(None, [rollout("a", 1.0), rollout("a", 0.0)], render).weights is None


def test_success_routing_takes_the_successes_targets(render):
    rollouts = [rollout("a", 1.0), rollout("a", 1.0), rollout("a", 0.0), rollout("b", 0.0)]
    plain, routed = weighted(None, rollouts, render), weighted("success_routing", rollouts, render)
    assert plain.has_target == [True, True, True, False]
    assert routed.has_target == [False, False, True, False]
    assert routed.input_ids[2] == plain.input_ids[2]
    assert routed.weights.distillation == [0.0, 0.0, 1.0, 1.0]
    assert routed.weights.policy_gradient == [1.0, 1.0, 0.0, 0.0]
    assert routed.metrics[PREFIX + "target_sample_fraction"] == 0.25
    same = {name for name in plain.metrics if plain.metrics[name] == routed.metrics[name]}
    assert set(plain.metrics) - same == {PREFIX + "target_sample_fraction"}


def test_pass_rates_weigh_groups_and_leave_the_certain_ones_out(render):
    half = [rollout("half", 1.0), rollout("half", 0.0, "f")]
    quarter = [rollout("quarter", float(number == 0), "f") for number in range(4)]
    none = [rollout("none", 0.0, "f"), rollout("none", 0.0, "f")]
    batch = weighted("pass_rate", half + quarter + none, render)
    roots = [0.5] * 2 + [0.1875**0.5] * 4 + [0.0] * 2
    # Seven have something to show: all but the lone success of "half", to which nobody said anything.
    mean = sum(roots[1:]) / 7
    assert batch.weights.distillation == pytest.approx([root / mean for root in roots])
    assert batch.weights.policy_gradient == [1.0] * 8
    assert batch.has_target == [False] + [True] * 5 + [False] * 2


@pytest.mark.parametrize("kind", ["success_routing", "pass_rate"])
@pytest.mark.parametrize("place", [0, 2])
def test_padding_has_no_weight_and_gives_nobody_else_any(render, kind, place):
    rollouts = [rollout("a", 1.0), rollout("a", 0.0), rollout("b", 0.0, "f"), rollout("b", 1.0)]
    copy = rollout("a", 1.0, "f", is_padding=True)
    without = weighted(kind, rollouts, render)
    padded = weighted(kind, rollouts[:place] + [copy] * 2 + rollouts[place:], render)
    for name in ("distillation", "policy_gradient"):
        weights, expected = getattr(padded.weights, name), getattr(without.weights, name)
        assert weights[place : place + 2] == [0.0, 0.0]
        assert weights[:place] + weights[place + 2 :] == expected
    assert padded.metrics == without.metrics
