# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What the teacher is shown, from the definition: paper Table 2 and the choices in docs/deviations.md."""

import copy
import itertools
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verl_sdpo.algorithm.reprompt import (
    build_teacher_messages,
    plan_before_generation,
    plan_reprompts,
    remove_thinking,
)
from verl_sdpo.algorithm.reprompt_config import RECOMMENDED_BEHAVIOUR, SDFT_BEHAVIOUR, RepromptConfig


def rollout(uid="q", response="R", score=0.0, feedback=None, **more):
    prompt = more.pop("prompt", [{"role": "user", "content": "P"}])
    return {"uid": uid, "prompt": prompt, "response": response, "score": score, "feedback": feedback, **more}


def user_texts(rollouts, **config):
    return [messages[-1]["content"] for messages in build_teacher_messages(rollouts, **config)[0]]


def demonstrations(rollouts, **config):
    return [plan.demonstration for plan in plan_reprompts(rollouts, RepromptConfig(**config))]


def drawn_demonstrations(rollouts, **config):
    return demonstrations(rollouts, demonstration_choice="random", **config)


# Templates


def test_default_templates_give_the_string_of_the_published_runs():
    batch = [rollout(feedback="F"), rollout(response="S", score=1.0)]
    text = user_texts(batch, environment_feedback_only_without_solution=False)[0]
    assert text == (
        "P\nCorrect solution:\n\nS\nThe following is feedback from your unsuccessful earlier attempt:\n\nF\n\n"
        "Correctly solve the original question."
    )


def test_a_section_without_content_vanishes_with_its_heading():
    batch = [rollout(feedback="F"), rollout(response="S", score=1.0)]
    assert user_texts(batch)[0] == "P\nCorrect solution:\n\nS\n\nCorrectly solve the original question."
    assert user_texts(batch[:1])[0] == (
        "P\nThe following is feedback from your unsuccessful earlier attempt:\n\nF\n\n"
        "Correctly solve the original question."
    )


BRACES = "{prompt} {solution} {feedback} {feedback_raw} {0} {} {{}} \\boxed{7} {'a': {1}} %s \\1 \\g<0> }{"


def test_braces_and_placeholders_in_any_text_stay_as_they_are():
    batch = [
        rollout(prompt=[{"role": "user", "content": f"Q {BRACES}"}], feedback=f"F {BRACES}"),
        rollout(response=f"S {BRACES}", score=1.0),
    ]
    templates = {
        "reprompt_template": '{prompt}|{solution}|{feedback}| write \\boxed{answer} or {"a": {1}} {} {{x}}',
        "solution_template": "{successful_previous_attempt}",
        "feedback_template": "{feedback_raw}",
    }
    text = user_texts(batch, environment_feedback_only_without_solution=False, **templates)[0]
    assert text == f'Q {BRACES}|S {BRACES}|F {BRACES}| write \\boxed{{answer}} or {{"a": {{1}}}} {{}} {{{{x}}}}'


@given(st.text(), st.text(min_size=1).filter(str.strip), st.text(min_size=1).filter(str.strip))
def test_any_text_is_shown_unchanged(question, solution, feedback):
    batch = [
        rollout(prompt=[{"role": "user", "content": question}], feedback=feedback),
        rollout(response=solution, score=1.0),
    ]
    config = {"environment_feedback_only_without_solution": False, "remove_thinking_from_demonstration": False}
    text = user_texts(batch, solution_template="<{successful_previous_attempt}>", **config)[0]
    before_feedback = f"{question}<{solution}>\nThe following is feedback from your unsuccessful earlier attempt:\n\n"
    assert text == f"{before_feedback}{feedback}\n\nCorrectly solve the original question."


def test_text_goes_around_the_question_at_any_place_of_the_template():
    templates = {"reprompt_template": "{solution}{feedback}\n\nNow: {prompt} (again)"}
    batch = [rollout(feedback="F")]
    heading = "\nThe following is feedback from your unsuccessful earlier attempt:\n\n"
    assert user_texts(batch, **templates) == [f"{heading}F\n\nNow: P (again)"]


# Messages


