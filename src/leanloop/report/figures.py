"""The plots of the report, as SVG text that takes its ink from the page."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

from markupsafe import escape

from leanloop.search.result import StepCost
from leanloop.stats.interval import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#123456"
"""Stands for the page's own ink, so that one plot reads on light and on dark."""
PAPER = "#fedcba"
"""Stands for the page's own ground."""

# Okabe and Ito (2008): told apart by the colour-blind; the shapes tell them apart without colour.
STYLES = {
    "baseline": ("#0072B2", "s"),
    "recommended": ("#D55E00", "*"),
    "frontier": ("#009E73", "o"),
    "other": ("#8A8A8A", "."),
    "reference": ("#CC79A7", "D"),
}
REFERENCE_MARKERS = "D^vPX<>"
STEP_COLOURS = {"cached input": "#56B4E9", "other input": "#0072B2", "output": "#D55E00"}
WIDTH = 4.6
FONT = 10
"""Inches and points: still readable when a phone shrinks the plot to its own width."""
LABELLED = 4
"""Frontier members that get a label of their own; more would hide the points."""


@dataclass(frozen=True)
class Frame:
    """What names a plot.

    Args:
        key: Unique in the page; begins every id in the plot.
        title: What a screen reader says.
        axis: What stands under the plot.
    """

    key: str
    title: str
    axis: str


@dataclass(frozen=True)
class Point:
    """A configuration in a plot of success against cost.

    Args:
        label: What stands beside it; nothing when empty.
        kind: A key of ``STYLES``.
        success: From 0 to 1.
        cost: On the axis of the plot.
    """

    label: str
    kind: str
    success: Interval
    cost: Interval


@dataclass(frozen=True)
class Row:
    """A lever in a forest plot.

    Args:
        label: What stands over it.
        model: Whether it is a model lever.
        interval: Difference or ratio.
    """

    label: str
    model: bool
    interval: Interval


@dataclass(frozen=True)
class _Box:
    """A rectangle in pixels."""

    left: float
    bottom: float
    right: float
    top: float

    def shared(self, other: _Box) -> float:
        """The area that both cover."""
        across = min(self.right, other.right) - max(self.left, other.left)
        up = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(0.0, across) * max(0.0, up)

    def moved_into(self, area: _Box) -> _Box:
        """The same rectangle, pushed just far enough to lie in an area."""
        across = max(area.left - self.left, 0.0) + min(area.right - self.right, 0.0)
        up = max(area.bottom - self.bottom, 0.0) + min(area.top - self.top, 0.0)
        return _Box(self.left + across, self.bottom + up, self.right + across, self.top + up)


def frontier_figure(points: Sequence[Point], frame: Frame) -> str:
    """Success against one cost axis, 95% intervals both ways; "" when no cost is known."""
    known = [p for p in points if p.cost.mean is not None and p.success.mean is not None]
    if not known:
        return ""
    figure, axes = canvas(3.6)
    right = _right_end([p.cost for p in known])
    axes.set_xlim(0, right)
    axes.set_ylim(-0.04, 1.04)
    markers = cycle(REFERENCE_MARKERS)
    named = _named(known)
    for point in known:
        colour, marker = STYLES[point.kind]
        if point.kind == "reference":
            marker = next(markers)
        _mark(axes, (point.cost, point.success), colour, marker, bold=point in named)
    _label_points(axes, named, known)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    axes.set_ylabel("success")
    return finish(figure, axes, frame)


def forest_figure(rows: Sequence[Row], frame: Frame, lines: Sequence[float]) -> str:
    """Intervals of levers under each other; "" when none is known.

    Args:
        rows: From the top.
        frame: What names the plot.
        lines: Where nothing changes, then where the margin ends, if there is one.
    """
    ends = [e for r in rows for e in _ends(r.interval)]
    if not ends:
        return ""
    figure, axes = canvas(0.85 + 0.46 * len(rows), left=0.04)
    means = [abs(r.interval.mean - lines[0]) for r in rows if r.interval.mean is not None]
    reach = 4 * max(*means, abs(lines[0]), 0.1) if means else 1.0
    low = max(min(*ends, *lines), lines[0] - reach)
    high = min(max(*ends, *lines), lines[0] + reach)
    axes.set_xlim(low - 0.06 * (high - low), high + 0.06 * (high - low))
    axes.set_ylim(len(rows) - 0.5, -0.75)
    for line, style in zip(lines, ("-", "--"), strict=False):
        axes.axvline(line, color=INK, linewidth=0.8, linestyle=style)
    for row, item in enumerate(rows):
        colour, marker = STYLES["reference" if item.model else "frontier"]
        known = item.interval.mean is not None
        text = item.label if known else f"{item.label}: unknown"
        at = axes.get_yaxis_transform()
        label = axes.text(0.01, row - 0.22, text, transform=at, color=INK, fontsize=FONT - 1)
        label.set_bbox({"facecolor": PAPER, "edgecolor": "none", "pad": 1})
        if known:
            _mark(axes, (item.interval, Interval(row + 0.12, None, None, 0)), colour, marker)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    return finish(figure, axes, frame)


