"""Answers on a run table, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from leanloop.judging.attribution import Attribution, Effect, LeverShare
from leanloop.judging.comparison import NOUNS, Comparison, CostPair
from leanloop.judging.frontier import FrontierAnswer, Standing
from leanloop.judging.gate import Gate
from leanloop.stats.attribution import Basis
from leanloop.stats.budget import CostOfPass
from leanloop.stats.interval import Interval

TITLES = {"usd": "dollars", "latency_s": "seconds", "tokens": "tokens", "tool_calls": "tool calls"}

LONGEST = 24
"""Letters of a name that a row has room for; longer ones are listed under the table."""


def show_frontier(console: Console, answer: FrontierAnswer) -> None:
    """Print a frontier."""
    told(console, [_scope(answer)], answer.warnings, answer.notes)
    axes = [a for a in TITLES if any(getattr(s, a) is not None for s in answer.configurations)]
    table = Table(title="Mean and 95% interval", title_justify="left")
    long = max((len(s.configuration) for s in answer.configurations), default=0) > LONGEST
    table.add_column("" if long else "configuration", no_wrap=True)
    extra = _extra_columns(answer)
    for name in ("n", "success", *(TITLES[a] for a in axes), *extra, "on the frontier"):
        table.add_column(name, overflow="fold")
    for number_, s in enumerate(answer.configurations, start=1):
        costs = [ranged(getattr(s, a)) for a in axes]
        more = [_extra(s, name) for name in extra]
        chance = "unknown" if s.p_frontier is None else f"{s.p_frontier:.3f}"
        name = f"{number_}" if long else s.configuration
        table.add_row(name, str(s.n), ranged(s.success), *costs, *more, chance)
    console.print(table)
    names = [f"{i}: {s.configuration}" for i, s in enumerate(answer.configurations, start=1)]
    told(console, [*(names if long else ()), *_areas(answer)], (), ())


def _scope(a: FrontierAnswer) -> str:
    within = "" if a.clusters is None else f" in {a.clusters} clusters, resampled whole"
    goals = ", ".join(f"{name} {way}" for name, way in a.objectives.items())
    return (
        f"{a.source}: {len(a.configurations)} configurations on the {a.n_tasks:,} tasks that all "
        f"of them have{within} ({a.dropped_tasks:,} tasks dropped for not being common). "
        f"Objectives: {goals}. {a.question}."
    )


def _extra_columns(answer: FrontierAnswer) -> list[str]:
    standings = answer.configurations
    names = []
    if any(s.cost_of_pass for s in standings):
        names.append("a solved task")
    if any(s.success_within for s in standings):
        names.append("success within")
    if any(s.growth_exponent for s in standings):
        names.append("growth")
    if any(s.pass_hat_k for s in standings):
        names.append("pass^k")
    return names


def _extra(s: Standing, name: str) -> str:
    if name == "a solved task":
        return passing(s.cost_of_pass)
    if name == "success within":
        return ranged(s.success_within)
    if name == "growth":
        return ranged(s.growth_exponent)
    return " ".join(f"{k}:{i.mean:.2f}" for k, i in s.pass_hat_k.items() if i.mean is not None)


def passing(cost: CostOfPass | None) -> str:
    """What a solved task costs, with its interval."""
    if cost is None:
        return "unknown"
    if cost.infinite:
        return "no limit" if cost.low is None else f"no limit (over {number(cost.low)})"
    return ranged(Interval(cost.mean, cost.low, cost.high, cost.n))


def _areas(answer: FrontierAnswer) -> list[str]:
    lines = []
    if answer.hypervolume is not None:
        h = answer.hypervolume
        corner = ", ".join(f"{k} {number(v)}" for k, v in h.reference.items())
        lines.append(
            f"Hypervolume of success against {h.axis}, reference {corner}: {ranged(h.area)}."
        )
    for b in answer.bounded:
        bound = f"{b.axis} {'at least' if b.axis == 'success' else 'at most'} {number(b.bound)}"
        if b.configuration is None:
            lines.append(
                f"With {bound}: no configuration by the means (met in {b.met or 0:.0%} of draws)."
            )
        else:
            what = "cost" if b.axis == "success" else "success"
            lines.append(
                f"With {bound}: {b.configuration}, {what} {ranged(b.value)}; it is the best that "
                f"meets the bound in {b.probability or 0:.0%} of draws."
            )
    return lines


def show_comparison(console: Console, found: Comparison) -> None:
    """Print a comparison."""
    s = found.success
    apart = f" in {found.clusters} clusters" if found.clusters else ""
    lines = [
        f"{found.b}",
        f"  against {found.a}",
        f"  on {found.n_tasks:,} common tasks{apart} ({found.dropped_tasks:,} that only one has "
        "were dropped); paired, 95% intervals.",
        f"Verdict: {found.sentence} (margin {found.said_margin}).",
    ]
    if s.difference is not None:
        low, high = s.low or 0.0, s.high or 0.0
        lines.append(
            f"success: {ranged(s.a)} -> {ranged(s.b)}; difference "
            f"{100 * s.difference:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"
            f"{_aside(found)}"
        )
    lines += [_cost_line(NOUNS[a], pair) for a, pair in found.costs().items()]
    told(console, lines, found.warnings, found.notes)


def _aside(found: Comparison) -> str:
    s = found.success
    parts = [] if s.standard_error is None else [f"standard error {s.standard_error:.4f}"]
    if s.mcnemar_p is not None:
        parts.append(f"McNemar p {s.mcnemar_p:.3g}")
    if s.tasks_needed is not None:
        parts.append(f'about {s.tasks_needed:,} tasks would show "not worse"')
    return "; " + "; ".join(parts) if parts else ""


def _cost_line(noun: str, pair: CostPair) -> str:
    if pair.ratio is None:
        return f"{noun}: {ranged(pair.a)} -> {ranged(pair.b)}; ratio unknown"
    ratio = ranged(Interval(pair.ratio, pair.low, pair.high, 0), 2)
    text = f"{noun}: {ranged(pair.a)} -> {ranged(pair.b)}; ratio ×{ratio}"
    if pair.on_failed_a is not None and pair.on_failed_b is not None:
        text += f"; spent on failed tasks {pair.on_failed_a:.0%} -> {pair.on_failed_b:.0%}"
    if pair.tasks_needed is not None:
        text += f"; about {pair.tasks_needed:,} tasks would show which is lower"
    return text


def show_gate(console: Console, found: Gate) -> None:
    """Print what the gate found."""
    lines = [f"Gate {'passed' if found.passed else 'failed'}: {found.comparison.sentence}."]
    lines.append(f"Margin of success: {found.comparison.said_margin}.")
    lines += [f"  {'pass' if c.passed else 'FAIL'} {c.name}: {c.message}" for c in found.checks]
    told(console, lines, found.comparison.warnings, found.comparison.notes)


def show_attribution(console: Console, found: Attribution) -> None:
    """Print an attribution."""
    head = (
        f"From {found.baseline} to {found.chosen}, on {found.n_tasks:,} tasks that all "
        f"{len(found.cells)} configurations used have ({found.dropped_tasks:,} dropped): "
        f"{found.whole.sentence} (margin {found.whole.said_margin})."
    )
    told(console, [head], found.warnings, found.notes)
    axes = [a for a in TITLES if found.levers and _has(found.levers, a)]
    console.print(_share_table(found, axes))
    if found.interactions:
        rows = [
            (" and ".join(p.levers), *_effect(p.effect, axes), str(p.basis))
            for p in found.interactions
        ]
        title = "Interaction of pairs: together over each alone"
        console.print(_effect_table(title, ("levers",), axes, [*rows], basis=True))
    if found.by_model:
        rows = [(m.lever, m.model, str(m.n), *_effect(m.effect, axes)) for m in found.by_model]
        title = "Each structural lever by model"
        console.print(_effect_table(title, ("lever", "model", "n"), axes, [*rows]))
    told(console, [*_flips(found), *_missing(found)], (), ())


def _share_table(found: Attribution, axes: Sequence[str]) -> Table:
    rows = []
    for x in sorted(found.levers, key=lambda x: x.is_model):
        name = f"{x.lever} (model)" if x.is_model else x.lever
        change = f"{x.baseline} -> {x.chosen}"
        rows.append((name, change, *_effect(x.share, axes), str(x.basis)))
        if x.basis is not Basis.EXACT:
            ends = (("alone", x.alone), ("last", x.last))
            rows += [("", n, *_effect(e, axes), "exact") for n, e in ends if e is not None]
    title = "Shapley share of each lever, 95% intervals"
    return _effect_table(title, ("lever", "change"), axes, rows, basis=True)


def _effect_table(
    title: str,
    first: Sequence[str],
    axes: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    basis: bool = False,
) -> Table:
    table = Table(title=title, title_justify="left")
    costs = [f"{TITLES[a]} ×" for a in axes]
    for name in (*first, "success, points", *costs, *(("basis",) if basis else ())):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _flips(found: Attribution) -> list[str]:
    lines = [
        f"The sign of {f.lever} on {f.measure} flips: up with {f.up}, down with {f.down}"
        + (" (both shown)." if f.shown else " (seen, not shown: an interval holds no effect).")
        for f in found.flips
    ]
    if len({m.model for m in found.by_model}) > 1 and not lines:
        lines = ["No lever's sign flips between models."]
    return lines


def _missing(found: Attribution) -> list[str]:
    lines = ["Not run: " + ", ".join(f"{k}={v}" for k, v in cell.items()) for cell in found.missing]
    more = found.missing_count - len(found.missing)
    return [*lines, f"and {more} more"] if more else lines


def _has(levers: Sequence[LeverShare], axis: str) -> bool:
    effects = [e for x in levers for e in (x.share, x.alone, x.last) if e is not None]
    return any(getattr(e, axis) is not None for e in effects)


def _effect(effect: Effect | None, axes: Sequence[str]) -> list[str]:
    if effect is None:
        return ["not identified", *("" for _ in axes)]
    return [_points(effect.success), *(ranged(getattr(effect, a), 2) for a in axes)]


def _points(i: Interval) -> str:
    if i.mean is None:
        return "unknown"
    if i.low is None or i.high is None:
        return f"{100 * i.mean:+.1f} (interval unknown)"
    return f"{100 * i.mean:+.1f} ({100 * i.low:+.1f} to {100 * i.high:+.1f})"


def ranged(i: Interval | None, digits: int | None = None) -> str:
    """An estimate with its interval; one without an upper end is without limit."""
    if i is None or i.mean is None:
        return "unknown"
    if i.low is None:
        return f"{number(i.mean, digits)} (interval unknown)"
    high = "no limit" if i.high is None else number(i.high, digits)
    return f"{number(i.mean, digits)} ({number(i.low, digits)}–{high})"


def number(value: float, digits: int | None = None) -> str:
    """Three significant digits; whole thousands are not cut."""
    if digits is not None:
        return f"{value:.{digits}f}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def told(
    console: Console, lines: Sequence[str], warnings: Sequence[str], notes: Sequence[str]
) -> None:
    """Print lines, then what the reader must know and what was left out."""
    for warning in warnings:
        console.print(f"WARNING: {warning}", style="bold", highlight=False, soft_wrap=True)
    for line in (*lines, *(f"Note: {n}" for n in notes)):
        console.print(line, highlight=False, soft_wrap=True, markup=False)