def test_with_nothing_to_show_the_messages_are_equal_to_the_prompt_but_not_the_same_objects():
    prompt = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "P"}]}]
    batch = [rollout(prompt=prompt)]
    messages, mask, _ = build_teacher_messages(batch)
    assert messages == [prompt]
    assert mask == [0.0]
    messages[0][0]["content"] = "changed"
    messages[0][1]["content"][0]["text"] = "changed"
    assert prompt[0]["content"] == "Be brief."
    assert prompt[1]["content"] == [{"type": "text", "text": "P"}]


def test_input_is_never_changed_and_only_the_last_turn_differs():
    conversation = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "First"},
        {"role": "assistant", "content": "Answer", "tool_calls": [{"id": 1}]},
        {"role": "user", "content": [{"type": "text", "text": "Second"}]},
    ]
    batch = [rollout(prompt=conversation, feedback="F"), rollout(prompt=conversation, response="S", score=1.0)]
    before = copy.deepcopy(batch)
    messages, _, _ = build_teacher_messages(batch)
    assert batch == before
    assert messages[0][:3] == conversation[:3]
    assert messages[0][3]["content"][0]["text"].startswith("Second\nCorrect solution:\n\nS")


def test_text_goes_to_the_text_parts_of_a_question_with_an_image():
    image = object()
    content = [
        {"type": "text", "text": "Look:"},
        {"type": "image", "image": image},
        {"type": "text", "text": "What is it?"},
        {"type": "image", "image": image},
    ]
    batch = [rollout(prompt=[{"role": "user", "content": content}], feedback="F")]
    template = "Again. {prompt}{solution}{feedback}"
    shown = build_teacher_messages(batch, reprompt_template=template, feedback_template="[{feedback_raw}]")[0][0]
    assert [part.get("text") for part in shown[-1]["content"]] == ["Again. Look:", None, "What is it?[F]", None]
    assert shown[-1]["content"][1]["image"] is image


@pytest.mark.parametrize(
    "prompt",
    [
        [],
        [{"role": "user", "content": "P"}, {"role": "assistant", "content": "Sure"}],
        [{"role": "user", "content": None}],
        [{"role": "user", "content": []}],
        [{"role": "user", "content": [{"type": "image", "image": "x"}]}],
    ],
)
def test_a_prompt_that_does_not_end_with_a_user_turn_of_text_is_refused(prompt):
    with pytest.raises(ValueError, match=r"rollouts\[1\]\['prompt'\].*user turn"):
        build_teacher_messages([rollout(), rollout(prompt=prompt)])


@pytest.mark.parametrize("key", ["uid", "prompt", "response", "score", "feedback"])
def test_a_rollout_without_a_field_is_refused_by_name(key):
    incomplete = rollout()
    del incomplete[key]
    with pytest.raises(ValueError, match=rf"rollouts\[1\] has no '{key}'"):
        build_teacher_messages([rollout(), incomplete])


@pytest.mark.parametrize(
    ("key", "value"), [("feedback", 3), ("score", None), ("response", None), ("privileged_context", 1.5)]
)
def test_a_field_of_the_wrong_type_is_refused_by_name(key, value):
    with pytest.raises(ValueError, match=rf"rollouts\[0\]\['{key}'\]"):
        build_teacher_messages([rollout(**{key: value})])


# Who gets a target

SELF, PEER, FEEDBACK = "self", "peer", "feedback"
TRUTH = [set(c) for n in range(4) for c in itertools.combinations((SELF, PEER, FEEDBACK), n)]


def first_of_pair(facts, **config):
    pair = [
        rollout(response="mine", score=float(SELF in facts), feedback="F" if FEEDBACK in facts else None),
        rollout(response="peer's", score=float(PEER in facts)),
    ]
    plan = plan_reprompts(pair, RepromptConfig(**config))[0]
    mask = build_teacher_messages(pair, **config)[1][0]
    assert mask == float(plan.has_target)
    return plan.demonstration, plan.feedback


@pytest.mark.parametrize("facts", TRUTH, ids=lambda facts: "+".join(sorted(facts)) or "nothing")
def test_truth_table_of_the_default_which_is_the_published_behaviour(facts):
    shown = {
        frozenset(): (None, None),
        frozenset({FEEDBACK}): (None, "F"),
        frozenset({PEER}): ("peer's", None),
        frozenset({PEER, FEEDBACK}): ("peer's", None),
        frozenset({SELF}): (None, None),
        frozenset({SELF, FEEDBACK}): (None, "F"),
        frozenset({SELF, PEER}): ("peer's", None),
        frozenset({SELF, PEER, FEEDBACK}): ("peer's", None),
    }
    assert first_of_pair(facts) == shown[frozenset(facts)]


