"""Means with their interval and sample size."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from leanloop.stats.counts import count_reach
from leanloop.stats.resampling import Floats, Ints, Sample, sample_of
from leanloop.stats.student import Z, t_quantile

LEVEL = 0.95
FEW = 10
"""Tasks below which a bootstrap has too little to draw from and Student's t is used."""
IMAGINED = 2
"""Imagined tasks, one at twice the ratio of costs and one at half of it, each of the weight of an
effective task. Their spread is the least that a ratio has: few tasks that agree, or one that has
nearly all of the cost, never look certain."""
LEAST_SPREAD = 0.1
"""Of the estimate's error, the least that a draw's error is taken for."""
MOST_SURE = 2.0
"""What a task that has been seen may be off, as the imagined ones are. No interval is cut that
reaches no further than this."""
PLAIN = 2.0**200
"""Costs of this size or its inverse are squared as they are; others are scaled first."""


@dataclass(frozen=True)
class Interval:
    """An estimate, its 95% interval, and how many tasks it rests on.

    Args:
        mean: The estimate; None when it cannot be made.
        low: Lower end, inclusive; None when unknown.
        high: Upper end, inclusive; None when unknown or without limit.
        n: Tasks.
    """

    mean: float | None
    low: float | None
    high: float | None
    n: int


UNKNOWN = Interval(None, None, None, 0)


@dataclass(frozen=True)
class Spread:
    """Error of a mean over tasks.

    Args:
        variance: The squared standard error.
        plain: What it would be if no task depended on another.
        freedom: Degrees of freedom of the former.
    """

    variance: float
    plain: float
    freedom: float

    @property
    def widening(self) -> float:
        """How much wider an interval is than one of independent tasks, 1 or more."""
        if self.plain <= 0:
            return 1.0
        return math.sqrt(self.variance / self.plain) * max(t_quantile(self.freedom) / Z, 1.0)


def mean_spread(values: Floats, sample: Sample, *, long_tail: bool = False) -> Spread | None:
    """Error of a mean, with dependence inside clusters allowed for; None below two units.

    The cluster-robust estimate, each cluster's residual inflated for its own
    pull on the mean (CR2 of Bell and McCaffrey 2002, for a mean alone), and never
    below what independent tasks would have: few clusters can look surer than
    they are. Degrees of freedom are pooled from both parts (Satterthwaite 1946):
    those of the tasks, and Kish's effective number of clusters less one for what
    clusters add.

    Args:
        values: Shape (tasks,).
        sample: Which tasks belong together.
        long_tail: Whether few large values may decide, as with costs. The tasks'
            degrees of freedom are then those of their variance, ``2 n / (k - 1)``
            with ``k`` its kurtosis, where these are fewer.
    """
    n, units = len(values), sample.units
    if units.count < 2 or n < 2:
        return None
    away = values - values.mean()
    plain = float((away**2).sum()) / (n * (n - 1))
    own = min(n - 1.0, _variance_freedom(away)) if long_tail else n - 1.0
    if not units.clustered:
        return Spread(plain, plain, own)
    pull = np.minimum(units.sizes / n, 1 - 1e-9)
    robust = float((units.totals(away) ** 2 / (1 - pull)).sum()) / (n * n)
    excess = max(robust - plain, 0.0)
    if excess == 0:
        return Spread(plain, plain, own)
    few = max(units.kish - 1, 1.0)
    pooled = (plain + excess) ** 2 / (plain**2 / own + excess**2 / few)
    return Spread(plain + excess, plain, max(min(pooled, own), 1.0))


def _variance_freedom(away: Floats) -> float:
    """Degrees of freedom of a variance whose values have that kurtosis, 1 or more."""
    second, fourth = float((away**2).mean()), float((away**4).mean())
    # Below a normal's kurtosis nothing is gained.
    kurtosis = max(fourth / second**2, 3.0) if second > 0 and fourth > 0 else 3.0
    return max(2 * len(away) / (kurtosis - 1), 1.0)


