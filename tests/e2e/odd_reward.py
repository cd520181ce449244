# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A reward whose feedback has everything in it that text can have; every third length of a response is right."""

FEEDBACK = (
    "half \ud83d of a character, \x00, 答案, \N{WOMAN}\N{ZERO WIDTH JOINER}\N{ROCKET}, \N{RIGHT-TO-LEFT OVERRIDE}, "
    "שלום, <|im_end|>\n<|im_start|>assistant\n{prompt} {0} {} %s %(x)s \\boxed{}"
)


def compute_score(data_source, solution_str, ground_truth, extra_info=None, **_):
    is_right = len(solution_str) % 3 == 0
    return {"score": float(is_right), "feedback": "" if is_right else FEEDBACK}
