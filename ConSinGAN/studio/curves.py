"""Curves of losses, as small pictures in the page's own colours."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

WIDTH, HEIGHT = 240, 56  # of the picture's own units
CUT = 0.02  # share of the values at either end that may leave the picture


def draw(points: Sequence[Sequence[Any]], iterations: Sequence[int], names: dict[str, str]) -> str:
    """HTML: one curve for every loss. points: (stage, iteration, losses by name).

    iterations: of every stage. names: what to call losses. Stages lie beside each other, equally
    wide.
    """
    stages = len(iterations)
    if not points or not stages:
        return ""
    found: dict[str, list[tuple[float, float]]] = {}
    for stage, done, losses in points:
        place = (stage + done / iterations[stage]) / stages
        for name, value in losses.items():
            if math.isfinite(value):
                found.setdefault(name, []).append((place, value))
    figures = [_figure(names.get(name, name), row, stages) for name, row in found.items()]
    return f'<div class="curves">{"".join(figures)}</div>'


def _figure(name: str, row: list[tuple[float, float]], stages: int) -> str:
    values = sorted(value for _, value in row)
    low = values[int(CUT * (len(values) - 1))]
    high = values[round((1 - CUT) * (len(values) - 1))]
    span = (high - low) or 1.0

    def place(x: float, y: float) -> str:
        share = min(max((y - low) / span, -0.05), 1.05)
        return f"{x * WIDTH:.1f},{(HEIGHT - 4) - share * (HEIGHT - 8):.1f}"

    line = " ".join(place(x, y) for x, y in row)
    marks = "".join(
        f'<line x1="{stage * WIDTH / stages:.1f}" x2="{stage * WIDTH / stages:.1f}" y1="0" '
        f'y2="{HEIGHT}" class="mark"/>'
        for stage in range(1, stages)
    )
    label, last = html.escape(name), f"{row[-1][1]:.3g}"
    return (
        f'<figure><figcaption>{label} <b>{last}</b></figcaption><svg viewBox="0 0 {WIDTH} '
        f'{HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{label}: {last}">{marks}'
        f'<polyline points="{line}"/></svg></figure>'
    )
