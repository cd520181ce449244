# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A response cut into what its tokens say."""

import pytest

from recipe.tiny_model import build_tokenizer
from verl_sdpo.reports.token_text import name_of, pieces


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


@pytest.mark.parametrize("text", ["", "plain words\n", "Über 日本 👩‍💻", "<|im_start|>a<|im_end|>", "  spaces  "])
def test_the_pieces_are_the_text(tokenizer, text):
    ids = tokenizer.encode(text)
    found = pieces(tokenizer, ids)
    assert len(found) == len(ids)
    assert "".join(found) == text


def test_a_character_of_several_tokens_stands_at_its_last(tokenizer):
    assert pieces(tokenizer, tokenizer.encode("aÜ日b")) == ["a", "", "Ü", "", "", "日", "b"]


def test_bytes_that_are_no_character_are_marked_wherever_they_stand(tokenizer):
    broken = tokenizer.encode("日")[:2]
    assert pieces(tokenizer, broken) == ["", "\ufffd"]
    found = pieces(tokenizer, [*broken, *tokenizer.encode("ab")])
    assert (found[0], found[1]) == ("", "")
    assert "".join(found) == "\ufffdab"


def test_long_texts_take_time_in_proportion(tokenizer):
    class Counting:
        def __init__(self):
            self.decoded = 0

        def decode(self, ids):
            self.decoded += len(ids)
            return tokenizer.decode(ids)

    for ids in (tokenizer.encode("日本語 " * 200), tokenizer.encode("日")[:1] * 2000):
        counting = Counting()
        pieces(counting, ids)
        assert counting.decoded < 20 * len(ids)


def test_an_id_has_its_text_as_name_or_is_named_as_bytes(tokenizer):
    [a] = tokenizer.encode("a")
    assert name_of(tokenizer, a) == "a"
    first_byte = tokenizer.encode("日")[0]
    # The letter that byte-level vocabularies write for the byte 0xe6 is its Latin-1 one.
    assert name_of(tokenizer, first_byte) == "<bytes æ>"
