# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The page: data, style and code in one file that opens without a network.

All of it is text of a model or of programs that a model wrote. It is data to the page: JSON in which no character means
anything to HTML, and what is large is compressed, in base64. The code puts it in as text, never as HTML, and the page
forbids itself to load anything and to run any code but its own.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import math
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import torch

from verl_sdpo.reports.token_gaps import TokenGaps, TopIds
from verl_sdpo.reports.token_records import Sample, StepRecord
from verl_sdpo.reports.token_text import name_of, pieces

# Log-probabilities are sent as whole thousandths of a nat: a tenth of a percent of a probability.
_PER_NAT = 1000
# No reader of HTML sees a tag, an entity or a comment in these, and JSON means the same.
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&'"}


@dataclass
class TokenPage:
    """Collects responses; `html` is the page."""

    record: StepRecord
    tokenizer: Any
    # Sentences about the weights, for the head of the page.
    words: list[str]
    _index: list[dict[str, Any]] = field(default_factory=list)
    _packed: list[str] = field(default_factory=list)
    _ids: set[int] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self._index)

    def add(self, sample: Sample, gaps: TokenGaps | None) -> None:
        """A response; `gaps` is None where it has no target."""
        counts = sample.counts(self.record.options.skip_first_tokens)
        if gaps is not None:
            for ids in (gaps.student_top.ids, gaps.teacher_top.ids):
                self._ids.update(ids.unique().tolist())
        self._index.append(self._entry(sample, gaps, counts))
        self._packed.append(packed(self._details(sample, gaps, counts)))

    def divergence(self) -> float | None:
        """The mean over all counted tokens on the page: what the run logs, of these responses.

        None: no token counts, or the mean is not finite.
        """
        counted = [entry for entry in self._index if entry["counted"]]
        if any(entry["divergence"] is None for entry in counted):
            return None
        tokens = sum(entry["counted"] for entry in counted)
        return sum(entry["divergence"] * entry["counted"] for entry in counted) / tokens if tokens else None

    def html(self) -> str:
        """The whole file."""
        style, code = _part("css"), _part("js")
        vocabulary = {token_id: name_of(self.tokenizer, token_id) for token_id in sorted(self._ids)}
        data = [_data("page", self._facts()), _data("index", self._index), _data("vocabulary", vocabulary)]
        data += [f'<script type="text/plain" id="response-{n}">{text}</script>' for n, text in enumerate(self._packed)]
        return _filled(
            _part("html"),
            STYLE=style,
            STYLE_HASH=_hash(style),
            CODE=code,
            CODE_HASH=_hash(code),
            DATA="\n".join(data),
        )

    def _facts(self) -> dict[str, Any]:
        record = self.record
        return {
            "title": f"Step {record.step} of {record.experiment}",
            "about": [*self.words, objective_in_words(record), self._extent()],
        }

    def _extent(self) -> str:
        divergence, broken = self.divergence(), sum(not entry["finite"] for entry in self._index)
        shown = f"{len(self._index)} of the step's {len(self.record.samples)} responses"
        if broken:
            shown += f"; {broken} of them have numbers that are not finite, as of a model that has diverged"
        if divergence is not None:
            return f"{shown}; over their counted tokens the mean divergence is {divergence:.3g} nat."
        if any(entry["counted"] for entry in self._index):
            return f"{shown}, and so has their mean divergence."
        return f"{shown}; none has a target."

    def _entry(self, sample: Sample, gaps: TokenGaps | None, counts: list[bool]) -> dict[str, Any]:
        counted = torch.tensor(counts, dtype=torch.bool)
        has_numbers = gaps is not None and bool(counted.any())
        return {
            "uid": sample.uid,
            "score": _finite(sample.score),
            "success": sample.score >= self.record.options.reprompt.success_reward_threshold,
            "target": sample.has_target,
            "tokens": len(sample.response),
            "counted": sum(counts),
            "divergence": _finite(gaps.divergence[counted].double().mean().item()) if has_numbers else None,
            "widest": _finite(gaps.gap[counted].abs().max().item()) if has_numbers else None,
            # What of the above, and of the tokens, is null where there is a target is not finite.
            "finite": gaps is None or _is_finite(gaps),
        }

    def _details(self, sample: Sample, gaps: TokenGaps | None, counts: list[bool]) -> dict[str, Any]:
        read = self.tokenizer.decode
        details = {
            "question": read(sample.student_prompt),
            "teacher_prompt": None if sample.teacher_prompt is None else read(sample.teacher_prompt),
            "feedback": sample.feedback,
            "shown": sample.shown,
            "pieces": pieces(self.tokenizer, sample.response),
            "ids": sample.response,
            "counts": [int(flag) for flag in counts],
        }
        if gaps is not None:
            details |= {
                "student": _whole(gaps.student_log_probs),
                "teacher": _whole(gaps.teacher_log_probs),
                "divergence": [_finite(float(f"{value:.3g}")) for value in gaps.divergence.tolist()],
                "student_top": _lists(gaps.student_top),
                "teacher_top": _lists(gaps.teacher_top),
            }
        return details


