# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""verl's synchronous trainer on one question after the other.

verl's loop (`PPOTrainer.fit`, verl 0.9.1) stays as it is: its batches are the next attempts at the present question,
and where a step has ended the question, the workers return to the base before `on_step_end` sends their weights to the
rollout engine. A method that does not learn leaves a step at its rollouts.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import ray
from omegaconf import DictConfig, open_dict
from tensordict import TensorDict
from transfer_queue import KVBatchMeta
from verl.utils import tensordict_utils as tu
from verl.utils.dataset.rl_dataset import collate_fn
from verl.utils.debug import marked_timer

from verl_sdpo.checkpoint.manifest import Manifest
from verl_sdpo.config.test_time import TestTimeConfig
from verl_sdpo.test_time.multi_turn import next_prompt
from verl_sdpo.test_time.recorder import start_recorder
from verl_sdpo.test_time.recording import FIRST_ATTEMPT, QUESTION
from verl_sdpo.test_time.run_files import RunFiles
from verl_sdpo.test_time.start import identity_of
from verl_sdpo.test_time.turns import Question, Questions, Rules, num_to_keep
from verl_sdpo.trainer.batch_fields import join_groups, num_generated, read_judged
from verl_sdpo.trainer.fixed_order import seed_process

logger = logging.getLogger(__name__)

MANAGER = "verl_sdpo.test_time.recording.RecordingManager"
# In a checkpoint's manifest: the question that its model has learned from, and how many of its attempts.
PLACE = "test_time"
# verl's column for the number of sessions of a row.
_NUM_SESSIONS = "__rollout_n__"


def extend(config: DictConfig, trainer_class: type) -> type:
    """The trainer of a test-time run, and its agent loop workers; called in the task runner's process."""
    with open_dict(config):
        config.actor_rollout_ref.rollout.agent.agent_loop_manager_class = MANAGER
    return type("TestTimeTrainer", (OneQuestionAtATime, trainer_class), {})


