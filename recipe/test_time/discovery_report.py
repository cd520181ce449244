# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Discovery curves and generations to the first success, from the results of finished test-time runs.

`python -m recipe.test_time.discovery_report --runs DIR --output DIR` reads every `DIR/<method>/seed<k>/results.json`
beside which there is a file `finished`, and `DIR/base_model/rates.json`, and writes `discovery.md` and `discovery.png`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from verl_sdpo.statistics.attempts import pass_at_k
from verl_sdpo.statistics.bootstrap import interval
from verl_sdpo.statistics.discovery import discovery_curve

LABELS = {"sdpo": "SDPO", "best_of_k": "best-of-k", "multi_turn": "multi-turn, feedback only"}
LEVEL = 0.9
RESAMPLES = 2000
# By question, for each seed the first success; None for none.
Firsts = dict[str, list[int | None]]


def read_runs(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """By method the results of its seeds."""
    paths = [path for path in sorted(folder.glob("*/seed*/results.json")) if path.with_name("finished").exists()]
    runs: dict[str, list[dict[str, Any]]] = {}
    for path in paths:
        results = json.loads(path.read_text(encoding="utf-8"))
        runs.setdefault(results["method"], []).append(results)
    return {method: runs[method] for method in LABELS if method in runs}


def read_rates(path: Path, rows: Sequence[int]) -> list[float]:
    """The base model's rate of success on these questions; empty where it is not known."""
    if not path.exists():
        return []
    rates = json.loads(path.read_text(encoding="utf-8"))["rates"]
    return [rates[row] for row in rows]


def first_successes(results: Sequence[Mapping[str, Any]]) -> Firsts:
    """Of one method's runs."""
    firsts: Firsts = {}
    for each in results:
        for name, question in each["questions"].items():
            firsts.setdefault(name, []).append(question["first_success"])
    return firsts


def costs(firsts: Firsts, budget: int) -> np.ndarray:
    """(num_questions,) generations to the first success, mean over seeds; the whole budget where there is none."""
    return np.array([np.mean([budget if first is None else first for first in each]) for each in firsts.values()])


def curve_band(firsts: Firsts, budget: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Both (budget,): the ends of a percentile bootstrap of the curve, over questions."""
    single = np.stack([discovery_curve({name: each}, budget) for name, each in firsts.items()])
    generator = np.random.default_rng(seed)
    drawn = [single[generator.integers(0, len(single), len(single))].mean(axis=0) for _ in range(RESAMPLES)]
    return tuple(np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0))


def ratio(slow: np.ndarray, fast: np.ndarray) -> tuple[float, float, float]:
    """(ratio of the means, ends of its bootstrap interval over questions); both (num_questions,), same questions."""
    pairs = np.arange(len(slow), dtype=np.float64)

    def of(rows: np.ndarray) -> float:
        rows = rows.astype(int)
        return float(slow[rows].mean() / fast[rows].mean())

    return of(pairs), *interval(pairs, of, LEVEL, RESAMPLES)


def expected_costs(rates: Sequence[float], budget: int) -> np.ndarray:
    """(num_questions,) expected generations to the first success of independent attempts that succeed at these rates.

    The whole budget where there is none: the mean of min(T, budget) of a geometric T is (1 - (1 - p)^budget) / p.
    """
    rates = np.asarray(rates, dtype=np.float64)
    return (1 - (1 - rates) ** budget) / rates


def table(runs: Mapping[str, Sequence[Mapping[str, Any]]], budget: int, rates: Sequence[float] = ()) -> str:
    """Markdown: a row a method; with `rates`, the base model's by question, also what best-of-k is expected to need."""
    lines = [
        f"| Method | questions | seeds | solved within {budget} | first success, mean generations | 90 % interval |",
        "|---|---|---|---|---|---|",
    ]
    spent = {}
    for method, results in runs.items():
        firsts = first_successes(results)
        spent[method] = costs(firsts, budget)
        low, high = interval(spent[method], level=LEVEL, resamples=RESAMPLES)
        solved = sum(first is not None for each in firsts.values() for first in each)
        lines.append(
            f"| {LABELS[method]} | {len(firsts)} | {len(results)} | {solved} of {sum(map(len, firsts.values()))} | "
            f"{spent[method].mean():.0f} | {low:.0f} to {high:.0f} |"
        )
    if len(rates):
        expected = expected_costs(rates, budget)
        solved = float(np.sum(1 - (1 - np.asarray(rates)) ** budget))
        lines.append(
            f"| best-of-k, expected from the exact rates | {len(rates)} | - | {solved:.1f} of {len(rates)} | "
            f"{expected.mean():.0f} | - |"
        )
        if "sdpo" in spent:
            value, low, high = ratio(expected, spent["sdpo"])
            lines += [
                "",
                f"best-of-k, expected, over SDPO: {value:.2f} times the generations (90 %: {low:.2f} to {high:.2f}).",
            ]
    for other in ("best_of_k", "multi_turn"):
        if "sdpo" in spent and other in spent:
            value, low, high = ratio(spent[other], spent["sdpo"])
            lines.append("")
            lines.append(
                f"{LABELS[other]} over SDPO: {value:.2f} times the generations (90 %: {low:.2f} to {high:.2f})."
            )
    if "best_of_k" in runs:
        lines += ["", _pass_line(runs["best_of_k"], budget)]
    return "\n".join(lines)


def _pass_line(results: Sequence[Mapping[str, Any]], budget: int) -> str:
    """pass@k from all samples of best-of-k, where it went on to the end of its budget."""
    whole = [q for each in results for q in each["questions"].values() if q["generations"] == budget]
    if len(whole) < sum(len(each["questions"]) for each in results):
        return "best-of-k stopped at first successes, so there is no pass@k from all of its samples."
    at = [k for k in (1, 16, 128, budget) if k <= budget]
    values = [np.mean([pass_at_k(budget, q["successes"], k) for q in whole]) for k in at]
    shown = ", ".join(f"pass@{k} {value:.3f}" for k, value in zip(at, values))
    return f"Of best-of-k, unbiased from all samples: {shown}."


def picture(
    runs: Mapping[str, Sequence[Mapping[str, Any]]], budget: int, path: Path, rates: Sequence[float] = ()
) -> None:
    """discovery@k over generations, with 90 % bands."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), dpi=150)
    generations = np.arange(1, budget + 1)
    for number, (method, results) in enumerate(runs.items()):
        firsts = first_successes(results)
        low, high = curve_band(firsts, budget)
        style = {"color": f"C{number}"}
        curve = discovery_curve(firsts, budget)
        axes.plot(generations, curve, label=LABELS[method], drawstyle="steps-post", **style)
        axes.fill_between(generations, low, high, alpha=0.2, linewidth=0, step="post", **style)
    if len(rates):
        expected = np.mean([1 - (1 - rate) ** generations for rate in rates], axis=0)
        axes.plot(generations, expected, color="gray", linestyle="--", label="best-of-k, expected")
    axes.set(xscale="log", xlabel="generations", ylabel="discovery@k", ylim=(-0.02, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left")
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    runs = read_runs(arguments.runs)
    if not runs:
        raise SystemExit(f"error: {arguments.runs} has no <method>/seed<k>/results.json")
    [budget] = {results["budget"] for each in runs.values() for results in each}
    arguments.output.mkdir(parents=True, exist_ok=True)
    names = sorted({int(name) for each in runs.values() for results in each for name in results["questions"]})
    rates = read_rates(arguments.runs / "base_model" / "rates.json", names)
    text = table(runs, budget, rates)
    (arguments.output / "discovery.md").write_text(text + "\n", encoding="utf-8")
    picture(runs, budget, arguments.output / "discovery.png", rates)
    print(f"{text}\n\npicture: {arguments.output / 'discovery.png'}")


if __name__ == "__main__":
    main()
