"""The page of an attribution."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from leanloop.judging.attribution import Attribution, Effect, LeverShare, PairEffect
from leanloop.judging.comparison import NOUNS
from leanloop.judging.run_table import AXES
from leanloop.report.figures import Frame, Row, forest_figure
from leanloop.report.html import Plot, write_whole
from leanloop.report.judged_figures import GREEN, PINK, heat_figure
from leanloop.report.page import (
    METHOD,
    Page,
    Section,
    as_markup,
    in_points,
    range_or_unknown,
    render,
    scaled,
    shortened,
)
from leanloop.stats.attribution import Basis


def write_attribution(found: Attribution, path: Path) -> None:
    """Write the page of an attribution.

    Raises:
        BadInputError: The file cannot be written.
    """
    write_whole(render(attribution_page(found)), path)


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
            rows.append(Row(shortened(_change(x), 48), x.is_model, scaled(interval, size)))
    title = "Points of success" if alone else f"Factor on {NOUNS[measure]}"
    frame = Frame(f"share-{measure}", f"{title} by lever", title.lower())
    svg = forest_figure(rows, frame, [0.0 if alone else 1.0])
    return Plot(title, as_markup(svg), tuple(missing))


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
    return [in_points(effect.success), *(range_or_unknown(getattr(effect, a)) for a in axes)]


def _interactions(found: Attribution, axes: Sequence[str]) -> list[Section]:
    if not found.interactions:
        return []
    names = list(dict.fromkeys(n for p in found.interactions for n in p.levers))
    cells = {p.levers: _points_of(p) for p in found.interactions}
    frame = Frame("pairs", "Interactions on success", "points of success")
    title = (
        "Points of success that two levers give together over each alone; hatched: not identified"
    )
    plot = Plot(title, as_markup(heat_figure(names, cells, frame)))
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
