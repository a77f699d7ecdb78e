"""Answers on a run table as one static HTML file that works offline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from leanloop.judging.attribution import Attribution, Effect, LeverShare, PairEffect
from leanloop.judging.comparison import NOUNS, Comparison
from leanloop.judging.frontier import FrontierAnswer, Standing
from leanloop.judging.run_table import AXES
from leanloop.report.figures import LABELLED, Frame, Point, Row, forest_figure, frontier_figure
from leanloop.report.html import Plot, page_environment, show_range, write_whole
from leanloop.report.judged_figures import (
    BLUE,
    GREEN,
    ORANGE,
    PINK,
    Bar,
    curve_figure,
    heat_figure,
    share_figure,
)
from leanloop.stats.attribution import Basis
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
METHOD = (
    "Brackets and bars are 95% intervals; none is corrected for how many are shown",
    "Success has Wilson's interval, its paired difference one with two imagined tasks added; costs "
    "and ratios have a studentised bootstrap on the logarithm; clusters of tasks widen all of them",
    "Unknown stays unknown: a mean with an unknown part is not given",
)


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Args:
        title: Its heading.
        text: What has to be said first.
        plots: Plots, side by side where there is room.
        head: Names of the table's columns.
        rows: Its rows; the first cell names the row.
        key: Colour and meaning.
    """

    title: str
    text: str = ""
    plots: Sequence[Plot] = ()
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    key: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Page:
    """A page.

    Args:
        title: Its heading.
        verdict: Lines that answer the question.
        sections: The rest.
        warnings: What the reader must know first.
        notes: How the figures came to be, and what was left out.
    """

    title: str
    verdict: Sequence[str]
    sections: Sequence[Section]
    warnings: Sequence[str]
    notes: Sequence[str]


def write_frontier(answer: FrontierAnswer, path: Path) -> None:
    """Write the page of a frontier.

    Raises:
        BadInputError: The file cannot be written.
    """
    write_whole(render(frontier_page(answer)), path)


def write_comparison(found: Comparison, path: Path) -> None:
    """Write the page of a comparison.

    Raises:
        BadInputError: The file cannot be written.
    """
    write_whole(render(comparison_page(found)), path)


def write_attribution(found: Attribution, path: Path) -> None:
    """Write the page of an attribution.

    Raises:
        BadInputError: The file cannot be written.
    """
    write_whole(render(attribution_page(found)), path)


def render(page: Page) -> str:
    """A page as HTML text."""
    return page_environment().get_template("judged.html.j2").render(page=page)


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
        f"Objectives: {goals}. The probability of being on the frontier is the share of "
        f"{a.resamples:,} resamples of the tasks in which nothing beats it, seed {a.seed}",
        *METHOD,
        *a.notes,
    ]
    return Page(f"Frontier of {Path(a.source).name}", verdict, sections, a.warnings, notes)


def _frontier_plot(a: FrontierAnswer, axis: str) -> Plot:
    points, missing = [], []
    for at, s in enumerate(a.configurations):
        cost = getattr(s, axis)
        if cost is None or cost.mean is None or s.success.mean is None:
            missing.append(_short(s.configuration))
        else:
            kind = "recommended" if (s.p_frontier or 0) >= 0.95 else "frontier"
            label = _short(s.configuration) if at < LABELLED else ""
            points.append(Point(label, kind, s.success, cost))
    title = f"Success against {UNITS[axis]}"
    svg = frontier_figure(points, Frame(f"frontier-{axis}", title, UNITS[axis]))
    return Plot(f"{title}; stars are on the frontier with 0.95 or more", _svg(svg), tuple(missing))


def _chances(a: FrontierAnswer) -> Section:
    known = [s for s in a.configurations if s.p_frontier is not None][:DRAWN]
    bars = [
        Bar(f"{_short(s.configuration, 48)}: {s.p_frontier:.3f}", {"on": s.p_frontier or 0.0})
        for s in known
    ]
    svg = share_figure(bars, Frame("chances", "Probability of being on the frontier", ""), [BLUE])
    plot = Plot("Probability of being on the frontier, the surest", _svg(svg))
    return Section("How sure that is", plots=[plot] if known else [])


