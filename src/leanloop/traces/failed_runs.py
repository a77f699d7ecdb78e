"""Runs that failed beside those that solved their task."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from leanloop.stats.interval import Interval
from leanloop.stats.student import t_quantile
from leanloop.traces.grouping import Root, group_of
from leanloop.traces.profile_result import Ended, Group

LEAST = math.log(2)
"""How far off, on the log scale, each of two imagined runs of a sample is from its mean."""


def compare_ended(roots: Sequence[Root]) -> Ended:
    """What failed runs took, over what solved ones did."""
    solved = [group_of("", [r]) for r in roots if r[0].success == 1]
    failed = [group_of("", [r]) for r in roots if r[0].success is not None and r[0].success < 1]

    def ratio(of: Callable[[Group], float | None]) -> Interval:
        return _ratio([of(g) for g in failed], [of(g) for g in solved])

    return Ended(
        solved=len(solved),
        failed=len(failed),
        tokens_ratio=ratio(lambda g: g.tokens.total),
        usd_ratio=ratio(lambda g: g.usd.best),
        calls_ratio=ratio(lambda g: g.model_calls),
    )


def _ratio(top: list[float | None], bottom: list[float | None]) -> Interval:
    """Ratio of two unpaired means, by the delta method on logarithms; n is the smaller sample.

    Two imagined runs in each sample, at twice and at half its mean, keep few runs that agree
    from looking certain.
    """
    a = np.array([np.nan if v is None else v for v in top], dtype=float)
    b = np.array([np.nan if v is None else v for v in bottom], dtype=float)
    n = min(len(a), len(b))
    means = [float(v.mean()) if len(v) else math.nan for v in (a, b)]
    if not all(map(math.isfinite, means)) or min(means) <= 0:
        return Interval(None, None, None, n)
    ratio = means[0] / means[1]
    if n < 2:
        return Interval(ratio, None, None, n)
    spreads = ((v.std(ddof=1) / v.mean()) ** 2 / len(v) + 2 * (LEAST / len(v)) ** 2 for v in (a, b))
    error = math.sqrt(sum(spreads))
    half = t_quantile(n - 1) * error
    return Interval(ratio, ratio * math.exp(-half), ratio * math.exp(half), n)
