"""The page of a frontier."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from leanloop.judging.frontier import FrontierAnswer, Standing
from leanloop.judging.run_table import AXES
from leanloop.report.figures import LABELLED, Frame, Point, Row, forest_figure, frontier_figure
from leanloop.report.html import Plot, show_range, write_whole
from leanloop.report.judged_figures import BLUE, Bar, curve_figure, share_figure
from leanloop.report.page import (
    METHOD,
    Page,
    Section,
    as_markup,
    range_or_unknown,
    render,
    shortened,
)
from leanloop.stats.budget import CostOfPass
from leanloop.stats.interval import Interval

DRAWN = 24
"""Configurations in a plot with a row each; the table has all of them."""
UNITS = {
    "usd": "dollars a task",
    "latency_s": "seconds a task",
    "tokens": "tokens a task",
    "tool_calls": "tool calls a task",
}


def write_frontier(answer: FrontierAnswer, path: Path) -> None:
    """Write the page of a frontier.

    Raises:
        BadInputError: The file cannot be written.
    """
    write_whole(render(frontier_page(answer)), path)


def frontier_page(a: FrontierAnswer) -> Page:
    """What a frontier has to show."""
    axes = [x for x in AXES if any(getattr(s, x) is not None for s in a.configurations)]
    sure = [s.configuration for s in a.configurations if (s.p_frontier or 0) >= 0.5]
    said = ", ".join(sure[:8]) + (f" and {len(sure) - 8} more" if len(sure) > 8 else "")
    clusters = f", in {a.clusters} clusters that were resampled whole" if a.clusters else ""
    verdict = [
        f"More likely on the frontier than not: {said or 'none'}.",
        f"{len(a.configurations)} configurations on the {a.n_tasks:,} tasks that all of them have"
        f"{clusters}; {a.dropped_tasks:,} tasks were dropped for not being common.",
    ]
    sections = [
        Section(
            "Success against cost",
            "Labels are those of the surest; all of them are in the table.",
            plots=[_frontier_plot(a, x) for x in axes],
        ),
        _chances(a),
        _passes(a),
        *_repeats(a),
        *_bounds(a),
        _table(a, axes),
    ]
    goals = ", ".join(f"{name} {way}" for name, way in a.objectives.items())
    notes = [
        f"Runs: {a.source}. Objectives: {goals}",
        a.question,
        *METHOD,
        *a.notes,
    ]
    return Page(f"Frontier of {Path(a.source).name}", verdict, sections, a.warnings, notes)


def _frontier_plot(a: FrontierAnswer, axis: str) -> Plot:
    points, missing = [], []
    for at, s in enumerate(a.configurations):
        cost = getattr(s, axis)
        if cost is None or cost.mean is None or s.success.mean is None:
            missing.append(shortened(s.configuration))
        else:
            kind = "recommended" if (s.p_frontier or 0) >= 0.95 else "frontier"
            label = shortened(s.configuration) if at < LABELLED else ""
            points.append(Point(label, kind, s.success, cost))
    title = f"Success against {UNITS[axis]}"
    svg = frontier_figure(points, Frame(f"frontier-{axis}", title, UNITS[axis]))
    return Plot(
        f"{title}; stars are on the frontier with 0.95 or more", as_markup(svg), tuple(missing)
    )


def _chances(a: FrontierAnswer) -> Section:
    known = [s for s in a.configurations if s.p_frontier is not None][:DRAWN]
    bars = [
        Bar(f"{shortened(s.configuration, 48)}: {s.p_frontier:.3f}", {"on": s.p_frontier or 0.0})
        for s in known
    ]
    svg = share_figure(bars, Frame("chances", "Probability of being on the frontier", ""), [BLUE])
    plot = Plot("Probability of being on the frontier, the surest", as_markup(svg))
    return Section("How sure that is", plots=[plot] if known else [])


def _passes(a: FrontierAnswer) -> Section:
    axis = next((o for o in a.objectives if o != "success"), "cost")
    found = [(s, s.cost_of_pass) for s in a.configurations if s.cost_of_pass is not None]
    rows = [
        Row(shortened(s.configuration, 44), model=False, interval=_interval(c))
        for s, c in found[:DRAWN]
        if not c.infinite
    ]
    endless = tuple(shortened(s.configuration) for s, c in found if c.infinite)
    frame = Frame("passes", "Cost of a solved task", f"{axis} for a solved task")
    zero = [0.0]
    plot = Plot("Cost of a solved task", as_markup(forest_figure(rows, frame, zero)), endless)
    return Section("What a solved task costs", plots=[plot] if rows else [])


def _interval(c: CostOfPass) -> Interval:
    return Interval(c.mean, c.low, c.high, c.n)


def _repeats(a: FrontierAnswer) -> list[Section]:
    curves = {shortened(s.configuration): s.pass_hat_k for s in a.configurations if s.pass_hat_k}
    if not curves:
        return []
    some = dict(list(curves.items())[:6])
    frame = Frame("passk", "Probability that k runs of a task all succeed", "k")
    title = "pass^k: the probability that k runs of a task all succeed"
    plot = Plot(title, as_markup(curve_figure(some, frame)))
    return [Section("Several runs of a task", plots=[plot])]


def _bounds(a: FrontierAnswer) -> list[Section]:
    rows = []
    for b in a.bounded:
        name = b.configuration or "none"
        chance = "unknown" if b.probability is None else f"{b.probability:.2f}"
        rows.append((f"{b.axis} {b.bound:g}", name, show_range(b.value), chance))
    text = ""
    if a.hypervolume is not None:
        corner = ", ".join(f"{k} {v:.4g}" for k, v in a.hypervolume.reference.items())
        text = (
            f"Hypervolume of success against {a.hypervolume.axis}: "
            f"{show_range(a.hypervolume.area)}; its reference is {corner}."
        )
    if not (rows or text):
        return []
    head = ("bound", "best configuration", "what is had", "probability that it is the best")
    return [Section("Under a bound", text, head=head, rows=rows)]


def _table(a: FrontierAnswer, axes: Sequence[str]) -> Section:
    head = ("configuration", "on the frontier", "tasks", "own tasks", "success")
    more = ("a solved task", "growth exponent", "spread between runs", "success within")
    rows = [
        (
            s.configuration,
            "unknown" if s.p_frontier is None else f"{s.p_frontier:.3f}",
            f"{s.n:,}",
            f"{s.own_tasks:,}",
            show_range(s.success),
            *(range_or_unknown(getattr(s, x)) for x in axes),
            *_more(s),
        )
        for s in a.configurations
    ]
    return Section("All figures", head=(*head, *(UNITS[x] for x in axes), *more), rows=rows)


def _more(s: Standing) -> tuple[str, ...]:
    passing = s.cost_of_pass
    cost = "no limit" if passing and passing.infinite else ""
    cost = cost or (show_range(_interval(passing)) if passing else "unknown")
    spread = s.seed_spread.standard_deviation if s.seed_spread else None
    return (
        cost,
        range_or_unknown(s.growth_exponent),
        "unknown" if spread is None else f"{spread:.3f}",
        range_or_unknown(s.success_within),
    )
