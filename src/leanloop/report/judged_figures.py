"""Plots of answers on a run table, beside those of a study's report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leanloop.report.figures import FONT, INK, PAPER, Frame, canvas, finish
from leanloop.stats.interval import Interval

BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
DIVERGING = ("#0072B2", "#F7F7F7", "#D55E00")
LINES = (BLUE, ORANGE, GREEN, PINK, "#56B4E9", "#E69F00")
MARKERS = "os^DvX"


@dataclass(frozen=True)
class Bar:
    """A bar of parts.

    Args:
        label: What stands over it.
        parts: Part to its share, drawn from the left.
    """

    label: str
    parts: Mapping[str, float]


def share_figure(bars: Sequence[Bar], frame: Frame, colours: Sequence[str]) -> str:
    """Horizontal bars from 0 to 1; "" without any."""
    if not bars:
        return ""
    figure, axes = canvas(0.85 + 0.46 * len(bars), left=0.04)
    for row, bar in enumerate(bars):
        start = 0.0
        for (name, value), colour in zip(bar.parts.items(), colours, strict=False):
            axes.barh(row + 0.14, value, 0.42, left=start, color=colour, edgecolor=INK, label=name)
            start += value
        text = axes.text(0.01, row - 0.24, bar.label, color=INK, fontsize=FONT - 1)
        text.set_bbox({"facecolor": PAPER, "edgecolor": "none", "pad": 1})
    axes.set_xlim(0, 1.02)
    axes.set_ylim(len(bars) - 0.5, -0.75)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    return finish(figure, axes, frame)


def curve_figure(curves: Mapping[str, Mapping[int, Interval]], frame: Frame) -> str:
    """Lines with intervals over whole numbers, such as pass^k over k; "" without any."""
    if not curves:
        return ""
    figure, axes = canvas(3.6)
    for at, (name, points) in enumerate(curves.items()):
        known = {k: i for k, i in points.items() if i.mean is not None}
        means = [i.mean or 0.0 for i in known.values()]
        lows = [m - (i.low if i.low is not None else m) for m, i in _with(means, known)]
        highs = [(i.high if i.high is not None else m) - m for m, i in _with(means, known)]
        axes.errorbar(
            [k + 0.05 * at for k in known],
            means,
            yerr=[[max(0.0, v) for v in lows], [max(0.0, v) for v in highs]],
            color=LINES[at % len(LINES)],
            marker=MARKERS[at % len(MARKERS)],
            capsize=2,
            linewidth=1,
            label=name,
        )
    axes.set_ylim(-0.04, 1.04)
    axes.set_xticks(sorted({k for points in curves.values() for k in points}))
    legend = axes.legend(fontsize=FONT - 2, frameon=False)
    for text in legend.get_texts():
        text.set_color(INK)
    return finish(figure, axes, frame)


def _with(means: Sequence[float], known: Mapping[int, Interval]) -> list[tuple[float, Interval]]:
    return list(zip(means, known.values(), strict=True))


def heat_figure(
    names: Sequence[str], cells: Mapping[tuple[str, str], float | None], frame: Frame
) -> str:
    """Pairs of names as coloured squares with their value; a pair that is unknown is hatched."""
    if len(names) < 2:
        return ""
    from matplotlib.colors import LinearSegmentedColormap  # noqa: PLC0415 - slow to load

    figure, axes = canvas(0.9 + 0.55 * len(names), left=0.3)
    reach = max((abs(v) for v in cells.values() if v is not None), default=0.0) or 1.0
    paint = LinearSegmentedColormap.from_list("diverging", DIVERGING)
    for (a, b), value in cells.items():
        x, y = names.index(a), names.index(b)
        if value is None:
            axes.bar(
                x, 1, 1, bottom=y - 0.5, facecolor="none", hatch="///", edgecolor=INK, linewidth=0.6
            )
            continue
        axes.bar(
            x,
            1,
            1,
            bottom=y - 0.5,
            facecolor=paint(0.5 + 0.5 * value / reach),
            edgecolor=INK,
            linewidth=0.6,
        )
        axes.text(x, y, f"{value:+.1f}", ha="center", va="center", color=INK, fontsize=FONT - 1)
    axes.set_xlim(-0.5, len(names) - 1.5)
    axes.set_ylim(len(names) - 0.5, 0.5)
    axes.set_xticks(range(len(names) - 1), [_short(n) for n in names[:-1]], rotation=20)
    axes.set_yticks(range(1, len(names)), [_short(n) for n in names[1:]])
    return finish(figure, axes, frame)


def _short(name: str, letters: int = 18) -> str:
    return name if len(name) <= letters else name[: letters - 1] + "…"