def _passes(a: FrontierAnswer) -> Section:
    axis = next((o for o in a.objectives if o != "success"), "cost")
    found = [(s, s.cost_of_pass) for s in a.configurations if s.cost_of_pass is not None]
    rows = [
        Row(_short(s.configuration, 44), model=False, interval=_interval(c))
        for s, c in found[:DRAWN]
        if not c.infinite
    ]
    endless = tuple(_short(s.configuration) for s, c in found if c.infinite)
    frame = Frame("passes", "Cost of a solved task", f"{axis} for a solved task")
    zero = [0.0]
    plot = Plot("Cost of a solved task", _svg(forest_figure(rows, frame, zero)), endless)
    return Section("What a solved task costs", plots=[plot] if rows else [])


def _interval(c: CostOfPass) -> Interval:
    return Interval(c.mean, c.low, c.high, c.n)


def _repeats(a: FrontierAnswer) -> list[Section]:
    curves = {_short(s.configuration): s.pass_hat_k for s in a.configurations if s.pass_hat_k}
    if not curves:
        return []
    some = dict(list(curves.items())[:6])
    frame = Frame("passk", "Probability that k runs of a task all succeed", "k")
    plot = Plot("pass^k: the probability that k runs of a task all succeed", Markup(""))
    drawn = Plot(plot.title, _svg(curve_figure(some, frame)))
    return [Section("Several runs of a task", plots=[drawn])]


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
            *(_maybe(getattr(s, x)) for x in axes),
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
        _maybe(s.growth_exponent),
        "unknown" if spread is None else f"{spread:.3f}",
        _maybe(s.success_within),
    )


def _maybe(interval: Interval | None) -> str:
    return "unknown" if interval is None else show_range(interval)


