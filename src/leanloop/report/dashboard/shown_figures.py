"""Figures as the page has them."""

from __future__ import annotations

from leanloop.pricing.cost import AXES
from leanloop.report.dashboard.board import Document
from leanloop.stats.comparison import Verdict
from leanloop.stats.interval import Interval


def show_interval(i: Interval) -> list[float | None]:
    """Mean, low, high and n."""
    # Infinite ends have no place in JSON; None is an end that is not known.
    ends = [v if v is None or abs(v) != float("inf") else None for v in (i.mean, i.low, i.high)]
    return [*ends, i.n]


def show_verdict(verdict: Verdict | None) -> Document | None:
    """Each difference or ratio as an interval, and what is said of them."""
    if verdict is None:
        return None
    found: Document = {name: show_interval(getattr(verdict, name)) for name in ("success", *AXES)}
    return found | {"sentence": verdict.sentence}