def proportion_interval(values: Floats, sample: Sample | None = None) -> Interval:
    """Mean of scores from 0 to 1 with Wilson's interval.

    Wilson's interval has a width even where all or none succeed, which a
    bootstrap has not (Wilson 1927; Brown, Cai and DasGupta 2001). Tasks in
    clusters count as fewer tasks, by the design effect, and Student's t takes
    the place of the normal quantile (Korn and Graubard 1998, with Wilson's
    interval in place of the exact one).

    Args:
        values: Shape (tasks,), seeds averaged.
        sample: Which tasks belong together; each alone when None.
    """
    n = len(values)
    if n == 0 or not np.isfinite(values).all():
        return Interval(None, None, None, n)
    p = float(values.mean())
    size, z = _effective_size(values, sample or sample_of(n))
    middle = (p + z * z / (2 * size)) / (1 + z * z / size)
    half = z / (1 + z * z / size) * math.sqrt(p * (1 - p) / size + z * z / (4 * size * size))
    # At none or all solved the ends are 0 and 1 exactly; rounding must not cut the mean off.
    low = 0.0 if p == 0 else max(0.0, middle - half)
    return Interval(p, low, 1.0 if p == 1 else min(1.0, middle + half), n)


def _effective_size(values: Floats, sample: Sample) -> tuple[float, float]:
    """Independent tasks that would tell as much, and the quantile to go with them."""
    n, units = len(values), sample.units
    if not units.clustered:
        return float(n), Z
    spread = mean_spread(values, sample)
    if spread is None or spread.plain == 0:
        # Tasks that all ended alike do not say how they depend on each other.
        return max(units.kish, 1.0), Z
    return max(n * spread.plain / spread.variance, 1.0), max(t_quantile(spread.freedom), Z)


def mean_interval(values: Floats, sample: Sample | None = None) -> Interval:
    """Mean of a cost, 0 or more, with the interval of ``ratio_intervals`` over tasks.

    Args:
        values: Shape (tasks,); one that is not finite makes the mean unknown.
        sample: Which tasks belong together; each alone when None.
    """
    return mean_intervals(values[None, :], sample or sample_of(len(values)))[0]


def mean_intervals(values: Floats, sample: Sample) -> list[Interval]:
    """Means of several rows: shape (rows, tasks)."""
    # One row of ones seen many times: a table of millions is not copied for it.
    return ratio_intervals(values, np.broadcast_to(np.float64(1), values.shape), sample)


def ratio_intervals(
    top: Floats, bottom: Floats, sample: Sample, *, alike: bool = False
) -> list[Interval]:
    """Ratios of totals with studentised bootstrap intervals on the logarithm.

    The percentile bootstrap covers too little where costs have a long tail; the
    studentised one covers better (Hall 1988), and the logarithm keeps it above
    0. It is widened by ``Spread.widening``: for clusters, and for a variance that
    few large costs decide, without which it still covers too little, and is never
    narrower than ``imagined_reach`` nor wider than ``furthest``. Below ten tasks
    Student's t takes its place; below two there is no interval. What it covers is
    measured in ``benchmarks/coverage.py``.

    Args:
        top: Shape (rows, tasks), 0 or more.
        bottom: The same, paired by task.
        sample: What is resampled.
        alike: Whether both are of one unit, so that 1 says that they are equal. What
            ``furthest`` cuts off then never has 1 in it: where a few tasks decide, nothing is
            shown.

    Returns:
        One a row; unknown where a value is not finite or the bottom's total is 0.
    """
    n = sample.n
    found = [Interval(None, None, None, n)] * len(top)
    known = np.isfinite(top).all(1) & np.isfinite(bottom).all(1)
    known &= np.where(known, bottom.max(1, initial=0), 0) > 0
    rows = np.flatnonzero(known)
    if n == 0 or not len(rows):
        return found
    (above, up), (below, down) = (
        scaled(v if len(rows) == len(v) else v[rows]) for v in (top, bottom)
    )
    low, high = _log_ends(above, below, sample)
    for at, row in enumerate(rows):
        mean = float(above[at].sum() / below[at].sum())
        if sample.units.count < 2:
            ends: tuple[float | None, float | None] = (None, None)
        elif mean == 0:
            ends = (0.0, 0.0)
        else:
            reach = _reach(above[at], below[at], sample)
            equal = float(np.ldexp(1.0, down[at] - up[at])) if alike else None
            ends = reach.around(mean, (low[at], high[at]), equal)
        found[row] = _rescaled(Interval(mean, *ends, n), int(up[at] - down[at]))
    return found


