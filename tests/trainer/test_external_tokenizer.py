# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""An external teacher must read the ids that the student writes."""

import pytest
from omegaconf import OmegaConf
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from verl_sdpo.trainer.sdpo_trainers import check_external_tokenizer

CONFIG = OmegaConf.create({"actor_rollout_ref": {"model": {"trust_remote_code": False}}})


def tokenizer(*words):
    inner = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token=words[0]))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=inner, unk_token=words[0], pad_token=words[0], eos_token=words[1])


STUDENT = ("[UNK]", "end", "one", "two")


def test_without_an_external_teacher_there_is_nothing_to_compare():
    check_external_tokenizer(tokenizer(*STUDENT), None, CONFIG)


def test_the_same_ids_pass(tmp_path):
    tokenizer(*STUDENT).save_pretrained(tmp_path)
    check_external_tokenizer(tokenizer(*STUDENT), str(tmp_path), CONFIG)


@pytest.mark.parametrize(
    ("words", "named"),
    [(("[UNK]", "end", "two", "one"), "'one', 'two'"), ((*STUDENT, "three"), "'three'"), (STUDENT[:3], "'two'")],
    ids=["other ids", "one more", "one less"],
)
def test_other_ids_are_refused_with_path_and_tokens(tmp_path, words, named):
    tokenizer(*words).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="choose a teacher with the student's tokenizer") as caught:
        check_external_tokenizer(tokenizer(*STUDENT), str(tmp_path), CONFIG)
    assert str(tmp_path) in str(caught.value)
    assert named in str(caught.value)
