# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Shortening cuts what was added to the question and nothing else."""

from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verl_sdpo.algorithm.reprompt import Reprompt
from verl_sdpo.algorithm.reprompt_config import RepromptConfig
from verl_sdpo.algorithm.shorten import CUT_MARK, cut_middle, shorten_reprompt

QUESTION = "What is the sum of 2 and 2?"
PROMPT = ({"role": "system", "content": "You are brief."}, {"role": "user", "content": QUESTION})
PIECES = ("demonstration", "feedback", "privileged_context")


def reprompt(demonstration=None, feedback=None, privileged_context=None, prompt=PROMPT):
    return Reprompt(prompt, demonstration, feedback, privileged_context, RepromptConfig().templates)


def test_a_long_attempt_is_cut_and_the_short_feedback_on_it_stays_whole():
    texts = RepromptConfig(own_attempt_template="\nAttempt: {own_attempt_raw}").templates
    plan = Reprompt(PROMPT, None, "the feedback", None, texts, own_attempt=words(500))
    shortened = shorten_reprompt(plan, 100, num_words)
    text = shortened.reprompt.render()[-1]["content"]
    assert shortened.fits
    assert num_words(shortened.reprompt.render()) <= 100
    assert "the feedback" in text
    assert QUESTION in text
    assert CUT_MARK in text


def num_words(messages):
    return sum(len(message["content"].split()) for message in messages)


def num_characters(messages):
    return sum(len(message["content"]) for message in messages)


def words(num):
    return " ".join(f"w{i}" for i in range(num))


class Counting:
    def __init__(self, count):
        self.count, self.calls = count, 0

    def __call__(self, messages):
        self.calls += 1
        return self.count(messages)


def test_a_prompt_that_fits_is_returned_as_it_is_after_one_count():
    plan = reprompt(words(50))
    length = num_words(plan.render())
    count = Counting(num_words)
    shortened = shorten_reprompt(plan, length, count)
    assert (shortened.reprompt, shortened.was_shortened, shortened.fits) == (plan, False, True)
    assert count.calls == 1


def test_one_token_too_many_is_shortened():
    plan = reprompt(words(500))
    length = num_words(plan.render()) - 1
    shortened = shorten_reprompt(plan, length, num_words)
    assert shortened.was_shortened
    assert shortened.fits
    assert num_words(shortened.reprompt.render()) <= length


def test_only_the_middle_of_a_piece_is_taken_out():
    plan = reprompt(words(1000))
    shown = shorten_reprompt(plan, 400, num_words).reprompt.demonstration
    head, tail = shown.split(CUT_MARK)
    assert plan.demonstration.startswith(head)
    assert plan.demonstration.endswith(tail)
    assert 0 <= len(head) - len(tail) <= 1


def test_question_system_turn_and_template_stay_whole():
    plan = reprompt(words(1000), words(700), words(300))
    shortened = shorten_reprompt(plan, 300, num_words).reprompt
    sections = [
        f"{QUESTION}\nCorrect solution:\n\n{shortened.demonstration}",
        f"\nAdditional information on this question:\n\n{shortened.privileged_context}",
        f"\nThe following is feedback from your unsuccessful earlier attempt:\n\n{shortened.feedback}",
        "\n\nCorrectly solve the original question.",
    ]
    assert shortened.render() == [PROMPT[0], {"role": "user", "content": "".join(sections)}]


def test_the_longest_piece_is_cut_first_and_short_ones_stay_whole():
    plan = reprompt("s" * 4000, "short feedback that is complete", "c" * 1500)
    shortened = shorten_reprompt(plan, 3500, num_characters).reprompt
    assert shortened.feedback == plan.feedback
    assert shortened.privileged_context == plan.privileged_context
    assert CUT_MARK in shortened.demonstration
    both_cut = shorten_reprompt(plan, 1500, num_characters).reprompt
    assert both_cut.feedback == plan.feedback
    assert len(both_cut.demonstration) == len(both_cut.privileged_context) < 1500


@pytest.mark.parametrize("max_len", [1000, 10_000, 90_000])
def test_the_limit_is_used_with_few_counts(max_len):
    count = Counting(num_characters)
    shortened = shorten_reprompt(reprompt("s" * 100_000, "f" * 5_000), max_len, count)
    assert max_len * 63 / 64 <= num_characters(shortened.reprompt.render()) <= max_len
    assert count.calls <= 6


def test_few_counts_suffice_where_tokens_are_spread_unevenly():
    # All of the tokens are at the two ends, so that interpolation is always wrong.
    text = words(3000) + "x" * 100_000 + words(3000)
    count = Counting(num_words)
    assert shorten_reprompt(reprompt(text), 500, count).fits
    assert count.calls <= 20


def test_pieces_are_dropped_where_even_a_trace_of_them_does_not_fit():
    plan = reprompt(words(100), "F", words(50))
    shortened = shorten_reprompt(plan, num_words(PROMPT) + 3, num_words)
    assert (shortened.was_shortened, shortened.fits) == (True, False)
    assert not shortened.reprompt.has_target
    assert shortened.reprompt.render() == list(PROMPT)


