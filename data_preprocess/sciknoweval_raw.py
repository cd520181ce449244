# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""SciKnowEval as the hub has it: which records the published splits are made of, and into which split each goes.

The published splits were drawn with a seed from the records' order, so a record's number tells its split. The numbers
and fingerprints of their test questions lie in ``sciknoweval_test_questions.txt``, which tells too when the hub's
records are no longer those that the splits were made of.
"""

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

from data_preprocess.answer_prompts import LETTERS, PUBLISHED_CHOICE_PROMPT, choice_question
from data_preprocess.dataset import LeftOut, Place, Record, Refused, Row, text_field
from data_preprocess.uniqueness import prompt_hash

# How many questions the published splits of a domain have together.
NUM_QUESTIONS = {"biology": 500, "chemistry": 2100, "material": 935, "physics": 800}
_LIST = Path(__file__).with_name("sciknoweval_test_questions.txt")
_LEVEL, _TYPES = "L3", ("mcq-2-choices", "mcq-4-choices")
_FINGERPRINT_BYTES = 8


def is_raw(record: object) -> bool:
    """Whether a record is in the hub's form, as far as its fields tell."""
    return isinstance(record, Mapping) and {"question", "choices"} <= set(record)


def as_published(record: Record, number: int) -> dict[str, str | int]:
    """A record of the hub in the form of the published files.

    Args:
        record: of multiple choice.
        number: among the domain's questions, from 0, which is what the published files call ``idx``.

    Raises:
        Refused: its options are not as they should be.
    """
    choices = record["choices"]
    if not isinstance(choices, Mapping):
        raise Refused(f"'choices' must be an object, is {type(choices).__name__}")
    texts, labels = (choices.get(name) for name in ("text", "label"))
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Refused("'choices.text' must be a list of texts")
    if labels != list(LETTERS[: len(texts)]):
        shown = ", ".join(map(str, labels)) if isinstance(labels, list) else labels
        raise Refused(f"'choices.label' must name each text, A, B ...; is {shown}", "'choices.label' does not fit")
    return {
        "prompt": choice_question(text_field(record, "question"), texts),
        "system": PUBLISHED_CHOICE_PROMPT,
        "answer": text_field(record, "answerKey"),
        "idx": number,
    }


class PublishedSplit:
    """The published split of one domain, for records of the hub in their order.

    What it remembers belongs to the records and not to the split that is read, so that a second reading of the source
    decides the same.
    """

    def __init__(self, domain: str) -> None:
        self.domain = domain
        self._test = _test_questions()[domain]  # fingerprints, None for physics, by number
        self._numbers: dict[int, int] = {}  # by row of the source
        self._found: dict[str, int] = {}  # row of the source by fingerprint

    def number(self, record: Record, place: Place) -> int:
        """The number of a question among those of the domain, from 0.

        Raises:
            LeftOut: it is of another domain, level or type.
            Refused: it does not say of which.
        """
        if text_field(record, "domain").casefold() != self.domain:
            raise LeftOut("--domain")
        details = record.get("details")
        if not isinstance(details, Mapping) or "level" not in details:
            raise Refused("'details.level' is missing")
        if details["level"] != _LEVEL:
            raise LeftOut(f"level, which is not {_LEVEL}")
        if record.get("type") not in _TYPES:
            raise LeftOut("type, which is not multiple choice")
        return self._numbers.setdefault(place.row, len(self._numbers))

    def check_split(self, row: Row, place: Place, number: int) -> None:
        """Raises LeftOut where the question belongs to the other split than ``place``'s."""
        if (place.split == "test") != self._is_test(row, place, number):
            raise LeftOut("split, which is the other one")

    def remarks(self, split: str) -> Iterator[str]:
        """How far the records are those of the published splits, once all are read."""
        found, published = len(self._numbers), NUM_QUESTIONS[self.domain]
        if split == "train":
            if found == published:
                yield f"questions of level {_LEVEL} in both splits: {found}, as published"
            else:
                yield (
                    f"WARNING: questions of level {_LEVEL} in both splits: {found}, published were {published}: "
                    "not the records that the published splits were made of"
                )
            return
        if not self._has_fingerprints:
            yield (
                f"the {len(self._test)} test questions of {self.domain} are chosen by their numbers, drawn as those of "
                "the other domains were; that they are the published ones could not be checked"
            )
            return
        told = f"test questions found: {len(self._found)} of {len(self._test)}"
        yield told if len(self._found) == len(self._test) else f"WARNING: {told}: test is not the published split"
        numbers = {fingerprint: number for number, fingerprint in self._test.items()}
        moved = sum(self._numbers[row] != numbers[fingerprint] for fingerprint, row in self._found.items())
        if moved:
            yield f"WARNING: {moved} of them have another number than in the published files: source_id is not theirs"

    @property
    def _has_fingerprints(self) -> bool:
        return None not in self._test.values()

    def _is_test(self, row: Row, place: Place, number: int) -> bool:
        if not self._has_fingerprints:
            return number in self._test
        found = fingerprint(row)
        if found not in self._test.values():
            return False
        # Where a question is asked twice, the first one is the listed one.
        return self._found.setdefault(found, place.row) == place.row


def fingerprint(row: Row) -> str:
    """Of a row's question, as the list has it."""
    return prompt_hash(row)[:_FINGERPRINT_BYTES].hex()


@functools.cache
def _test_questions() -> dict[str, dict[int, str | None]]:
    """By domain: fingerprints of the published test questions by their number; None where they are not known."""
    questions: dict[str, dict[int, str | None]] = {}
    for line in _LIST.read_text(encoding="ascii").splitlines():
        if not line.startswith("#"):
            domain, number, *rest = line.split()
            questions.setdefault(domain, {})[int(number)] = rest[0] if rest else None
    return questions
