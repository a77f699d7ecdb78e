"""A study's result as one static HTML file that works offline."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
import tomli_w
from markupsafe import Markup

from leanloop.core.errors import BadInputError
from leanloop.report.figures import (
    LABELLED,
    Frame,
    Point,
    Row,
    forest_figure,
    frontier_figure,
    steps_figure,
)
from leanloop.report.stream_terminal import (
    SOLVED,
    labelled_stretches,
    say_along,
    scaled_cost,
)
from leanloop.report.terminal import say_optimism
from leanloop.search.result import Figures, Member, Result
from leanloop.search.task_report import say_tasks
from leanloop.stats.budget import CostOfPass
from leanloop.stats.comparison import paired_difference
from leanloop.stats.interval import Interval

AXES = {
    "usd": ("dollars a 1000 tasks", 1000.0),
    "latency_s": ("seconds a task", 1.0),
    "tokens": ("tokens a task", 1.0),
    "tool_calls": ("tool calls a task", 1.0),
}
"""Cost axis to its title and the factor that it is shown with."""

RATIOS = {
    "usd": "dollars",
    "latency_s": "seconds",
    "tokens": "tokens",
    "tool_calls": "tool calls",
}
LEVER_PLOTS = ("success", "usd", "latency_s", "tokens")
LONGEST = 24
"""Letters of a label in a plot."""


@dataclass(frozen=True)
class Shown:
    """A configuration as the report shows it.

    Args:
        label: The part it plays, or its id.
        kind: A key of ``leanloop.report.figures.STYLES``.
        member: Its figures.
    """

    label: str
    kind: str
    member: Member


@dataclass(frozen=True)
class Plot:
    """A plot and what has to be said about it.

    Args:
        title: What it shows.
        svg: The drawing; "" when nothing is known.
        left_out: Labels of what it does not show, for want of figures.
    """

    title: str
    svg: Markup
    left_out: tuple[str, ...] = ()


def write_report(result: Result, path: Path) -> None:
    """Write the report of a result; the file that was there stays whole until then.

    Raises:
        BadInputError: The file cannot be written.
    """
    write_whole(render_report(result), path)


def write_whole(text: str, path: Path) -> None:
    """Write a file; what was there stays whole until the new one is.

    Raises:
        BadInputError: The file cannot be written.
    """
    half = path.with_name(path.name + ".half")
    try:
        half.write_text(text, encoding="utf-8")
        half.replace(path)
    except OSError as error:
        with suppress(OSError):
            half.unlink(missing_ok=True)
        raise BadInputError(str(path), error.strerror or "cannot be written") from error


def page_environment() -> jinja2.Environment:
    """Templates of pages: everything is escaped, and a name that is missing is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("leanloop.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_report(result: Result) -> str:
    """The report as HTML text."""
    environment = page_environment()
    environment.filters |= {
        "number": show_number,
        "range": show_range,
        "points": show_points,
        "ends": show_ends,
        "settings": show_settings,
        "seconds": show_seconds,
        "count": show_count,
        "limits": show_limits,
        "in_unit": scaled_cost,
    }
    rows = _rows(result)
    split = "holdout" if any(_has(r.member.holdout) for r in rows) else "search"
    found = result.member(result.recommended) if result.recommended else None
    tasks = _judged_on(result, found)
    return environment.get_template("report.html.j2").render(
        r=result,
        found=found,
        rows=rows,
        axes=AXES,
        ratios=RATIOS,
        labelled=LABELLED,
        split=split,
        not_run=[
            r.label for r in rows if r.kind != "other" and not _has(_figures(r.member, split))
        ],
        toml=show_toml(found.settings) if found else "",
        flattered=say_optimism(found) if found else "",
        tasks_said=say_tasks(result.tasks),
        tasks=tasks,
        floor=smallest_margin(tasks),
        plots=[_frontier_plot(rows, split, axis) for axis in AXES],
        lever_plots=_lever_plots(result),
        steps_plot=_steps_plot(result),
        solved=SOLVED,
        say_along=say_along,
        labelled_stretches=labelled_stretches,
    )


def smallest_margin(n: int) -> float | None:
    """The smallest margin that ``n`` tasks can show where both sides do alike on every task."""
    low = paired_difference(np.zeros(n), np.zeros(n)).low
    return None if low is None else -low


def show_number(value: float | None) -> str:
    """A number with the digits that it can be read by; a small one is never cut to 0."""
    if value is None or math.isnan(value):
        return "unknown"
    if math.isinf(value):
        return "no limit"
    size = abs(value)
    if size == 0:
        return "0"
    if size < 0.1:
        return f"{value:.{min(12, 1 - math.floor(math.log10(size)))}f}"
    return f"{value:,.{2 if size < 10 else 1 if size < 100 else 0}f}"


def show_range(interval: Interval, factor: float = 1.0) -> str:
    """An estimate with its interval; unknown is said so."""
    if interval.mean is None:
        return "unknown"
    return f"{show_number(interval.mean * factor)} ({show_ends(interval, factor)})"


def show_ends(interval: Interval, factor: float = 1.0) -> str:
    """The ends of an interval."""
    if interval.low is None or interval.high is None:
        return "interval unknown"
    return f"{show_number(interval.low * factor)} to {show_number(interval.high * factor)}"


def show_limits(found: Interval | CostOfPass) -> str:
    """The ends of an interval of which the upper may be without limit."""
    if found.low is None:
        return "interval unknown"
    high = "no limit" if found.high is None else show_number(found.high)
    return f"{show_number(found.low)} to {high}"


def show_points(interval: Interval) -> str:
    """A difference of success in points, with its interval."""
    if interval.mean is None:
        return "unknown"
    mean = f"{100 * interval.mean:+.0f}"
    if interval.low is None or interval.high is None:
        return f"{mean} (interval unknown)"
    return f"{mean} ({100 * interval.low:+.0f} to {100 * interval.high:+.0f})"


def show_settings(settings: Mapping[str, object]) -> str:
    """Settings in one line."""
    return ", ".join(f"{k} = {v}" for k, v in settings.items()) or "all off"


def show_count(n: int, noun: str) -> str:
    """A number of things."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def show_seconds(seconds: float) -> str:
    """A length of time as people say it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def show_toml(settings: Mapping[str, object]) -> str:
    """Settings as TOML, a line each: ``component.lever = value``."""
    lines = []
    for name, value in settings.items():
        component, _, lever = name.partition(".")
        head = tomli_w.dumps({component: 0}).removesuffix(" = 0\n")
        lines.append(f"{head}.{tomli_w.dumps({lever: value})}")
    return "".join(lines) or "# every lever is off\n"


def _rows(result: Result) -> list[Shown]:
    """Everything that has figures, each configuration once: by the parts it plays, else its id."""
    parts: dict[str, list[str]] = {result.baseline.id: ["baseline"]}
    members = {result.baseline.id: result.baseline}
    if result.recommended and (found := result.member(result.recommended)):
        parts.setdefault(found.id, []).append("recommended")
        members.setdefault(found.id, found)
    for name, member in result.references.items():
        parts.setdefault(member.id, []).append(name)
    rest = [m for m in (*result.frontier, *result.others) if m.id not in parts]
    for member in (*rest, *result.references.values()):
        members.setdefault(member.id, member)
    on = {m.id for m in result.frontier}
    return [
        Shown(" and ".join(parts.get(id_, [id_])), _kind(parts.get(id_, []), id_ in on), member)
        for id_, member in members.items()
    ]


def _kind(parts: list[str], on: bool) -> str:
    if not parts:
        return "frontier" if on else "other"
    return parts[0] if parts[0] in ("baseline", "recommended") else "reference"


def _judged_on(result: Result, found: Member | None) -> int:
    """Holdout tasks that the recommendation, or the lack of one, rests on."""
    if found is not None and found.verdict is not None:
        return found.verdict.success.n
    return result.baseline.holdout.success.n if result.baseline.holdout else 0


def _has(figures: Figures | None) -> bool:
    return figures is not None and figures.success.n > 0


def _figures(member: Member, split: str) -> Figures | None:
    return member.holdout if split == "holdout" else member.search


def _frontier_plot(rows: Iterable[Shown], split: str, axis: str) -> Plot:
    title, factor = AXES[axis]
    points = []
    for row in rows:
        figures = _figures(row.member, split)
        if figures is not None and _has(figures):
            cost = _scaled(getattr(figures, axis), factor)
            points.append(Point(_short(row.label), row.kind, figures.success, cost))
    name = f"Success against {title}, on the {split} split; the figures are in the table below"
    svg = frontier_figure(points, Frame(f"frontier-{axis}", name, title))
    missing = tuple(p.label for p in points if p.cost.mean is None or p.success.mean is None)
    return Plot(f"Success against {title}", Markup(svg), missing)  # noqa: S704 - ours, escaped


def _lever_plots(result: Result) -> list[Plot]:
    plots = []
    for axis in LEVER_PLOTS:
        alone = axis == "success"
        title = "Difference of success" if alone else f"Ratio of {RATIOS[axis]}"
        under = "points of success" if alone else f"times the baseline's {RATIOS[axis]}"
        rows = [
            Row(
                _short(f"{e.lever} = {e.setting}", 2 * LONGEST),
                e.lever.startswith("model."),
                _scaled(getattr(e.verdict, axis), 100.0 if alone else 1.0),
            )
            for e in result.levers
        ]
        name = f"{title}, each lever alone; the figures are in the table below"
        lines = [0.0, -100 * result.margin] if alone else [1.0]
        svg = forest_figure(rows, Frame(f"lever-{axis}", name, under), lines)
        missing = tuple(r.label for r in rows if r.interval.mean is None)
        plots.append(Plot(title, Markup(svg), missing))  # noqa: S704 - ours, escaped
    return plots


def _steps_plot(result: Result) -> Plot | None:
    if not result.steps:
        return None
    name = "Tokens of the baseline by step; the figures are in the table below"
    svg = steps_figure(result.steps, Frame("steps", name, "step"))
    return Plot("Tokens of the baseline by step", Markup(svg))  # noqa: S704 - ours, escaped


def _short(label: str, letters: int = LONGEST) -> str:
    return label if len(label) <= letters else label[: letters - 1] + "…"


def _scaled(i: Interval, factor: float) -> Interval:
    def scale(value: float | None) -> float | None:
        return None if value is None else value * factor

    return Interval(scale(i.mean), scale(i.low), scale(i.high), i.n)