def test_the_shortest_cut_decides_to_the_token_whether_pieces_are_dropped():
    plan = reprompt("s" * 100)
    shortest = num_characters(reprompt("s" + CUT_MARK).render())
    assert shorten_reprompt(plan, shortest, num_characters).reprompt.demonstration == "s" + CUT_MARK
    assert not shorten_reprompt(plan, shortest - 1, num_characters).fits


def test_a_question_that_is_too_long_by_itself_does_not_fit():
    plan = reprompt()
    shortened = shorten_reprompt(plan, 3, num_words)
    assert (shortened.reprompt, shortened.was_shortened, shortened.fits) == (plan, False, False)


def test_error_lets_short_prompts_pass_and_names_the_limit_for_long_ones():
    plan = reprompt(words(50))
    length = num_words(plan.render())
    assert shorten_reprompt(plan, length, num_words, truncation="error").reprompt == plan
    with pytest.raises(ValueError, match=f"max_reprompt_len={length - 1} .*{length} tokens") as error:
        shorten_reprompt(plan, length - 1, num_words, truncation="error")
    assert "\n" not in str(error.value)


def test_unknown_truncation_is_refused_even_for_a_short_prompt():
    with pytest.raises(ValueError, match="reprompt_truncation='right'"):
        shorten_reprompt(reprompt("S"), 1000, num_words, truncation="right")


@pytest.mark.parametrize("num_kept", range(0, 60))
def test_a_cut_text_is_never_longer_than_the_text(num_kept):
    text = "".join(chr(ord("A") + i % 26) for i in range(50))
    cut = cut_middle(text, num_kept)
    if cut != text:
        assert len(cut) == num_kept + len(CUT_MARK) < len(text)


pieces = st.none() | st.text(min_size=1, max_size=40) | st.integers(1, 300).map(words)


# The last two counts are not monotonic in the length, as a tokenizer's merges may be.
@settings(max_examples=300)
@given(
    pieces,
    pieces,
    pieces,
    st.integers(1, 900),
    st.sampled_from(
        [
            num_words,
            num_characters,
            lambda m: num_characters(m) % 97 + num_words(m),
            lambda m: crc32(str(m).encode()) % 900,
        ]
    ),
)
def test_what_fits_never_exceeds_the_limit(demonstration, feedback, context, max_len, count_tokens):
    plan = reprompt(demonstration, feedback, context)
    shortened = shorten_reprompt(plan, max_len, count_tokens)
    assert shorten_reprompt(plan, max_len, count_tokens) == shortened
    if shortened.fits:
        assert count_tokens(shortened.reprompt.render()) <= max_len
        shown = [name for name in PIECES if getattr(shortened.reprompt, name) is not None]
        assert shown == [name for name in PIECES if getattr(plan, name) is not None]
    else:
        assert not shortened.reprompt.has_target
    assert (shortened.reprompt != plan) == shortened.was_shortened
    assert shortened.reprompt.prompt == plan.prompt


# With a real tokenizer and a chat template of Qwen's shape

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
GENERATION_PROMPT = "<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def tokenizer():
    pytest.importorskip("jinja2")
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    model = tokenizers.models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[])
    byte_level = tokenizers.Tokenizer(model)
    byte_level.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    byte_level.decoder = tokenizers.decoders.ByteLevel()
    byte_level.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=byte_level, chat_template=CHAT_TEMPLATE)


def token_ids(tokenizer, messages):
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("unit", ["error in line 7\n", "答案是 42。", "👩‍👩‍👧 "])
def test_decoded_prompt_keeps_system_turn_question_request_and_generation_prompt(tokenizer, piece, unit):
    plan = reprompt(**{piece: unit * 2000})
    shortened = shorten_reprompt(plan, 1024, lambda messages: len(token_ids(tokenizer, messages)))
    ids = token_ids(tokenizer, shortened.reprompt.render())
    assert 1024 * 0.95 < len(ids) <= 1024
    text = tokenizer.decode(ids)
    assert text.startswith("<|im_start|>system\nYou are brief.<|im_end|>\n<|im_start|>user\n" + QUESTION)
    assert text.endswith(f"Correctly solve the original question.<|im_end|>\n{GENERATION_PROMPT}")
    assert text.count(CUT_MARK) == 1


def test_truncation_error_leaves_short_prompts_and_the_tokenizer_alone(tokenizer):
    before = (tokenizer.truncation_side, tokenizer.padding_side, tokenizer.model_max_length)
    plan = reprompt("S")
    count_tokens = Counting(lambda messages: len(token_ids(tokenizer, messages)))
    assert shorten_reprompt(plan, 1024, count_tokens, truncation="error").fits
    assert (tokenizer.truncation_side, tokenizer.padding_side, tokenizer.model_max_length) == before
