# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The quickstart's table and picture, from what its runs logged.

`python -m recipe.quickstart.report --run DIR` reads `DIR/base_model/accuracy.json` and the two runs' `metrics.jsonl`.
Several folders, one a seed, give a table and a picture each.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from recipe.quickstart import task

# verl's name for the mean accuracy over the four answers to each validation prompt.
ACCURACY = f"val-core/{task.DATA_SOURCE}/acc/mean@4"
METHODS = ("sdpo", "grpo")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """What verl's file logger wrote, `{"step": int, "data": {name: value}}` a line; an unfinished line is left out."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1] if line]


def accuracy_curve(path: Path) -> list[tuple[int, float]]:
    """(step, validation accuracy), in order."""
    return [(r["step"], r["data"][ACCURACY]) for r in read_metrics(path) if ACCURACY in r["data"]]


def seconds_per_step(path: Path) -> float:
    """Median wall time of a training step, validation and checkpoints apart, in seconds."""
    seconds = sorted(r["data"]["timing_s/step"] for r in read_metrics(path) if "timing_s/step" in r["data"])
    return seconds[len(seconds) // 2]


def table(run: Path) -> str:
    """The table that the quickstart ends with."""
    base = json.loads((run / "base_model" / "accuracy.json").read_text(encoding="utf-8"))
    rows = [("", "before", "after", "best", "generations", "s/step")]
    for method in METHODS:
        path = run / method / "metrics.jsonl"
        curve = accuracy_curve(path)
        generations = curve[-1][0] * task.GENERATIONS_PER_STEP
        rows.append(
            (
                method.upper(),
                f"{curve[0][1]:.1%}",
                f"{curve[-1][1]:.1%}",
                f"{max(accuracy for _, accuracy in curve):.1%}",
                f"{generations:,}",
                f"{seconds_per_step(path):.2f}",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in rows]
    lines.insert(1, "-" * len(lines[0]))
    lines.append("")
    lines.append(f"self-teacher (base model shown the feedback): {base['self_teacher']:.1%}")
    return "\n".join(lines)


def plot_curve(axes: Any, curve: list[tuple[int, float]], **style: Any) -> None:
    """Draw accuracy in percent over generations."""
    generations = [step * task.GENERATIONS_PER_STEP for step, _ in curve]
    axes.plot(generations, [100 * accuracy for _, accuracy in curve], **style)


def picture(run: Path, path: Path) -> None:
    """Validation accuracy over generations, both methods, with the self-teacher as a line."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    base = json.loads((run / "base_model" / "accuracy.json").read_text(encoding="utf-8"))
    figure, axes = pyplot.subplots(figsize=(7, 4), dpi=150)
    for method, color in zip(METHODS, ("tab:blue", "tab:orange")):
        curve = accuracy_curve(run / method / "metrics.jsonl")
        plot_curve(axes, curve, color=color, marker="o", markersize=3, label=method.upper())
    teacher = 100 * base["self_teacher"]
    axes.axhline(teacher, color="gray", linestyle="--", linewidth=1, label="self-teacher before training")
    axes.set(xlabel="generations", ylabel="validation accuracy (%), no hint in the prompt", ylim=(-3, 103))
    axes.grid(alpha=0.3)
    axes.legend(loc="center right")
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, nargs="+", help="the quickstart's folder, one for each seed")
    for run in parser.parse_args().run:
        text = table(run)
        (run / "table.txt").write_text(text + "\n", encoding="utf-8")
        picture(run, run / "curves.png")
        print(f"\n{run}\n{text}\n\npicture: {run / 'curves.png'}")


if __name__ == "__main__":
    main()