def objective_in_words(record: StepRecord) -> str:
    """What `divergence` on the page is."""
    options = record.options
    ends = {0.0: "forward KL(teacher, student)", 1.0: "reverse KL(student, teacher)"}
    name = ends.get(options.alpha, f"generalised Jensen-Shannon, alpha {options.alpha}")
    if options.distillation_mode in ("sampled_token", "sampled_sequence"):
        what = "the sampled token's log p - log q, whose mean estimates the reverse KL"
    elif options.distillation_mode == "full_logits":
        what = f"{name}, over the whole vocabulary"
    else:
        whose = {"student": "the student's", "teacher": "the teacher's", "union": "both models'"}
        tail = " and all others as one" if options.distillation_add_tail else ""
        what = f"{name}, over {whose[options.distillation_support]} {options.topk} most probable ids{tail}"
    return f"Divergence: {what}; temperature {record.temperature:g}; before importance and sample weights."


def packed(value: Any) -> str:
    """Base64 of gzip of JSON: ASCII letters, digits, +, / and = alone."""
    text = _json(value)
    # No time of day in it: the same numbers are the same page.
    return base64.b64encode(gzip.compress(text.encode("ascii"), compresslevel=6, mtime=0)).decode("ascii")


def _data(name: str, value: Any) -> str:
    text = _json(value).translate(_ESCAPES)
    return f'<script type="application/json" id="{name}">{text}</script>'


def _json(value: Any) -> str:
    # Python would write NaN and Infinity, which no browser reads.
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _is_finite(gaps: TokenGaps) -> bool:
    numbers = [gaps.student_log_probs, gaps.teacher_log_probs, gaps.divergence]
    numbers += [gaps.student_top.log_probs, gaps.teacher_top.log_probs]
    return all(bool(each.isfinite().all()) for each in numbers)


def _whole(log_probs: torch.Tensor) -> list[int | None]:
    """Minus the log-probabilities, in thousandths of a nat; None: not finite."""
    return [round(value) if math.isfinite(value) else None for value in (log_probs.double() * -_PER_NAT).tolist()]


def _lists(top: TopIds) -> list[list[int | None]]:
    """For each token id, number, id, number, ..."""
    numbers = iter(_whole(top.log_probs.flatten()))
    return [[each for token_id in ids for each in (token_id, next(numbers))] for ids in top.ids.tolist()]


def _part(suffix: str) -> str:
    return resources.files("verl_sdpo.reports").joinpath(f"token_page.{suffix}").read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """As a content security policy names a script or a style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _filled(template: str, **parts: str) -> str:
    """One pass: what is put in is not looked at again."""
    first, *others = template.split("{{")
    filled = [first]
    for other in others:
        name, _, rest = other.partition("}}")
        filled += [parts[name], rest]
    return "".join(filled)