def steps_figure(steps: Sequence[StepCost], frame: Frame) -> str:
    """Tokens of the baseline by step: cached input, other input, output."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - slow to load, seldom needed

    figure, axes = canvas(3.6, left=0.17)
    tops = {s.step: 0.0 for s in steps}
    for name, colour in STEP_COLOURS.items():
        known = [(s.step, v) for s in steps if (v := _tokens(s)[name]) is not None]
        if not known:
            continue
        numbers, heights = [k for k, _ in known], [v for _, v in known]
        under = [tops[k] for k in numbers]
        axes.bar(numbers, heights, bottom=under, color=colour, edgecolor=INK, linewidth=0.6)
        tops |= {k: tops[k] + v for k, v in known}
    highest = max(tops.values(), default=0.0) or 1.0
    for s in steps:
        if None in _tokens(s).values():
            axes.text(s.step, tops[s.step] + 0.01 * highest, "?", color=INK, ha="center")
    axes.set_ylim(0, 1.12 * highest)
    axes.set_xlim(min(tops) - 0.7, max(tops) + 0.7)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("tokens a run")
    return finish(figure, axes, frame)


def _tokens(step: StepCost) -> dict[str, float | None]:
    values = (step.cache_read_tokens, step.uncached_input_tokens, step.output_tokens)
    return dict(zip(STEP_COLOURS, values, strict=True))


def _ends(interval: Interval) -> list[float]:
    values = (interval.mean, interval.low, interval.high)
    return [v for v in values if v is not None and math.isfinite(v)]


def _right_end(costs: Sequence[Interval]) -> float:
    """Room for every bar, but for one that is far longer than all costs are large."""
    ends = [e for c in costs for e in _ends(c)]
    means = [c.mean for c in costs if c.mean is not None and math.isfinite(c.mean)]
    end = min(max(ends, default=0.0), 4 * max(means, default=0.0))
    return 1.1 * end if end > 0 else 1.0


def _mark(
    axes: Axes, at: tuple[Interval, Interval], colour: str, marker: str, *, bold: bool = True
) -> None:
    across, up = at
    if across.mean is None or up.mean is None:
        return
    axes.errorbar(
        across.mean,
        up.mean,
        xerr=_arms(across),
        yerr=_arms(up),
        fmt="none",
        ecolor=colour,
        elinewidth=1.3 if bold else 0.4,
        capsize=3 if bold else 0,
    )
    axes.plot(
        across.mean,
        up.mean,
        marker=marker,
        markersize=13 if marker == "*" else 8 if bold else 6,
        markeredgecolor=INK,
        markeredgewidth=0.6,
        color=colour,
        clip_on=False,
        zorder=2.5 if bold else 2.2,
    )


def _arms(interval: Interval) -> list[list[float]] | None:
    if interval.mean is None or interval.low is None or interval.high is None:
        return None
    # An arm without end is drawn to beyond the edge of the plot.
    high = interval.high if math.isfinite(interval.high) else 1000 * (1 + abs(interval.mean))
    # An interval of a small sample may not hold its own mean; an arm is never negative.
    return [[max(0.0, interval.mean - interval.low)], [max(0.0, high - interval.mean)]]


def _named(points: Sequence[Point]) -> list[Point]:
    """Those that get a label, in the order in which places are given out."""
    others = [p for p in points if p.kind == "frontier"][:LABELLED]
    ours = [p for p in points if p.kind in ("recommended", "baseline")]
    every = [*reversed(ours), *(p for p in points if p.kind == "reference"), *others]
    return [p for p in every if p.label]


def _label_points(axes: Axes, named: Sequence[Point], points: Sequence[Point]) -> None:
    edge = axes.get_window_extent()
    area = _Box(edge.x0 + 4, edge.y0 + 2, edge.x1, edge.y1)
    drawn = [box for p in points for box in _obstacles(axes, p)]
    labels: list[_Box] = []
    for point in named:
        x, y = _pixel(axes, point.cost.mean, point.success.mean)
        # A label close to another point would be read as that point's own.
        near = [_around(axes, p, 16) for p in points if p is not point]
        taken = [*drawn, *near, *labels, *labels, *labels]
        box, far = _place((x, y), (_text_width(point.label), FONT + 1.0), taken, area)
        labels.append(box)
        axes.annotate(
            point.label,
            (point.cost.mean or 0.0, point.success.mean or 0.0),
            xytext=(box.left - x, box.bottom + 2 - y),
            textcoords="offset points",
            color=INK,
            fontsize=FONT - 1,
            arrowprops={"arrowstyle": "-", "color": INK, "linewidth": 0.6} if far else None,
        )


def _text_width(text: str) -> float:
    from matplotlib.textpath import TextPath  # noqa: PLC0415 - slow to load, seldom needed

    # A browser may have a slightly wider letter than the one measured here.
    return 1.05 * float(TextPath((0, 0), text, size=FONT - 1, usetex=False).get_extents().width) + 2


def _place(
    at: tuple[float, float], size: tuple[float, float], taken: Sequence[_Box], area: _Box
) -> tuple[_Box, bool]:
    """The nearest place for a label that covers least, and whether it needs a line to its point."""
    (x, y), (width, height) = at, size
    best: tuple[float, _Box, bool] | None = None
    for distance in (8, 12, 16, 26, 40, 58, 80, 110):
        for left in (x + distance, x - distance - width, x - width / 2):
            for bottom in (y + distance / 2, y - distance / 2 - height):
                box = _Box(left, bottom, left + width, bottom + height).moved_into(area)
                # A label a little over a bar reads better than one far from its point.
                covered = sum(box.shared(other) for other in taken) + 2 * distance
                if best is None or covered < best[0]:
                    best = covered, box, distance > 12
    if best is None:
        raise AssertionError
    return best[1], best[2]


def _pixel(axes: Axes, x: float | None, y: float | None) -> tuple[float, float]:
    across, up = axes.transData.transform((x or 0.0, y or 0.0))
    return float(across), float(up)


def _around(axes: Axes, point: Point, reach: float) -> _Box:
    x, y = _pixel(axes, point.cost.mean, point.success.mean)
    return _Box(x - reach, y - reach, x + reach, y + reach)


def _obstacles(axes: Axes, point: Point) -> list[_Box]:
    """The marker and both bars, in pixels."""
    x, y = _pixel(axes, point.cost.mean, point.success.mean)
    marker = _around(axes, point, 6)
    costs, shares = _ends(point.cost), _ends(point.success)
    left, right = _pixel(axes, min(costs), 0)[0], _pixel(axes, max(costs), 0)[0]
    low, high = _pixel(axes, 0, min(shares))[1], _pixel(axes, 0, max(shares))[1]
    return [marker, _Box(left, y - 1, right, y + 1), _Box(x - 1, low, x + 1, high)]


def canvas(height: float, left: float = 0.15) -> tuple[Figure, Axes]:
    """An empty plot in the page's ink.

    Args:
        height: Inches.
        left: Share of the width that is left of the axes.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second that few commands need

    # At 72 dots an inch a pixel is a point, so that labels can be placed before it is drawn.
    figure = Figure(figsize=(WIDTH, height), dpi=72)
    figure.subplots_adjust(left=left, right=0.97, top=1 - 0.1 / height, bottom=0.55 / height)
    axes = figure.add_subplot()
    axes.set_facecolor("none")
    axes.tick_params(colors=INK, labelsize=FONT - 1)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set_color(INK)
        axis.label.set_fontsize(FONT)
        axis.get_offset_text().set_color(INK)
    return figure, axes


def finish(figure: Figure, axes: Axes, frame: Frame) -> str:
    """A plot as SVG text whose ids are its own."""
    import matplotlib as mpl  # noqa: PLC0415 - half a second that few commands need

    axes.set_xlabel(frame.axis)
    out = io.StringIO()
    silent = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "leanloop"}):
        figure.savefig(out, format="svg", transparent=True, metadata=silent)
    text = out.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor").replace(PAPER, "var(--paper)")
    # Plots share a page, and two elements of a page must not share an id.
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{frame.key}-", text)
    head, _, body = text.partition(">")
    named = f'{head} role="img" aria-labelledby="{frame.key}-title">'
    return f'{named}\n<title id="{frame.key}-title">{escape(frame.title)}</title>{body}'