@pytest.mark.parametrize("facts", TRUTH, ids=lambda facts: "+".join(sorted(facts)) or "nothing")
def test_truth_table_of_the_recommended_behaviour(facts):
    shown = {
        frozenset(): (None, None),
        frozenset({FEEDBACK}): (None, "F"),
        frozenset({PEER}): ("peer's", None),
        frozenset({PEER, FEEDBACK}): ("peer's", None),
        frozenset({SELF}): (None, None),
        frozenset({SELF, FEEDBACK}): (None, None),
        frozenset({SELF, PEER}): ("peer's", None),
        frozenset({SELF, PEER, FEEDBACK}): ("peer's", None),
    }
    assert first_of_pair(facts, **RECOMMENDED_BEHAVIOUR) == shown[frozenset(facts)]


@pytest.mark.parametrize("facts", TRUTH, ids=lambda facts: "+".join(sorted(facts)) or "nothing")
@pytest.mark.parametrize("behaviour", [{}, RECOMMENDED_BEHAVIOUR], ids=["default", "recommended"])
def test_truth_table_of_the_papers_sentence_on_own_successes(facts, behaviour):
    shown = {
        frozenset(): (None, None),
        frozenset({FEEDBACK}): (None, "F"),
        frozenset({PEER}): ("peer's", None),
        frozenset({PEER, FEEDBACK}): ("peer's", None),
        frozenset({SELF}): ("mine", None),
        frozenset({SELF, FEEDBACK}): ("mine", None),
        frozenset({SELF, PEER}): ("mine", None),
        frozenset({SELF, PEER, FEEDBACK}): ("mine", None),
    }
    config = {"dont_reprompt_on_self_success": False, "own_success_choice": "always"}
    assert first_of_pair(facts, **config, **behaviour) == shown[frozenset(facts)]


def test_own_success_is_shown_by_the_chosen_rule_only():
    lone = [rollout(response="mine", score=1.0), rollout()]
    both = [rollout(response="mine", score=1.0), rollout(response="peer's", score=1.0)]
    allowed = {"dont_reprompt_on_self_success": False, "demonstration_choice": "first"}
    assert demonstrations(lone) == [None, "mine"]
    assert demonstrations(lone, **allowed) == ["mine", "mine"]
    assert demonstrations(both, **allowed) == ["mine", "mine"]
    assert demonstrations(lone, own_success_choice="when_alone", **allowed) == ["mine", "mine"]
    assert demonstrations(both, own_success_choice="when_alone", **allowed) == ["peer's", "mine"]
    assert demonstrations(both, own_success_choice="always", **allowed) == ["mine", "peer's"]


def test_feedback_on_a_success_is_shown_only_where_asked_for():
    batch = [rollout(score=1.0, feedback="was truncated")]
    assert build_teacher_messages(batch, environment_feedback_on_success=False)[1] == [0.0]
    assert "was truncated" in user_texts(batch, environment_feedback_on_success=True)[0]


@pytest.mark.parametrize("blank", [None, "", "  ", "\n\t ", "\u00a0\u3000"])
def test_blank_feedback_is_none(blank):
    messages, mask, metrics = build_teacher_messages([rollout(feedback=blank)])
    assert (messages, mask) == ([[{"role": "user", "content": "P"}]], [0.0])
    assert metrics["self_distillation/feedback_available_fraction"] == 0.0


def test_feedback_stays_with_its_sample():
    batch = [rollout(uid=f"q{i}", feedback=None if i % 3 == 0 else f"feedback of {i}") for i in range(9)]
    texts = user_texts(batch)
    for i, text in enumerate(texts):
        assert [j for j in range(9) if f"feedback of {j}" in text] == ([] if i % 3 == 0 else [i])


def test_groups_may_be_interleaved_and_never_share_solutions():
    batch = [rollout(uid=i % 2, response=f"{i}", score=float(i < 2)) for i in range(6)]
    assert demonstrations(batch) == [None, None, "0", "1", "0", "1"]


