"""A study's result as one static HTML file that works offline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import jinja2
import tomli_w
from markupsafe import Markup

from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError
from leanloop.report.figures import Point, frontier_figure, lever_figure, steps_figure
from leanloop.search.result import Figures, Member, Result
from leanloop.stats.interval import Interval

AXES = {
    "usd": ("dollars a 1000 tasks", 1000.0, 2),
    "latency_s": ("seconds a task", 1.0, 1),
    "tokens": ("tokens a task", 1.0, 0),
    "tool_calls": ("tool calls a task", 1.0, 1),
}
"""Cost axis to its title, the factor it is shown with, and its digits."""


def write_report(result: Result, path: Path) -> None:
    """Write the report of a result; the file that was there stays whole until then.

    Raises:
        BadInputError: The file cannot be written.
    """
    half = path.with_name(path.name + ".half")
    try:
        half.write_text(render_report(result), encoding="utf-8")
        half.replace(path)
    except OSError as error:
        raise BadInputError(str(path), error.strerror or "cannot be written") from error


def render_report(result: Result) -> str:
    """The report as HTML text."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("leanloop.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"range": show_range, "points": show_points, "settings": show_settings}
    rows = _rows(result)
    found = result.member(result.recommended) if result.recommended else None
    return environment.get_template("report.html.j2").render(
        r=result,
        found=found,
        rows=rows,
        axes=AXES,
        toml=_toml(found) if found else "",
        plots={
            title: Markup(frontier_figure(_points(rows, name, factor), title))  # noqa: S704 - ours
            for name, (title, factor, _) in AXES.items()
        },
        levers_plot=Markup(lever_figure(result.levers)) if result.levers else "",  # noqa: S704
        steps_plot=Markup(steps_figure(result.steps)) if result.steps else "",  # noqa: S704
    )


def show_range(interval: Interval, digits: int = 2, factor: float = 1.0) -> str:
    """An estimate with its interval; unknown is said so."""
    if interval.mean is None:
        return "unknown"
    mean = f"{interval.mean * factor:.{digits}f}"
    if interval.low is None or interval.high is None:
        return mean
    return f"{mean} ({interval.low * factor:.{digits}f} to {interval.high * factor:.{digits}f})"


def show_points(interval: Interval) -> str:
    """A difference of success in points, with its interval."""
    if interval.mean is None or interval.low is None or interval.high is None:
        return "unknown"
    return f"{100 * interval.mean:+.0f} ({100 * interval.low:+.0f} to {100 * interval.high:+.0f})"


def show_settings(settings: Mapping[str, object]) -> str:
    """Settings in one line."""
    return ", ".join(f"{k} = {v}" for k, v in settings.items()) or "all off"


def _toml(member: Member) -> str:
    return tomli_w.dumps(Configuration(member.settings).to_nested())


def _rows(result: Result) -> list[tuple[str, str, Member]]:
    """Label, kind and member of everything that is shown, each once."""
    rows = [("baseline", "baseline", result.baseline)]
    shown_below = {m.id for m in result.references.values()}
    for member in result.frontier:
        if member.id == result.recommended:
            rows.insert(1, ("recommended", "recommended", member))
        elif member.id != result.baseline.id and member.id not in shown_below:
            rows.append((member.id, "frontier", member))
    return rows + [(name, "reference", m) for name, m in result.references.items()]


def _points(rows: list[tuple[str, str, Member]], axis: str, factor: float) -> list[Point]:
    return [
        Point(label, kind, f.success, _scaled(getattr(f, axis), factor))
        for label, kind, member in rows
        if (f := _shown(member)) is not None
    ]


def _shown(member: Member) -> Figures | None:
    """Holdout figures; only what was run there is drawn."""
    return member.holdout


def _scaled(i: Interval, factor: float) -> Interval:
    def scale(value: float | None) -> float | None:
        return None if value is None else value * factor

    return Interval(scale(i.mean), scale(i.low), scale(i.high), i.n)
