# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The validation of the self-teacher: what is asked the second time, and what becomes of verl's first validation."""

import types

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from verl_sdpo.algorithm.reprompt_config import RepromptConfig
from verl_sdpo.config import SelfDistillationConfig
from verl_sdpo.trainer.teacher_validation import TeacherValidation, reprompted_batches, teacher_metrics

ROOM = 10_000


def render(messages, extra_info=None):
    """A token a character."""
    return list("".join(message["content"] for message in messages))


def objects(*items):
    column = np.empty(len(items), dtype=object)
    column[:] = items
    return column


def ask(question):
    return [{"role": "user", "content": question}]


def batch(*questions, **columns):
    return {
        "raw_prompt": objects(*(ask(question) for question in questions)),
        "dummy_tensor": torch.arange(len(questions)),
        "data_source": objects(*["source"] * len(questions)),
        **columns,
    }


def answer(uid, response, score, feedback=None):
    return {"uid": uid, "response": response, "score": score, "feedback": feedback}


def reprompt(batches, answers, config=None, max_len=ROOM):
    return reprompted_batches(batches, answers, config or RepromptConfig(), max_len, render, ())


def contents(batches):
    return [messages[-1]["content"] for rows in batches for messages in rows["raw_prompt"]]


def test_each_answer_becomes_a_row_that_is_answered_once():
    batches = [batch("Q1", "Q2", uid=objects("a", "b")), batch("Q3", uid=objects("c"))]
    # In any order: answers come as they are finished.
    answers = [
        answer("b", "wrong", 0.0, "no, it is 2"),
        answer("c", "bad", 0.0, "no, it is 3"),
        answer("a", "right", 1.0),
        answer("a", "off", 0.0, "no, it is 1"),
    ]
    first, second = reprompt(batches, answers)
    assert first["dummy_tensor"].tolist() == [0, 0, 1]
    assert second["dummy_tensor"].tolist() == [0]
    assert list(first["data_source"]) == ["source"] * 3
    assert list(first["__rollout_n__"]) == [1, 1, 1]
    assert "uid" not in first
    # A lone success has nothing to be shown; its failed peer is shown it, and so not its own feedback.
    assert contents([first])[0] == "Q1"
    assert "Correct solution:\n\nright" in contents([first])[1]
    assert "it is 1" not in contents([first])[1]
    assert "no, it is 2" in contents([first])[2]
    assert "no, it is 3" in contents([second])[0]


def test_the_batches_themselves_stay_as_they_are():
    batches = [batch("Q1", uid=objects("a"))]
    reprompt(batches, [answer("a", "off", 0.0, "no")])
    assert batches[0]["raw_prompt"][0] == ask("Q1")
    assert batches[0]["uid"][0] == "a"


def test_a_row_without_an_answer_is_not_asked_again_and_an_empty_batch_is_left_out():
    batches = [batch("Q1", uid=objects("a")), batch("Q2", "Q3", uid=objects("b", "c"))]
    [rows] = reprompt(batches, [answer("c", "off", 0.0, "no")])
    assert rows["dummy_tensor"].tolist() == [1]


def test_the_rows_own_hint_is_shown_as_in_training():
    rows = batch("Q1", uid=objects("a"), privileged_context=objects("think of ducks"))
    [text] = contents(reprompt([rows], [answer("a", "off", 0.0)]))
    assert "think of ducks" in text


def test_a_prompt_without_room_is_shortened_in_what_was_added_and_at_worst_is_the_question():
    rows = batch("Q" * 20, uid=objects("a"))
    answers = [answer("a", "off", 0.0, "x" * 500)]
    [text] = contents(reprompt([rows], answers, max_len=300))
    assert len(text) <= 300
    assert text.startswith("Q" * 20)
    assert text.endswith("Correctly solve the original question.")
    assert contents(reprompt([rows], answers, max_len=25)) == ["Q" * 20]


