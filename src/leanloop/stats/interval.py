"""Means with their interval and sample size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RESAMPLES = 4000
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate, its 95% interval, and how many tasks it rests on.

    Args:
        mean: The estimate; None when it cannot be made.
        low: Lower end, inclusive; None when unknown.
        high: Upper end, inclusive; None when unknown.
        n: Tasks.
    """

    mean: float | None
    low: float | None
    high: float | None
    n: int


UNKNOWN = Interval(None, None, None, 0)


def resample_weights(n: int, seed: int, resamples: int = RESAMPLES) -> Floats:
    """How often each of ``n`` tasks is drawn, over their sum: shape (resamples, n)."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(n, np.full(n, 1 / n), size=resamples) / n


def proportion_interval(values: Floats) -> Interval:
    """Mean of scores from 0 to 1 with Wilson's interval.

    Wilson's interval has a width even where all or none succeed, which a
    bootstrap has not (Wilson 1927; Brown, Cai and DasGupta 2001).
    """
    n = len(values)
    if n == 0:
        return UNKNOWN
    z = 1.959964
    p = float(values.mean())
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)))
    # At none or all solved the ends are 0 and 1 exactly; rounding must not cut the mean off.
    low = 0.0 if p == 0 else max(0.0, middle - half)
    return Interval(p, low, 1.0 if p == 1 else min(1.0, middle + half), n)


def mean_interval(values: Floats, seed: int = 0) -> Interval:
    """Mean with the percentile interval of a bootstrap over tasks; no interval below 2 tasks."""
    n = len(values)
    if n == 0 or not np.isfinite(values).all():
        return Interval(None, None, None, n)
    if n == 1:
        return Interval(float(values[0]), None, None, 1)
    means = resample_weights(n, seed) @ values
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(values.mean()), float(low), float(high), n)
