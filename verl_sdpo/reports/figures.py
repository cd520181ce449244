# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What the figures have in common: colours, axes, files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot  # noqa: E402

# Okabe and Ito's colours, which the colour-blind can tell apart; lines differ in their dashes too.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#B8A800")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))
# A method has the same colour in all figures; variants have those that are left.
_PLACES = {
    "sdpo": 0,
    "grpo": 1,
    "grpo_on_policy": 2,
    "gspo": 3,
    "cispo": 4,
    "grpo_high_entropy": 5,
    "best_of_k": 1,
    "multi_turn": 2,
}
_PAPER_MARKER = "D"
FORMATS = ("png", "svg")


def styles(labels: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Colour and dashes by label, in the order of the labels."""
    names = list(dict.fromkeys(labels))
    places = {name: place for name in names if (place := _PLACES.get(re.sub(r"\W+", "_", name.lower()))) is not None}
    free = [place for place in range(len(COLORS)) if place not in places.values()] or list(range(len(COLORS)))
    for index, name in enumerate(name for name in names if name not in places):
        places[name] = free[index % len(free)]
    return {name: {"color": COLORS[places[name]], "linestyle": DASHES[places[name]]} for name in names}


def panels(rows: int, columns: int, width: float = 4.2, height: float = 3.2) -> tuple[Any, Any]:
    """A figure and its axes (rows, columns)."""
    return pyplot.subplots(
        rows, columns, figsize=(max(width * columns, 6.0), height * rows), dpi=120, squeeze=False, layout="constrained"
    )


def mark_paper(axes: Any, x: float, y: float, color: str) -> None:
    """The paper's number: a hollow diamond."""
    look = {"markerfacecolor": "white", "markeredgecolor": color, "markersize": 7, "markeredgewidth": 1.3}
    axes.plot([x], [y], _PAPER_MARKER, zorder=5, clip_on=False, **look)


def paper_handle() -> Any:
    """For a legend."""
    from matplotlib.lines import Line2D

    return Line2D(
        [], [], marker=_PAPER_MARKER, linestyle="none", markerfacecolor="white", markeredgecolor="black", label="paper"
    )


def save(figure: Any, folder: Path, name: str) -> str:
    """Write the figure in each format, without a date, so that the same figure is the same file; returns their name."""
    name = name.replace("/", "_")
    folder.mkdir(parents=True, exist_ok=True)
    # Once for both formats: it takes as long as drawing.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    with matplotlib.rc_context({"svg.hashsalt": name}):
        for kind in FORMATS:
            figure.savefig(folder / f"{name}.{kind}", metadata={"Date": None} if kind == "svg" else None)
    pyplot.close(figure)
    return name