def comparison_page(c: Comparison) -> Page:
    """What a comparison has to show."""
    s = c.success
    difference = Interval(s.difference, s.low, s.high, c.n_tasks)
    shown = "shown" if s.non_inferior else "not shown"
    verdict = [
        f"{c.sentence[0].upper()}{c.sentence[1:]}.",
        f"{c.b} against {c.a} on {c.n_tasks:,} common tasks, paired ({c.dropped_tasks:,} that only "
        f"one has were dropped): success {_points(difference)} points. That it is not worse by "
        f"the margin of {100 * c.margin:g} points is {shown}.",
    ]
    points = _scaled(difference, 100)
    margin = [0.0, -100 * c.margin]
    frame = Frame("difference", "Difference of success", "points of success")
    rows = [Row("success", model=False, interval=points)]
    plots = [
        Plot("Difference of success; dashed: the margin", _svg(forest_figure(rows, frame, margin)))
    ]
    costs = c.costs()
    ratios = [
        Row(NOUNS[x], model=False, interval=Interval(p.ratio, p.low, p.high, c.n_tasks))
        for x, p in costs.items()
    ]
    frame = Frame("ratios", "Ratio of costs", "times the first's cost")
    plots.append(Plot("Ratio of costs", _svg(forest_figure(ratios, frame, [1.0]))))
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
        "Share of cost spent on failed tasks", _svg(share_figure(bars, frame, [ORANGE, GREEN]))
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
        ("success", show_range(s.a), show_range(s.b), f"{_points(difference)} points", needed,
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


def attribution_page(found: Attribution) -> Page:
    """What an attribution has to show."""
    axes = [x for x in AXES if any(getattr(e, x) is not None for e in _effects(found))]
    verdict = [
        f"From {found.baseline} to {found.chosen}: {found.whole.sentence}.",
        f"{found.n_tasks:,} tasks that all {len(found.cells)} configurations used have; "
        f"{found.dropped_tasks:,} were dropped.",
    ]
    key = [(GREEN, "structural levers, circles"), (PINK, "model levers, diamonds")]
    plots = [_shares(found, x) for x in ("success", *axes)]
    text = (
        "The share of a lever is its Shapley value: what it adds, averaged over the orders in "
        "which the levers could be changed. Shares of success add up to the whole, those of costs "
        "multiply to it."
    )
    sections = [
        Section("What each lever gives", text, plots=plots, key=key),
        _share_table(found, axes),
        *_interactions(found, axes),
        *_models(found, axes),
        *_missing(found),
    ]
    notes = [*METHOD, *found.notes]
    return Page("What each lever gives", verdict, sections, found.warnings, notes)


def _effects(found: Attribution) -> list[Effect]:
    every = [e for x in found.levers for e in (x.share, x.alone, x.last)]
    return [e for e in (*every, *(m.effect for m in found.by_model)) if e is not None]


def _shares(found: Attribution, measure: str) -> Plot:
    alone = measure == "success"
    rows, missing = [], []
    for x in found.levers:
        interval = getattr(x.share, measure) if x.share is not None else None
        if interval is None or interval.mean is None:
            missing.append(f"{x.lever} ({'not identified' if x.share is None else 'unknown'})")
        else:
            size = 100.0 if alone else 1.0
            rows.append(Row(_short(_change(x), 48), x.is_model, _scaled(interval, size)))
    title = "Points of success" if alone else f"Factor on {NOUNS[measure]}"
    frame = Frame(f"share-{measure}", f"{title} by lever", title.lower())
    svg = forest_figure(rows, frame, [0.0 if alone else 1.0])
    return Plot(title, _svg(svg), tuple(missing))


def _change(x: LeverShare) -> str:
    return f"{x.lever}: {x.baseline} to {x.chosen}"


def _share_table(found: Attribution, axes: Sequence[str]) -> Section:
    rows = []
    for x in found.levers:
        rows.append((_change(x), str(x.basis), *_cells(x.share, axes)))
        if x.basis is not Basis.EXACT:
            ends = (("changed alone", x.alone), ("changed last", x.last))
            rows += [(f"{x.lever}, {n}", "exact", *_cells(e, axes)) for n, e in ends if e]
    head = ("lever", "basis", "success, points", *(f"{NOUNS[a]} ×" for a in axes))
    return Section("Shares", head=head, rows=rows)


def _cells(effect: Effect | None, axes: Sequence[str]) -> list[str]:
    if effect is None:
        return ["not identified", *("" for _ in axes)]
    return [_points(effect.success), *(_maybe(getattr(effect, a)) for a in axes)]


def _interactions(found: Attribution, axes: Sequence[str]) -> list[Section]:
    if not found.interactions:
        return []
    names = list(dict.fromkeys(n for p in found.interactions for n in p.levers))
    cells = {p.levers: _points_of(p) for p in found.interactions}
    frame = Frame("pairs", "Interactions on success", "points of success")
    title = (
        "Points of success that two levers give together over each alone; hatched: not identified"
    )
    plot = Plot(title, _svg(heat_figure(names, cells, frame)))
    rows = [
        (" and ".join(p.levers), str(p.basis), *_cells(p.effect, axes)) for p in found.interactions
    ]
    head = ("levers", "basis", "success, points", *(f"{NOUNS[a]} ×" for a in axes))
    return [Section("Interactions", plots=[plot], head=head, rows=rows)]


def _points_of(pair: PairEffect) -> float | None:
    if pair.effect is None or pair.effect.success.mean is None:
        return None
    return 100 * pair.effect.success.mean


def _models(found: Attribution, axes: Sequence[str]) -> list[Section]:
    if not found.by_model:
        return []
    said = [
        f"The sign of {f.lever} on {f.measure} flips: up with {f.up}, down with {f.down}"
        + (", both shown." if f.shown else ", seen but not shown.")
        for f in found.flips
    ]
    several = len({m.model for m in found.by_model}) > 1
    text = " ".join(said) or ("No lever's sign flips between models." if several else "")
    rows = [(m.lever, m.model, f"{m.n:,}", *_cells(m.effect, axes)) for m in found.by_model]
    head = ("lever", "model", "tasks", "success, points", *(f"{NOUNS[a]} ×" for a in axes))
    return [Section("Structural levers by model", text, head=head, rows=rows)]


def _missing(found: Attribution) -> list[Section]:
    if not found.missing:
        return []
    text = f"{found.missing_count} combinations were not run; with them every share would be exact."
    rows = [(", ".join(f"{k} = {v}" for k, v in cell.items()),) for cell in found.missing]
    return [Section("Combinations that were not run", text, head=("settings",), rows=rows)]


def _scaled(i: Interval, factor: float) -> Interval:
    mean, low, high = (None if v is None else v * factor for v in (i.mean, i.low, i.high))
    return Interval(mean, low, high, i.n)


def _short(label: str, letters: int = 24) -> str:
    """A long name without its middle: names of one family differ at their ends."""
    if len(label) <= letters:
        return label
    end = (letters - 1) * 2 // 3
    return f"{label[: letters - 1 - end]}…{label[-end:]}"


def _points(interval: Interval) -> str:
    """A difference of success in points, to the tenth."""
    if interval.mean is None:
        return "unknown"
    if interval.low is None or interval.high is None:
        return f"{100 * interval.mean:+.1f} (interval unknown)"
    ends = f"{100 * interval.low:+.1f} to {100 * interval.high:+.1f}"
    return f"{100 * interval.mean:+.1f} ({ends})"


def _svg(text: str) -> Markup:
    return Markup(text)  # noqa: S704 - ours, escaped