def test_groups_are_told_apart_by_the_whole_of_their_names_and_by_nothing_else():
    # The same question in two rows, and names that are each other's beginnings up to verl's separator.
    names = ["a", "a_0", "a_0_0", "_", "", "a_1"]
    batch = [rollout(uid=uid, response=f"of {uid!r}", score=float(n)) for n in (1, 0) for uid in names]
    assert demonstrations(batch) == [None] * 6 + [f"of {uid!r}" for uid in names]


def test_a_group_may_have_any_number_of_rollouts():
    sizes = {"one": 1, "two": 2, "five": 5}
    members = [(uid, number) for number in range(5) for uid, size in sizes.items() if number < size]
    # The last of each group succeeds.
    batch = [rollout(uid=uid, response=f"of {uid}", score=float(number == sizes[uid] - 1)) for uid, number in members]
    assert demonstrations(batch) == [None if r["score"] else f"of {r['uid']}" for r in batch]


def test_a_score_at_the_threshold_is_a_success_and_nan_is_none():
    batch = [rollout(response="half", score=0.5), rollout(response="nan", score=float("nan")), rollout()]
    assert demonstrations(batch) == [None, "half", "half"]
    assert demonstrations(batch, success_reward_threshold=0.51) == [None, None, None]


# Thinking


@pytest.mark.parametrize(
    ("text", "paired", "everything"),
    [
        ("plain", "plain", "plain"),
        ("<think>a</think>\n\nb", "b", "b"),
        ("<think>a</think> b <think>c</think> d", "b d", "b d"),
        ("a\n</think>\nb", "a\n</think>\nb", "b"),
        ("a</think>b</think> c", "a</think>b</think> c", "c"),
        ("<think>a", "<think>a", ""),
        ("b\n<think>a", "b\n<think>a", "b"),
        ("a</think>\nb\n<think>c", "a</think>\nb\n<think>c", "b"),
        ("<think>a<think>b</think>c</think>d", "c</think>d", "d"),
        ("<think>a</think>", "", ""),
        ("  b  ", "  b  ", "  b  "),
    ],
)
def test_thinking_is_taken_out(text, paired, everything):
    assert remove_thinking(text, "paired") == paired
    assert remove_thinking(text, "all") == everything


@given(st.lists(st.sampled_from(["<think>", "</think>", "a", " ", "\n", "<"])).map("".join))
def test_no_thinking_tag_is_left_over(text):
    remaining = remove_thinking(text, "all")
    assert "<think>" not in remaining
    assert "</think>" not in remaining


def test_many_opening_tags_take_no_quadratic_time():
    # A lazy regular expression takes minutes on this text; the loop over find takes milliseconds.
    assert remove_thinking("<think>" * 300_000, "all") == ""


@pytest.mark.parametrize(
    ("response", "thinking_removal"),
    [("<think>never finished", "all")]
    + [(response, removal) for response in ("<think>a</think>  ", "   ", "") for removal in ("paired", "all")],
)
def test_a_success_of_which_nothing_remains_is_no_demonstration(response, thinking_removal):
    batch = [rollout(response=response, score=1.0), rollout()]
    assert demonstrations(batch, thinking_removal=thinking_removal) == [None, None]


def test_thinking_stays_where_it_is_not_to_be_removed():
    batch = [rollout(response="<think>a</think>b", score=1.0), rollout()]
    for removal in ("paired", "all"):
        shown = demonstrations(batch, remove_thinking_from_demonstration=False, thinking_removal=removal)
        assert shown == [None, "<think>a</think>b"]


def test_thinking_is_taken_out_of_a_demonstration_by_the_chosen_rule():
    batch = [rollout(response="a</think>b<think>c</think>d", score=1.0), rollout()]
    assert demonstrations(batch, thinking_removal="paired") == [None, "a</think>bd"]
    assert demonstrations(batch, thinking_removal="all") == [None, "bd"]


# Which success is shown


def group_of(uid, num_successes):
    return [rollout(uid=uid, response=f"{i}", score=1.0) for i in range(num_successes)] + [rollout(uid=uid)]


def test_first_shows_the_first_success_to_everyone():
    batch = [rollout(), *group_of("q", 4)]
    assert demonstrations(batch, demonstration_choice="first") == ["0", "1", "0", "0", "0", "0"]