def test_only_verls_core_metrics_get_the_new_name():
    metrics = {"val-core/source/acc/mean@1": 0.5, "val-aux/source/score/mean@1": 0.5, "val-aux/num_turns/min": 2}
    assert teacher_metrics(metrics) == {"val-self-teacher/source/acc/mean@1": 0.5}


class FakeVerlTrainer:
    """The parts of `PPOTrainer._validate` that count here: uids are given, answers collected, hooks called."""

    def _validate(self):
        uids, outputs, scores, feedback = [], [], [], []
        for number, rows in enumerate(self.val_dataloader):
            rows["uid"] = objects(*(f"{number}-{place}" for place in range(len(rows["raw_prompt"]))))
            for uid, messages in zip(rows["uid"], rows["raw_prompt"], strict=True):
                knows = "It is 7." in messages[-1]["content"]
                uids.append(uid)
                outputs.append("7" if knows else "6")
                scores.append(float(knows))
                feedback.append("" if knows else "It is 7.")
        self._maybe_log_val_generations(inputs=[""] * len(uids), outputs=outputs, scores=scores)
        infos = {"reward": scores, "acc": scores} | ({"feedback": feedback} if self.gives_feedback else {})
        infos |= {"sandbox_error": self.unclear} if self.unclear else {}
        return self._val_metrics_update(["source"] * len(uids), uids, infos, [], expected_acc_counts={})

    def _maybe_log_val_generations(self, inputs, outputs, scores):
        self.logged.append(outputs)

    def _val_metrics_update(self, data_sources, sample_uids, reward_extra_infos_dict, sample_turns, **_):
        scores = reward_extra_infos_dict["acc"]
        return {"val-core/source/acc/mean@1": sum(scores) / len(scores)}


class Trainer(TeacherValidation, FakeVerlTrainer):
    def __init__(self, is_wanted=True, gives_feedback=True, unclear=()):
        self.config = OmegaConf.create(
            {
                "trainer": {"validate_self_teacher": is_wanted},
                "actor_rollout_ref": {"rollout": {"prompt_length": ROOM}},
            }
        )
        self.gives_feedback, self.unclear = gives_feedback, list(unclear)
        self.self_distillation = SelfDistillationConfig()
        self.prompt_renderer = render
        self.tokenizer = types.SimpleNamespace(all_special_tokens=[])
        self.val_dataloader = self.loader = [batch("Q1", "Q2"), batch("Q3")]
        self.logged = []


def test_the_self_teachers_accuracy_stands_beside_the_students():
    trainer = Trainer()
    assert trainer._validate() == {"val-core/source/acc/mean@1": 0.0, "val-self-teacher/source/acc/mean@1": 1.0}
    assert trainer.logged == [["6", "6", "6"], ["7", "7", "7"]]
    assert trainer.val_dataloader is trainer.loader


def test_every_validation_starts_from_the_plain_questions():
    trainer = Trainer()
    assert trainer._validate() == trainer._validate()


def test_rewards_without_feedback_leave_the_plain_question():
    metrics = Trainer(gives_feedback=False)._validate()
    assert metrics["val-self-teacher/source/acc/mean@1"] == 0.0


def test_an_answer_without_a_verdict_is_asked_its_plain_question():
    trainer = Trainer(unclear=[0.0, 1.0, 0.0])
    trainer._validate()
    assert trainer.logged[1] == ["7", "6", "7"]


def test_by_default_verl_validates_once():
    trainer = Trainer(is_wanted=False)
    assert trainer._validate() == {"val-core/source/acc/mean@1": 0.0}
    assert len(trainer.logged) == 1


def test_the_loader_comes_back_after_an_error(monkeypatch):
    trainer = Trainer()

    def fail(*_, **__):
        raise RuntimeError("no engine")

    monkeypatch.setattr(FakeVerlTrainer, "_val_metrics_update", fail)
    with pytest.raises(RuntimeError, match="no engine"):
        trainer._validate()
    assert trainer.val_dataloader is trainer.loader
