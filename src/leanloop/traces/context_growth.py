"""How what runs send grows with their calls."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from leanloop.stats.interval import UNKNOWN, Interval
from leanloop.stats.student import t_quantile

LEAST_CALLS = 5
"""Calls of a run for which growth is fitted."""


def exponent_of(requests: list[int]) -> float | None:
    """The power of n that what a run has sent by its n-th call grows with.

    Least squares on logarithms over the calls from the second on.
    """
    if len(requests) < LEAST_CALLS or not all(requests):
        return None
    y = np.log(np.cumsum(np.array(requests, dtype=float)))[1:]
    x = np.log(np.arange(2, len(requests) + 1, dtype=float))
    away = x - x.mean()
    return float((away * y).sum() / (away * away).sum())


def mean_exponent(exponents: Iterable[float | None]) -> Interval:
    """Mean over runs, by Student's t; a run that is too short has no say."""
    values = np.array([e for e in exponents if e is not None])
    n = len(values)
    if not n:
        return UNKNOWN
    mean = float(values.mean())
    if n < 2:
        return Interval(mean, None, None, n)
    half = t_quantile(n - 1) * float(values.std(ddof=1)) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n)
