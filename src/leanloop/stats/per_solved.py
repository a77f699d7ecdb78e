"""What a solved task costs along a stream, against another, and when a head start is paid back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from leanloop.stats.interval import Interval
from leanloop.stats.resampling import Floats, Sample
from leanloop.stats.student import t_quantile

LOW, HIGH = 2.5, 97.5


def per_solved_ratio(a: Floats, b: Floats, sample: Sample) -> Interval:
    """What a solved task costs ``b`` over what it costs ``a``, on the same tasks.

    The interval is that of a bootstrap of tasks, both sides drawn together. An end is
    None where as many draws have no solved task on a side as lie beyond it.

    Args:
        a: Shape (2, tasks): success 0 to 1, and cost, 0 or more.
        b: The same tasks in the same order.
        sample: What is resampled.
    """
    n = a.shape[1]
    every = np.concatenate([a, b])
    if not n or not np.isfinite(every).all():
        return Interval(None, None, None, n)
    mean = float(_ratio(every.sum(axis=1)))
    if n == 1:
        # Every draw is the one task, which tells nothing of others.
        return Interval(mean if math.isfinite(mean) else None, None, None, n)
    drawn = _ratio(sample.units.totals(every) @ sample.unit_draws.T)
    low, high = np.percentile(drawn, [LOW, HIGH], method="inverted_cdf").tolist()
    ends = [x if math.isfinite(x) else None for x in (mean, low, high)]
    return Interval(ends[0], ends[1], ends[2], n)


def _ratio(sums: Floats) -> Floats:
    """Cost of a solved task, second over first; without limit where the second solved nothing."""
    solved_a, cost_a, solved_b, cost_b = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (cost_b * solved_a) / (solved_b * cost_a)
    # Where the first solved nothing the second can only be better.
    found = np.where(solved_a == 0, 0.0, found)
    return np.asarray(np.where(solved_b == 0, math.inf, found), dtype=np.float64)


@dataclass(frozen=True)
class PaidBack:
    """After how many tasks of a stream what one side spent more at first is saved again.

    Args:
        after: The first task, counted from 1, from which on the sum of its costs stays
            below the other's; None when it never does.
        shown_after: The same with the whole 95% interval of the difference of the sums,
            tasks taken as independent; None when it never is.
        saved: The difference of the sums at the end: what was saved.
        n: Tasks of the stream.
    """

    after: int | None
    shown_after: int | None
    saved: float | None
    n: int


def paid_back(a: Floats, b: Floats) -> PaidBack:
    """When ``b`` has paid back what it spent more than ``a`` along a stream.

    Args:
        a: Costs in the order of the stream, shape (tasks,).
        b: The same tasks in the same order.
    """
    n = len(a)
    saved = np.asarray(a - b, dtype=np.float64)
    if not n or not np.isfinite(saved).all():
        return PaidBack(None, None, None, n)
    total, count = saved.cumsum(), np.arange(1, n + 1)
    spread = np.sqrt(np.maximum((saved**2).cumsum() - total**2 / count, 0.0))
    free = np.maximum(count - 1, 1)
    reach = np.array([t_quantile(f) for f in free.tolist()])
    # One task tells nothing of a spread.
    low = np.where(count > 1, total - reach * spread * np.sqrt(count / free), -1.0)
    return PaidBack(_for_good(total), _for_good(low), float(total[-1]), n)


def _for_good(values: Floats) -> int | None:
    """The first place, from 1, from which on all are above nothing; None when the last is not."""
    not_yet = np.flatnonzero(values <= 0)
    first = int(not_yet[-1]) + 2 if len(not_yet) else 1
    return first if first <= len(values) else None
