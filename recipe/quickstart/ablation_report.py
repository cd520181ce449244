# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Table and picture of the quickstart's task under each teacher and each level of credit, from what the runs logged.

`python -m recipe.quickstart.ablation_report --base DIR` reads `DIR/seed*/<variant>/metrics.jsonl` of the variants that
`ablations.sh` runs; runs that are not there are left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from recipe.quickstart.report import accuracy_curve, plot_curve, read_metrics

# Folder by label; both panels of the picture, in the paper's order.
PANELS = {
    "teacher (JSD)": {
        "trust region": "trust_region",
        "EMA": "sdpo",
        "frozen": "frozen",
        "live": "live",
    },
    "credit (reverse KL, EMA teacher)": {
        "logit": "logit",
        "token, top-1": "token_top1",
        "token, sampled": "token",
        "sequence": "sequence",
    },
}
DISTANCE = "self_distillation/teacher_distance"


def curves(base: Path, folder: str) -> dict[int, list[tuple[int, float]]]:
    """By seed: (step, validation accuracy) of the finished runs."""
    runs = {seed: base / f"seed{seed}" / folder for seed in all_seeds(base)}
    return {seed: accuracy_curve(run / "metrics.jsonl") for seed, run in runs.items() if (run / "finished").exists()}


def row(base: Path, label: str, folder: str) -> list[str]:
    """Accuracy at the end by seed, its mean, the mean over all validations, and the teacher's distance at the end."""
    by_seed = curves(base, folder)
    finals = {seed: curve[-1][1] for seed, curve in by_seed.items()}
    averages = [sum(accuracy for _, accuracy in curve) / len(curve) for curve in by_seed.values()]
    distance = [last_value(base / f"seed{seed}" / folder, DISTANCE) for seed in by_seed]
    known = [value for value in distance if value is not None]
    return [
        label,
        *(f"{finals[seed]:.1%}" if seed in finals else "-" for seed in all_seeds(base)),
        f"{sum(finals.values()) / len(finals):.1%}" if finals else "-",
        f"{sum(averages) / len(averages):.1%}" if averages else "-",
        f"{sum(known) / len(known):.3f}" if known else "-",
    ]


def last_value(run: Path, name: str) -> float | None:
    values = [record["data"][name] for record in read_metrics(run / "metrics.jsonl") if name in record["data"]]
    return values[-1] if values else None


def all_seeds(base: Path) -> list[int]:
    return sorted(int(path.name.removeprefix("seed")) for path in base.glob("seed*"))


def table(base: Path) -> str:
    """One Markdown table a panel."""
    parts = []
    for title, variants in PANELS.items():
        seeds = [f"seed {seed}" for seed in all_seeds(base)]
        header = [title, *seeds, "mean", "mean over the run", "teacher distance"]
        rows = [header, ["---"] * len(header), *(row(base, label, folder) for label, folder in variants.items())]
        parts.append("\n".join("| " + " | ".join(cells) + " |" for cells in rows))
    return "\n\n".join(parts)


def picture(base: Path, path: Path) -> None:
    """Validation accuracy over generations, a line a run, a colour a variant."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(11, 4), dpi=150, sharey=True)
    for axes, (title, variants) in zip(panels, PANELS.items()):
        for number, (label, folder) in enumerate(variants.items()):
            for index, curve in enumerate(curves(base, folder).values()):
                plot_curve(axes, curve, color=f"C{number}", alpha=0.8, label=None if index else label)
        axes.set(title=title, xlabel="generations", ylim=(-3, 103))
        axes.grid(alpha=0.3)
        axes.legend(loc="upper left")
    panels[0].set_ylabel("validation accuracy (%)")
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, required=True, help="the folder that holds seed0, seed1, ...")
    base = parser.parse_args().base
    text = table(base)
    (base / "ablations.md").write_text(text + "\n", encoding="utf-8")
    picture(base, base / "ablations.png")
    print(f"{text}\n\npicture: {base / 'ablations.png'}")


if __name__ == "__main__":
    main()
