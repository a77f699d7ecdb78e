"""How fast a run's tokens grow with its steps."""

from __future__ import annotations

import math

import numpy as np

from leanloop.stats.interval import Interval, mean_spread
from leanloop.stats.resampling import Floats, Sample
from leanloop.stats.student import t_quantile


def growth_exponent(steps: Floats, tokens: Floats, sample: Sample) -> Interval:
    """Slope of log tokens on log steps: 1 is linear, 2 is every turn sending all before it.

    Least squares with the cluster-robust error (Liang and Zeger 1986). It is
    between tasks: long tasks may differ from short ones in more than length.

    Args:
        steps: Of each task, shape (tasks,), seeds averaged.
        tokens: The same.
        sample: What is resampled.

    Returns:
        Unknown where a value is not positive and finite, or all steps are alike.
    """
    n = len(steps)
    usable = np.isfinite(steps).all() and np.isfinite(tokens).all()
    if n < 3 or not usable or (steps <= 0).any() or (tokens <= 0).any():
        return Interval(None, None, None, n)
    x, y = np.log(steps), np.log(tokens)
    away = x - x.mean()
    spread = float((away**2).sum())
    if spread < 1e-12 * n:
        return Interval(None, None, None, n)
    slope = float(away @ y) / spread
    rest = away * (y - y.mean() - slope * away)
    error = mean_spread(n * rest / spread, sample)
    if error is None or n < 4:
        return Interval(slope, None, None, n)
    # Two coefficients were fitted, and one is already allowed for.
    half = t_quantile(max(error.freedom - 1, 1.0)) * math.sqrt(error.variance * (n - 1) / (n - 2))
    return Interval(slope, slope - half, slope + half, n)
