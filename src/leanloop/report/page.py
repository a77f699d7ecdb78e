"""What the pages of answers on a run table have in common: sections, words and ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from leanloop.report.html import Plot, page_environment, show_range
from leanloop.stats.interval import Interval

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


def render(page: Page) -> str:
    """A page as HTML text."""
    return page_environment().get_template("judged.html.j2").render(page=page)


def range_or_unknown(interval: Interval | None) -> str:
    """An estimate with its interval in words."""
    return "unknown" if interval is None else show_range(interval)


def scaled(i: Interval, factor: float) -> Interval:
    """An interval in another unit."""
    mean, low, high = (None if v is None else v * factor for v in (i.mean, i.low, i.high))
    return Interval(mean, low, high, i.n)


def shortened(label: str, letters: int = 24) -> str:
    """A long name without its middle: names of one family differ at their ends."""
    if len(label) <= letters:
        return label
    end = (letters - 1) * 2 // 3
    return f"{label[: letters - 1 - end]}…{label[-end:]}"


def in_points(interval: Interval) -> str:
    """A difference of success in points, to the tenth."""
    if interval.mean is None:
        return "unknown"
    if interval.low is None or interval.high is None:
        return f"{100 * interval.mean:+.1f} (interval unknown)"
    ends = f"{100 * interval.low:+.1f} to {100 * interval.high:+.1f}"
    return f"{100 * interval.mean:+.1f} ({ends})"


def as_markup(text: str) -> Markup:
    """A drawing of ours, which is not to be escaped again."""
    return Markup(text)  # noqa: S704 - ours, escaped