def scaled(values: Floats) -> tuple[Floats, Ints]:
    """Rows brought to a size whose squares neither vanish nor overflow, by a power of two.

    Args:
        values: Shape (rows, tasks), finite.

    Returns:
        The rows, untouched where their largest value is of an ordinary size, and
        the power of two that each was divided by.
    """
    most = np.abs(values).max(axis=1, initial=0)
    powers = np.where((most > 0) & ((most > PLAIN) | (most < 1 / PLAIN)), np.frexp(most)[1], 0)
    if not powers.any():
        return values, powers
    return np.ldexp(values, -powers[:, None]), powers


def _rescaled(interval: Interval, power: int) -> Interval:
    """The same in the unit it was scaled from; beyond the largest number unknown."""
    if power == 0:
        return interval
    ends = (interval.mean, interval.low, interval.high)
    with np.errstate(over="ignore", under="ignore"):
        back = [None if e is None else float(np.ldexp(e, power)) for e in ends]
    mean, low, high = (None if e is None or math.isinf(e) else e for e in back)
    return Interval(mean, low if mean is not None else None, high, interval.n)


@dataclass(frozen=True)
class _Reach:
    """How far the ends of an interval are, on the log scale.

    Args:
        widening: How much further than a bootstrap's.
        least: The least that they are away, by the imagined tasks.
        most: The most that the lower and the upper one are away, by ``furthest``; asked for
            only where they are far.
    """

    widening: float
    least: float
    most: Callable[[], tuple[float, float]] | None = None

    def around(
        self, mean: float, ends: tuple[float, float], equal: float | None
    ) -> tuple[float, float | None]:
        """The ends of an interval.

        Args:
            mean: The estimate.
            ends: A bootstrap's distances, the first 0 or less, the second 0 or more.
            equal: What is not cut off; None when there is no such thing.
        """
        down, up = (max(abs(e) * self.widening, self.least) for e in ends)
        low, high = _ends(mean, down, up)
        if self.most is not None and max(down, up) > math.log(MOST_SURE):
            most_down, most_up = self.most()
            cut_low, cut_high = _ends(mean, min(down, most_down), min(up, most_up))
            if equal is not None and low <= equal <= high:
                cut_low, cut_high = min(cut_low, equal), max(cut_high, equal)
            low, high = cut_low, cut_high
        return low, high if math.isfinite(high) else None


def _ends(mean: float, down: float, up: float) -> tuple[float, float]:
    # Beyond this it is no limit at all.
    low = mean * math.exp(-down) if down < 100 else 0.0
    return low, mean * math.exp(up) if up < 100 else math.inf


def _reach(top: Floats, bottom: Floats, sample: Sample) -> _Reach:
    shares = np.stack([top / top.sum(), bottom / bottom.sum()])
    spread = mean_spread((shares[0] - shares[1]) * len(top), sample, long_tail=True)
    if spread is None:
        return _Reach(1.0, 0.0)
    return _Reach(spread.widening, imagined_reach(shares), partial(furthest, shares, sample))


