# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""discovery@k of test-time runs: by hand, and best-of-k against all orders of its attempts."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from tests.reports.run_folders import write_run
from verl_sdpo.reports.curves import NotThereError
from verl_sdpo.reports.discoveries import discovery_of, mean_first_success, pass_at_all_k
from verl_sdpo.reports.history import UnreadableError
from verl_sdpo.reports.runs import read_run
from verl_sdpo.statistics.attempts import pass_at_k


@pytest.fixture
def run(tmp_path):
    def make(questions, budget=10, method="sdpo"):
        results = {"method": method, "seed": 0, "budget": budget, "questions": questions}
        folder = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
        return read_run(write_run(folder, results=results, experiment="test_time", task="t", method=method))

    return make


def result(first, generations=None, **more):
    return {"first_success": first, "generations": generations or first or 10} | more


def test_a_question_is_discovered_at_its_first_success(run):
    curve = discovery_of(run({"a": result(2), "b": result(None), "c": result(5), "d": result(1)}))
    assert curve.tolist() == [0.25, 0.5, 0.5, 0.5, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75]
    # (2 + 10 + 5 + 1) / 4: the budget for the one that was not solved.
    assert mean_first_success(curve) == pytest.approx(4.5)
    # Within four generations: (2 + 4 + 4 + 1) / 4.
    assert mean_first_success(curve[:4]) == pytest.approx(2.75)


def test_some_of_the_questions_can_be_asked_for(run):
    made = run({"a": result(2), "b": result(None)})
    assert discovery_of(made, ["a"]).tolist() == [0] + [1] * 9
    with pytest.raises(NotThereError, match="no question is over"):
        discovery_of(made, [])


def test_pass_at_every_k_is_the_unbiased_estimate():
    for attempts, successes in ((12, 0), (12, 1), (12, 5), (12, 12)):
        expected = [pass_at_k(attempts, successes, k) for k in range(1, 11)]
        assert pass_at_all_k(attempts, successes, 10) == pytest.approx(expected, abs=1e-12)


def test_best_of_k_that_went_on_counts_all_successes(run):
    # Six attempts, two successes: over all orders of them, when the first success comes.
    orders = list(itertools.permutations((True, True, False, False, False, False)))
    share = [Fraction(sum(any(order[:k]) for order in orders), len(orders)) for k in range(1, 7)]
    questions = {"a": result(4, 6, successes=2)}
    curve = discovery_of(run(questions, budget=6, method="best_of_k"))
    assert curve == pytest.approx([float(each) for each in share])
    first = sum(min(order.index(True) + 1, 6) for order in orders) / len(orders)
    assert mean_first_success(curve) == pytest.approx(first)
    # Other methods' attempts depend on each other.
    assert discovery_of(run(questions, budget=6)).tolist() == [0, 0, 0, 1, 1, 1]


def test_best_of_k_that_stopped_at_its_first_success_counts_that(run):
    curve = discovery_of(run({"a": result(4, 4, successes=1)}, budget=6, method="best_of_k"))
    assert curve.tolist() == [0, 0, 0, 1, 1, 1]
    unsolved = discovery_of(run({"a": result(None, 6, successes=0)}, budget=6, method="best_of_k"))
    assert not np.any(unsolved)


def test_a_run_without_results_has_no_curve(tmp_path):
    with pytest.raises(NotThereError, match=r"no results\.json"):
        discovery_of(read_run(write_run(tmp_path / "run")))


@pytest.mark.parametrize(
    "results", [{"budget": 4}, {"budget": 4, "questions": {"a": {}}}, {"questions": {}}, {"a": []}]
)
def test_a_results_file_of_something_else_is_refused(tmp_path, results):
    write_run(tmp_path / "run", results=results)
    with pytest.raises(UnreadableError, match=r"results\.json: not what verl_sdpo\.test_time writes"):
        read_run(tmp_path / "run")