class OneQuestionAtATime:
    """To stand before all other bases of a synchronous SDPO trainer."""

    # --- before the first step

    def init(self) -> None:
        self.test_time = TestTimeConfig.of(self.config)
        super().init()

    def _init_dataloader(self) -> None:
        super()._init_dataloader()
        options = self.test_time
        rows = range(len(self.train_dataset)) if options.questions is None else options.questions
        if dropped := self.row_metrics["data/train_rows_dropped"]:
            raise ValueError(
                f"data.max_prompt_length={self.config.data.max_prompt_length} drops {dropped:g} rows of "
                "data.train_files, and test_time.questions would name others: raise it, or set "
                "data.filter_overlong_prompts=False"
            )
        self.identity = identity_of(self.config, options)
        self.run_files = RunFiles(Path(options.output_dir))
        self.results = self.run_files.read_results(self.identity)
        # From the start, so that another run is not mixed into this one.
        self.run_files.write_results(self.identity, self.results)
        rules = Rules(options.budget, self._attempts_per_step(), options.stop_at_first_success)
        self.questions = Questions(list(map(str, rows)), rules, self._take_up(rules), self.results)
        # verl ends at its last step or epoch, this run with its last question.
        self.total_training_steps = self.steps_per_epoch = len(rows) * 2 * options.budget + 1
        with open_dict(self.config):
            # A schedule goes over one question.
            steps = -(-options.budget // rules.per_step)
            self.config.actor_rollout_ref.actor.optim.total_training_steps = steps
        logger.info("test time: %s on %d questions, %d are done", options.method, len(rows), len(self.results))

    def _attempts_per_step(self) -> int:
        if self.test_time.method == "multi_turn":
            return 1
        return self.config.data.train_batch_size * self.config.actor_rollout_ref.rollout.n

    def _take_up(self, rules: Rules) -> dict[str, list]:
        """The turns that a run goes on from; what it has to make again is taken out of the files."""
        turns = self.run_files.read_turns()
        place = self._checkpoint_place()
        learned = {place["question"]: place["attempts"]} if place else {}
        kept = num_to_keep(turns, rules, self.results, learned if self.test_time.learns else None)
        if dropped := self.run_files.keep(kept):
            logger.warning("test time: %d attempts are made again; the old ones are in dropped.jsonl", dropped)
        return {name: found[: kept[name]] for name, found in turns.items()}

    def _checkpoint_place(self) -> dict[str, Any] | None:
        manifest = self.resumed_from.manifest
        return None if manifest is None else manifest.run.get(PLACE)

    def _load_checkpoint(self) -> None:
        # Of the fresh model, before a checkpoint's weights are there.
        if self.test_time.learns:
            self.base_digests = self.actor_rollout_wg.remember_base(self.config.trainer.seed)
        total_steps = self.total_training_steps
        super()._load_checkpoint()
        self._close_questions()
        if self.test_time.learns and self.global_steps > 0:
            place, current = self._checkpoint_place(), self.questions.current()
            is_same = bool(place and current and place["question"] == current[0].name and current[0].turns)
            if not is_same:
                self._return_to_base()
        self._count_on(total_steps)
        threshold = self.self_distillation.reprompt.success_reward_threshold
        self.recorder = start_recorder(Path(self.test_time.output_dir), threshold)

    def _count_on(self, total_steps: int) -> None:
        """Number of the step, time and generations go on after the last step of which attempts are kept.

        A method that does not learn has no checkpoint that would know them. SDPO's knows them up to its own step. A
        later one is kept only if it ended a question: then the checkpoint's model is not gone on with, nor can a
        later checkpoint get a number that is there, since numbers only grow.

        Args:
            total_steps: the bound from before the checkpoint's own counts may have lowered it.
        """
        spent = self.run_files.read_spent()
        if spent is None or spent["step"] <= self.global_steps:
            return
        self.global_steps = spent["step"]
        self.budget.load_state_dict(self.budget.state_dict() | spent)
        self.total_training_steps = total_steps
        self._end_if_spent()

    def on_train_begin(self) -> None:
        super().on_train_begin()
        if self.questions.num_waiting == 0:
            logger.info("test time: all questions are done")
            self.total_training_steps = self.global_steps - 1

    # --- a step

    def _next_train_batch(self, *args: Any, **kwargs: Any) -> TensorDict:
        self._asked = {
            question.name: question.next_attempts()
            for question in self.questions.current(self.test_time.concurrent_questions)
        }
        seed_process(self.config.trainer.seed, "test_time", *self._asked.items())
        rows = [row for name, attempts in self._asked.items() for row in self._rows(self.questions[name], attempts)]
        self._num_rows = len(rows)
        batch = tu.get_tensordict(collate_fn(rows))
        tu.assign_non_tensor_data(batch, "global_steps", self.global_steps)
        return batch

    def _rows(self, question: Question, attempts: range) -> list[dict[str, Any]]:
        per_row = self.config.actor_rollout_ref.rollout.n
        rows = []
        for start in range(0, len(attempts), per_row):
            numbers = attempts[start : start + per_row]
            row = dict(self.train_dataset[int(question.name)])
            if self.test_time.method == "multi_turn":
                row["raw_prompt"] = self._next_prompt(question, row)
            row["uid"] = f"q{question.name}-{numbers[0]:08d}"
            row |= {QUESTION: question.name, FIRST_ATTEMPT: numbers[0], _NUM_SESSIONS: len(numbers)}
            rows.append(row)
        return rows

    def _next_prompt(self, question: Question, row: dict[str, Any]) -> list[dict[str, Any]]:
        limit = self.test_time.max_prompt_tokens or self.config.actor_rollout_ref.rollout.prompt_length
        messages, self._num_shown = next_prompt(
            list(row["raw_prompt"]),
            question.turns,
            self.test_time.context,
            self.self_distillation.reprompt.templates,
            lambda messages: len(self.prompt_renderer(messages, row.get("extra_info"))),
            limit,
            self.tokenizer.all_special_tokens,
        )
        return messages

    def _step_once(self, metrics: dict[str, Any], timing_raw: dict[str, float], *args: Any) -> KVBatchMeta:
        if self.test_time.learns:
            batch = super()._step_once(metrics, timing_raw, self._num_rows)
        else:
            batch = self._only_generate(metrics, timing_raw, self._num_rows)
        with marked_timer("test_time", timing_raw):
            for name, attempts in self._asked.items():
                turns = ray.get(self.recorder.take.remote(name, self.global_steps, list(attempts)))
                self.questions[name].add(turns)
            metrics.update(self._progress())
            if self._close_questions() and self.test_time.learns:
                self._return_to_base()
        if self.questions.num_waiting == 0:
            self.total_training_steps = self.global_steps
        return batch

    def _only_generate(self, metrics: dict[str, Any], timing_raw: dict[str, float], num_rows: int) -> KVBatchMeta:
        with marked_timer("gen", timing_raw, color="red"):
            self.on_sample_begin()
            batch, found = self.replay_buffer.sample(
                global_steps=self.global_steps, partition_id="train", batch_size=num_rows
            )
            self.on_sample_end()
        metrics.update(found)
        self.verdict_watch.add([sample for sample in read_judged(batch) if sample is not None])
        return batch

    def _balance_batch(self, batch: KVBatchMeta, metrics: dict[str, Any], *args: Any, **kwargs: Any) -> KVBatchMeta:
        # A question that stands in a batch several times is one group: its attempts share their demonstrations.
        [name] = self._asked
        return super()._balance_batch(join_groups(batch, f"question-{name}"), metrics, *args, **kwargs)

    def _close_questions(self) -> bool:
        """Write down the results of questions that are over; whether there were any."""
        over = [question for question in self.questions.current(self.questions.num_waiting) if question.is_over]
        for question in over:
            self.results[question.name] = question.result()
            self.run_files.write_results(self.identity, self.results)
            self.questions.close(question.name)
            logger.info("test time: question %s: %s", question.name, question.result())
        return bool(over)

    def _return_to_base(self) -> None:
        """Student, optimizer, schedule, teacher and random states as they were before the first question."""
        digests = self.actor_rollout_wg.return_to_base()
        if digests != self.base_digests:
            raise RuntimeError(
                f"the model is not what it was before the first question: {digests} instead of {self.base_digests}"
            )
        logger.info("test time: back at the base %s", digests[0])

    def _progress(self) -> dict[str, float]:
        asked = [self.questions[name] for name in self._asked]
        progress = {
            "test_time/question": float(asked[0].name),
            "test_time/generations": float(asked[0].generations),
            "test_time/successes": float(asked[0].num_successes),
            "test_time/questions_done": float(len(self.results)),
        }
        if self.test_time.method == "multi_turn":
            progress["test_time/turns_shown"] = float(self._num_shown)
        return progress

    # --- what a method that does not learn has no use for

    def on_sample_end(self) -> None:
        # The rollout engine keeps its weights: nothing else needs their memory.
        if self.test_time.learns:
            super().on_sample_end()

    def on_step_end(self) -> None:
        if self.test_time.learns:
            super().on_step_end()

    def _save_checkpoint(self) -> None:
        if self.test_time.learns:
            super()._save_checkpoint()

    def _manifest(self) -> Manifest:
        manifest = super()._manifest()
        current = self.questions.current()
        if current:
            manifest.run[PLACE] = {"question": current[0].name, "attempts": len(current[0].turns)}
        return manifest

    def _compute_metrics(
        self, batch: KVBatchMeta, metrics: dict[str, Any], timing_raw: dict[str, float], *args: Any, **kwargs: Any
    ) -> None:
        if self.test_time.learns:
            super()._compute_metrics(batch, metrics, timing_raw, *args, **kwargs)
        else:
            # verl's are about updates.
            metrics.update({f"timing_s/{name}": seconds for name, seconds in timing_raw.items()})
            self.budget.spend(timing_raw["step"], num_generated(batch))
            metrics.update({"budget/seconds": self.budget.seconds, "budget/generations": self.budget.generations})
            self._plan_end()
        self.run_files.write_spent(self.global_steps, self.budget.state_dict())
