"""The page of a comparison."""

from __future__ import annotations

from pathlib import Path

from leanloop.judging.comparison import NOUNS, Comparison
from leanloop.report.figures import Frame, Row, forest_figure
from leanloop.report.html import Plot, show_range, write_whole
from leanloop.report.judged_figures import GREEN, ORANGE, Bar, share_figure
from leanloop.report.page import METHOD, Page, Section, as_markup, in_points, render, scaled
from leanloop.stats.interval import Interval


def write_comparison(found: Comparison, path: Path) -> None:
    """Write the page of a comparison.

    Raises:
        BadInputError: The file cannot be written.
    """
    write_whole(render(comparison_page(found)), path)


def comparison_page(c: Comparison) -> Page:
    """What a comparison has to show."""
    s = c.success
    difference = Interval(s.difference, s.low, s.high, c.n_tasks)
    shown = "shown" if s.non_inferior else "not shown"
    verdict = [
        f"{c.sentence[0].upper()}{c.sentence[1:]}.",
        f"{c.b} against {c.a} on {c.n_tasks:,} common tasks, paired ({c.dropped_tasks:,} that only "
        f"one has were dropped): success {in_points(difference)} points. That it is not worse by "
        f"the margin ({c.said_margin}) is {shown}.",
    ]
    points = scaled(difference, 100)
    margin = [0.0, -100 * c.margin]
    frame = Frame("difference", "Difference of success", "points of success")
    rows = [Row("success", model=False, interval=points)]
    plots = [
        Plot(
            "Difference of success; dashed: the margin",
            as_markup(forest_figure(rows, frame, margin)),
        )
    ]
    costs = c.costs()
    ratios = [
        Row(NOUNS[x], model=False, interval=Interval(p.ratio, p.low, p.high, c.n_tasks))
        for x, p in costs.items()
    ]
    frame = Frame("ratios", "Ratio of costs", "times the first's cost")
    plots.append(Plot("Ratio of costs", as_markup(forest_figure(ratios, frame, [1.0]))))
    return Page(
        "Comparison", verdict, [Section("Paired", plots=plots), _failed(c), _pairs(c)], c.warnings,
        [*_scope(c), *METHOD, *c.notes],
    )  # fmt: skip


def _scope(c: Comparison) -> list[str]:
    if c.clusters is None:
        return ["Tasks were taken as independent of each other"]
    return [f"Tasks are in {c.clusters} clusters, inside which they may depend on each other"]


def _failed(c: Comparison) -> Section:
    bars = []
    for axis, pair in c.costs().items():
        for name, share in (("first", pair.on_failed_a), ("second", pair.on_failed_b)):
            if share is not None:
                parts = {"failed": share, "solved": 1 - share}
                bars.append(Bar(f"{NOUNS[axis]}, {name}: {share:.0%} on failed", parts))
    frame = Frame("failed", "Share of cost spent on failed tasks", "share of cost")
    plot = Plot(
        "Share of cost spent on failed tasks", as_markup(share_figure(bars, frame, [ORANGE, GREEN]))
    )
    key = [(ORANGE, "on tasks that failed"), (GREEN, "on tasks that were solved")]
    return Section("Where the cost went", plots=[plot] if bars else [], key=key if bars else [])


def _pairs(c: Comparison) -> Section:
    s = c.success
    p = "unknown" if s.mcnemar_p is None else f"{s.mcnemar_p:.3g}"
    error = "unknown" if s.standard_error is None else f"{100 * s.standard_error:.2f}"
    needed = "" if s.tasks_needed is None else f"{s.tasks_needed:,}"
    difference = Interval(s.difference, s.low, s.high, c.n_tasks)
    rows = [
        ("success", show_range(s.a), show_range(s.b), f"{in_points(difference)} points", needed,
         f"standard error {error} points, McNemar p {p}"),
    ]  # fmt: skip
    for axis, pair in c.costs().items():
        ratio = Interval(pair.ratio, pair.low, pair.high, c.n_tasks)
        more = "" if pair.tasks_needed is None else f"{pair.tasks_needed:,}"
        rows.append(
            (NOUNS[axis], show_range(pair.a), show_range(pair.b), f"×{show_range(ratio)}", more, "")
        )
    head = ("", "first", "second", "difference or ratio", "tasks that would show it", "")
    return Section("All figures", f"First: {c.a}. Second: {c.b}.", head=head, rows=rows)