def furthest(shares: Floats, sample: Sample) -> tuple[float, float]:
    """The most that the ends of a ratio are away from it, on the log scale: below and above.

    Where a few tasks have nearly all of a cost and the others are free, or nearly so, a
    logarithm is no scale to measure errors on: a sample without those few is endlessly far.
    What is uncertain then is how many such tasks there are. So no end is further than those of
    a count that is as uncertain as the total, and twice that or half of it, as such a task may
    cost; nor nearer than a count of all tasks would leave it.

    Args:
        shares: Shape (2, tasks): of the totals above and below, what each task has.
        sample: Which tasks belong together.
    """
    (down, up), (bottom_down, bottom_up) = (_count_reach(row, sample) for row in shares)
    least = count_reach(sample.units.kish)[0]
    again = math.log(MOST_SURE)
    return again + max(down + bottom_up, least), again + max(up + bottom_down, least)


def _count_reach(shares: Floats, sample: Sample) -> tuple[float, float]:
    """Of a total: how far the count may be off that is as uncertain as it is."""
    spread = mean_spread(shares * len(shares), sample)
    return count_reach(1 / spread.variance if spread and spread.variance > 0 else math.inf)


def effective_tasks(shares: Floats) -> float:
    """Tasks of equal weight that would tell as much, by the row that has fewest (Kish 1965).

    Args:
        shares: Shape (rows, tasks): of each row's total, what each task has.
    """
    return 1 / float((shares**2).sum(axis=1).max())


def imagined_reach(shares: Floats) -> float:
    """Half width of the interval of a log ratio if all real tasks agreed; see ``IMAGINED``."""
    tasks = effective_tasks(shares)
    return t_quantile(max(tasks - 1, 1.0)) * math.sqrt(IMAGINED) * math.log(2) / tasks


def _log_ends(top: Floats, bottom: Floats, sample: Sample) -> tuple[Floats, Floats]:
    """Distances of both ends from the estimate, on the log scale, as if tasks were independent."""
    units = sample.tasks
    above, below = units.totals(top), units.totals(bottom)
    estimate, error = _log_ratio(above, below, np.ones((1, units.count)))
    if units.count < FEW:
        return -Z * error[0], Z * error[0]
    again, spread = _log_ratio(above, below, sample.task_draws)
    # A draw that misses the few tasks that differ has no spread, and would leave no end known.
    spread = np.maximum(spread, LEAST_SPREAD * error)
    with np.errstate(divide="ignore", invalid="ignore"):
        off = again - estimate
        pivots = np.where(off == 0, 0.0, off / spread)
    pivots[np.isnan(pivots)] = -np.inf
    tail = int(len(pivots) * (1 - LEVEL) / 2)
    ordered = np.partition(pivots, (tail, len(pivots) - 1 - tail), axis=0)
    with np.errstate(invalid="ignore"):
        low, high = -ordered[len(pivots) - 1 - tail] * error[0], -ordered[tail] * error[0]
    # No spread at all: every task has the same ratio.
    return np.nan_to_num(low, nan=0.0, neginf=-np.inf), np.nan_to_num(high, nan=0.0, posinf=np.inf)


def _log_ratio(above: Floats, below: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Log ratios of totals and their standard errors, for every draw: shape (draws, rows)."""
    units = above.shape[1]
    top, bottom, top2, cross, bottom2 = _sums(above, below, counts)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(top) - np.log(bottom)
        variance = top2 / top**2 - 2 * cross / (top * bottom) + bottom2 / bottom**2
        # Differences of large squares: what rounding leaves is no spread.
        variance = np.where(variance < 1e-12 * top2 / top**2, 0.0, variance)
        error = np.sqrt(variance * units / max(units - 1, 1))
    return ratio, error


def _sums(above: Floats, below: Floats, counts: Floats) -> tuple[Floats, ...]:
    """Sums of both, of their squares and of their product, for every draw."""
    parts = [above, below, above**2, above * below, below**2]
    if (below == 1).all():
        # Means: the sums that have the bottom in them are already there, or known.
        top, top2 = np.split(counts @ np.concatenate([above, above**2]).T, 2, axis=1)
        ones = np.broadcast_to(counts.sum(axis=1)[:, None], top.shape)
        return top, ones, top2, top, ones
    return tuple(np.split(counts @ np.concatenate(parts).T, 5, axis=1))
