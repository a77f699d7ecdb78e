"""The plots of the report, as SVG text."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leanloop.search.result import LeverEffect, StepCost
from leanloop.stats.interval import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#7a7a7a"
"""Reads on white and on near-black alike."""

# Okabe and Ito (2008): told apart by the colour-blind; the shapes tell them apart without colour.
STYLES = {
    "baseline": ("#0072B2", "s"),
    "recommended": ("#D55E00", "*"),
    "frontier": ("#009E73", "o"),
    "reference": ("#CC79A7", "D"),
}


@dataclass(frozen=True)
class Point:
    """A configuration in a plot of success against cost.

    Args:
        label: What stands beside it.
        kind: A key of ``STYLES``.
        success: From 0 to 1.
        cost: On the axis of the plot.
    """

    label: str
    kind: str
    success: Interval
    cost: Interval


def frontier_figure(points: Sequence[Point], axis: str) -> str:
    """Success against one cost axis, 95% intervals both ways; unknown costs are left out."""
    figure, axes = _canvas(6.4, 4.0)
    for point in points:
        if point.cost.mean is None or point.success.mean is None:
            continue
        colour, marker = STYLES[point.kind]
        axes.errorbar(
            point.cost.mean,
            point.success.mean,
            xerr=_arms(point.cost),
            yerr=_arms(point.success),
            fmt=marker,
            markersize=13 if marker == "*" else 8,
            color=colour,
            elinewidth=1,
            capsize=3,
        )
        axes.annotate(
            point.label,
            (point.cost.mean, point.success.mean),
            xytext=(8, 6),
            textcoords="offset points",
            color=INK,
            fontsize=9,
        )
    axes.set_xlabel(axis)
    axes.set_ylabel("success")
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlim(left=0)
    return _svg(figure)


def lever_figure(effects: Sequence[LeverEffect]) -> str:
    """Each lever alone: difference of success, and ratio of the dollars, against the baseline."""
    figure, (left, right) = _two(8.6, 1.7 + 0.4 * len(effects))
    names = [f"{e.lever} = {e.setting}" for e in effects]
    rows = range(len(effects))
    for axes, intervals, zero in (
        (left, [e.verdict.success for e in effects], 0.0),
        (right, [e.verdict.usd for e in effects], 1.0),
    ):
        axes.axvline(zero, color=INK, linewidth=1, linestyle=":")
        for row, interval, effect in zip(rows, intervals, effects, strict=True):
            if interval.mean is None:
                continue
            kind = "reference" if effect.lever.startswith("model.") else "frontier"
            colour, marker = STYLES[kind]
            axes.errorbar(
                interval.mean, row, xerr=_arms(interval), fmt=marker, color=colour, capsize=3
            )
        axes.set_yticks(list(rows))
        axes.set_ylim(len(effects) - 0.5, -0.5)
    left.set_yticklabels(names, color=INK)
    right.set_yticklabels([])
    left.set_xlabel("difference of success")
    right.set_xlabel("dollars, as a multiple of the baseline's")
    return _svg(figure)


def steps_figure(steps: Sequence[StepCost]) -> str:
    """Tokens of the baseline by step: cached input, new input, output."""
    figure, axes = _canvas(6.4, 3.2)
    numbers = [s.step for s in steps]
    bottom = [0.0] * len(steps)
    parts = (
        ("input read from the cache", [s.cache_read_tokens for s in steps], "#56B4E9"),
        ("other input", [s.uncached_input_tokens for s in steps], "#0072B2"),
        ("output", [s.output_tokens for s in steps], "#D55E00"),
    )
    for label, values, colour in parts:
        heights = [v or 0.0 for v in values]
        axes.bar(numbers, heights, bottom=bottom, label=label, color=colour)
        bottom = [b + h for b, h in zip(bottom, heights, strict=True)]
    axes.set_xlabel("step")
    axes.set_ylabel("tokens a run")
    axes.set_xticks(numbers)
    figure.legend(frameon=False, labelcolor=INK, fontsize=9, loc="outside upper left", ncols=3)
    return _svg(figure)


def _arms(interval: Interval) -> list[list[float]] | None:
    if interval.mean is None or interval.low is None or interval.high is None:
        return None
    # An interval of a small sample may not hold its own mean; an arm is never negative.
    return [[max(0.0, interval.mean - interval.low)], [max(0.0, interval.high - interval.mean)]]


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second that few commands need

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    _paint(axes)
    return figure, axes


def _two(width: float, height: float) -> tuple[Figure, tuple[Axes, Axes]]:
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second that few commands need

    figure = Figure(figsize=(width, height), layout="constrained")
    left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    _paint(left)
    _paint(right)
    return figure, (left, right)


def _paint(axes: Axes) -> None:
    axes.set_facecolor("none")
    axes.tick_params(colors=INK, labelsize=9)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)


def _svg(figure: Figure) -> str:
    import matplotlib as mpl  # noqa: PLC0415 - half a second that few commands need

    out = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "leanloop"}):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]