def test_random_shows_each_success_equally_often():
    num_groups = 2000
    batch = [member for g in range(num_groups) for member in group_of(f"q{g}", 4)]
    shown = Counter(drawn_demonstrations(batch)[4::5])
    assert set(shown) == {"0", "1", "2", "3"}
    # Chi-square with three degrees of freedom; 16.3 is passed by chance once in a thousand seeds.
    assert sum((count - num_groups / 4) ** 2 / (num_groups / 4) for count in shown.values()) < 16.3


def test_members_of_a_group_draw_independently():
    batch = [member for g in range(500) for member in [*group_of(f"q{g}", 2), rollout(uid=f"q{g}")]]
    shown = drawn_demonstrations(batch)
    equal = sum(a == b for a, b in zip(shown[2::4], shown[3::4], strict=True))
    assert 200 < equal < 300  # 250 expected, standard deviation 11


def test_the_draw_depends_on_the_seed():
    batch = [member for g in range(50) for member in group_of(f"q{g}", 4)]
    drawn = [drawn_demonstrations(batch, demonstration_seed=seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_draw_does_not_depend_on_other_groups():
    groups = [group_of(f"q{g}", 4) for g in range(20)]
    together = drawn_demonstrations([member for group in reversed(groups) for member in group])
    alone = [shown for group in reversed(groups) for shown in drawn_demonstrations(group)]
    assert together == alone


def test_the_draw_does_not_depend_on_the_process():
    program = (
        "from verl_sdpo.algorithm.reprompt import RepromptConfig, plan_reprompts\n"
        "p = [{'role': 'user', 'content': 'P'}]\n"
        "r = [dict(uid=f'q{i // 5}', prompt=p, response=str(i), score=1.0, feedback=None) for i in range(50)]\n"
        "config = RepromptConfig(demonstration_choice='random')\n"
        "print([plan.demonstration for plan in plan_reprompts(r, config)])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


# Privileged context


def test_privileged_context_stands_before_the_feedback():
    batch = [rollout(feedback="F", privileged_context="C")]
    assert user_texts(batch) == [
        "P\nAdditional information on this question:\n\nC\n"
        "The following is feedback from your unsuccessful earlier attempt:\n\nF\n\n"
        "Correctly solve the original question."
    ]


def test_privileged_context_goes_to_its_own_place_where_the_template_has_one():
    batch = [rollout(feedback="F", privileged_context="C")]
    templates = {
        "reprompt_template": "{privileged_context}|{prompt}|{solution}{feedback}",
        "feedback_template": "{feedback_raw}",
        "privileged_context_template": "{privileged_context_raw}",
    }
    assert user_texts(batch, **templates) == ["C|P|F"]


@pytest.mark.parametrize("succeeded", [False, True])
@pytest.mark.parametrize(
    ("use", "context", "shown"),
    [
        ("off", "C", (None, "F")),
        ("beside", "C", ("C", "F")),
        ("beside", None, (None, "F")),
        ("beside", " ", (None, "F")),
        ("instead", "C", ("C", None)),
        ("instead", None, (None, "F")),
    ],
)
def test_privileged_context_applies_irrespective_of_success(use, context, shown, succeeded):
    batch = [rollout(score=float(succeeded), feedback="F", privileged_context=context)]
    config = RepromptConfig(privileged_context_use=use, environment_feedback_on_success=False)
    plan = plan_reprompts(batch, config)[0]
    # A success has no use for its feedback; the hint it gets as a failure does.
    assert (plan.privileged_context, plan.feedback) == (shown[0], None if succeeded else shown[1])


def test_privileged_context_is_a_target_by_itself():
    batch = [rollout(privileged_context="C"), rollout(uid="other", score=1.0, privileged_context="C"), rollout()]
    _, mask, metrics = build_teacher_messages(batch)
    assert mask == [1.0, 1.0, 0.0]
    assert metrics["self_distillation/privileged_context_used_fraction"] == pytest.approx(2 / 3)


# The attempt itself


ATTEMPT = {"include_own_attempt": True, "own_attempt_template": "\nYour earlier attempt:\n\n{own_attempt_raw}"}


def test_the_attempt_stands_between_the_solution_and_the_feedback_on_it():
    batch = [rollout(response="W", feedback="F"), rollout(response="S", score=1.0)]
    text = user_texts(batch, environment_feedback_only_without_solution=False, **ATTEMPT)[0]
    assert text == (
        "P\nCorrect solution:\n\nS\nYour earlier attempt:\n\nW\n"
        "The following is feedback from your unsuccessful earlier attempt:\n\nF\n\n"
        "Correctly solve the original question."
    )


def test_each_rollout_is_shown_its_own_attempt_and_none_where_there_is_nothing_else_to_show():
    batch = [rollout(response="W"), rollout(response="S", score=1.0)]
    messages, mask, _ = build_teacher_messages(batch, **ATTEMPT)
    # The lone success has nothing to learn from, and its attempt does not change that.
    assert mask == [1.0, 0.0]
    assert messages[0][-1]["content"] == (
        "P\nCorrect solution:\n\nS\nYour earlier attempt:\n\nW\n\nCorrectly solve the original question."
    )
    assert messages[1] == batch[1]["prompt"]


def test_special_tokens_in_the_attempt_are_ordinary_text():
    plan = plan_reprompts([rollout(response="a<|im_end|>b", feedback="F")], RepromptConfig(**ATTEMPT))[0]
    text = plan.spelled_out(["<|im_end|>"]).render()[-1]["content"]
    assert "a< |im_end|>b" in text
    assert "<|im_end|>" not in text


# Padding and metrics


def test_padding_is_never_shown_gets_no_target_and_is_in_no_metric():
    real = [rollout(), rollout(feedback="F"), rollout(uid="r", feedback="G")]
    padding = [
        rollout(response="S", score=1.0, is_padding=True),
        rollout(uid="p", score=1.0, feedback="F", privileged_context="C", is_padding=True),
    ]
    messages, mask, metrics = build_teacher_messages([padding[0], *real, padding[1]])
    real_messages, real_mask, real_metrics = build_teacher_messages(real)
    assert messages == [padding[0]["prompt"], *real_messages, padding[1]["prompt"]]
    assert mask == [0.0, *real_mask, 0.0]
    assert metrics == real_metrics


def test_padding_does_not_move_the_draw():
    group = group_of("q", 8)
    padded = [rollout(response="S", score=1.0, is_padding=True), *group]
    assert drawn_demonstrations(padded)[1:] == drawn_demonstrations(group)


def test_an_empty_batch_and_one_of_padding_only_give_zeros():
    for batch in ([], [rollout(score=1.0, is_padding=True)]):
        messages, mask, metrics = build_teacher_messages(batch)
        assert len(messages) == len(mask) == len(batch)
        assert not any(mask)
        assert set(metrics.values()) == {0.0}


def test_metrics_are_the_fractions_they_are_named_after():
    batch = [
        rollout(score=1.0),  # sees the other success
        rollout(score=1.0, feedback="not shown"),  # sees the other success
        rollout(feedback="not shown"),  # sees a success
        rollout(uid="b", feedback="shown"),
        rollout(uid="c", privileged_context=None),
    ]
    assert build_teacher_messages(batch)[2] == pytest.approx(
        {
            "self_distillation/success_group_fraction": 1 / 3,
            "self_distillation/success_sample_fraction": 3 / 5,
            "self_distillation/feedback_available_fraction": 3 / 5,
            "self_distillation/feedback_used_fraction": 1 / 5,
            "self_distillation/reprompt_sample_fraction": 4 / 5,
            "self_distillation/privileged_context_used_fraction": 0.0,
        }
    )


def test_the_metric_of_the_privileged_context_is_there_where_rollouts_have_the_field_and_may_show_it():
    name = "self_distillation/privileged_context_used_fraction"
    with_field, without_field = [rollout(), rollout(privileged_context=None)], [rollout(feedback="F")]
    assert build_teacher_messages(with_field)[2][name] == 0.0
    assert name not in build_teacher_messages(with_field, privileged_context_use="off")[2]
    assert name not in build_teacher_messages(without_field)[2]


# The dataset's demonstrations


@pytest.mark.parametrize("score", [0.0, 1.0])
@pytest.mark.parametrize("feedback_too", [False, True])
def test_a_demonstration_of_the_dataset_is_shown_whatever_the_score(score, feedback_too):
    batch = [rollout(score=score, feedback="F", privileged_context="D"), rollout(response="S", score=1.0)]
    shown = {"environment_feedback_only_without_solution": not feedback_too}
    plan = plan_reprompts(batch, RepromptConfig(demonstration_source="dataset", **shown))[0]
    assert (plan.demonstration, plan.privileged_context) == ("D", None)
    assert plan.feedback == ("F" if feedback_too else None)
    assert plan.has_target
    text = user_texts(batch, demonstration_source="dataset")[0]
    assert text == "P\nCorrect solution:\n\nD\n\nCorrectly solve the original question."


@pytest.mark.parametrize("context", [None, "", " \n"])
def test_without_one_neither_the_peers_nor_the_attempt_itself_take_its_place(context):
    batch = [rollout(privileged_context=context), rollout(response="S", score=1.0, privileged_context=context)]
    batch.append(rollout(uid="other", feedback="F", privileged_context=context))
    config = RepromptConfig(
        demonstration_source="dataset", dont_reprompt_on_self_success=False, own_success_choice="always"
    )
    plans = plan_reprompts(batch, config)
    assert [plan.demonstration for plan in plans] == [None] * 3
    assert [plan.has_target for plan in plans] == [False, False, True]
    assert plans[2].feedback == "F"


def test_a_demonstration_of_the_dataset_keeps_its_thinking_and_padding_has_none():
    text = "<think>so</think>\nD "
    batch = [rollout(privileged_context=text), rollout(privileged_context=text, is_padding=True)]
    assert demonstrations(batch, demonstration_source="dataset", thinking_removal="all") == [text, None]


@pytest.mark.parametrize("use", ["beside", "off"])
def test_the_metrics_of_dataset_demonstrations_count_them_as_solutions_and_as_context(use):
    batch = [
        rollout(uid="a", feedback="F", privileged_context="D"),
        rollout(uid="a", score=1.0, privileged_context="D"),
        rollout(uid="b", privileged_context=None),
        rollout(uid="b", privileged_context="D", score=1.0, is_padding=True),
    ]
    metrics = build_teacher_messages(batch, privileged_context_use=use, **SDFT_BEHAVIOUR)[2]
    wanted = {
        "success_group_fraction": 1 / 2,
        "success_sample_fraction": 2 / 3,
        "feedback_available_fraction": 0.0,
        "feedback_used_fraction": 0.0,
        "reprompt_sample_fraction": 2 / 3,
        "privileged_context_used_fraction": 2 / 3,
    }
    assert metrics == {f"self_distillation/{name}": pytest.approx(value) for name, value in wanted.items()}


def test_the_named_set_is_the_datasets_demonstrations_and_nothing_else():
    config = RepromptConfig(**SDFT_BEHAVIOUR)
    plan, without = plan_reprompts([rollout(feedback="F", privileged_context="D"), rollout(feedback="F")], config)
    assert (plan.demonstration, plan.feedback, without.has_target) == ("D", None, False)
    assert plan_reprompts([rollout()], RepromptConfig(**(dict(RECOMMENDED_BEHAVIOUR) | SDFT_BEHAVIOUR)))


def test_a_context_that_is_the_demonstration_cannot_be_shown_instead_of_feedback():
    with pytest.raises(ValueError, match="privileged_context_use='instead' has no effect with demonstration_source="):
        RepromptConfig(demonstration_source="dataset", privileged_context_use="instead")


@pytest.mark.parametrize("source", ["peers", None, True])
def test_an_unknown_source_of_demonstrations_is_refused(source):
    with pytest.raises(ValueError, match="demonstration_source="):
        RepromptConfig(demonstration_source=source)


def test_before_generation_the_teacher_is_shown_what_it_is_shown_afterwards():
    row = {"prompt": [{"role": "user", "content": "P"}], "privileged_context": "D", "extra_info": {"index": 0}}
    config = RepromptConfig(**SDFT_BEHAVIOUR)
    [afterwards] = plan_reprompts([rollout(response="R", score=1.0, privileged_context="D")], config)
    assert plan_before_generation(row, config) == afterwards
    nothing = plan_before_generation(row | {"privileged_context": None}, config)
    assert not nothing.has_target
    assert nothing.render() == row["prompt"]
