"""Paired comparison of two configurations on the same tasks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leanloop.stats.interval import LEVEL, Floats, Interval, resample_weights

PRIOR = 1.0
"""Imagined tasks added to success in each direction, so that few tasks never look certain."""


def paired_difference(a: Floats, b: Floats) -> Interval:
    """Mean of ``b - a`` over tasks, with an interval that small samples cannot shrink to nothing.

    Two imagined tasks, one won by each side, are added before a normal
    interval is taken (Agresti and Min 2005, for matched pairs); the mean is
    that of the real tasks.
    """
    n = len(a)
    if n == 0:
        return Interval(None, None, None, 0)
    difference = b - a
    padded = np.concatenate([difference, [PRIOR, -PRIOR]])
    half = 1.959964 * float(padded.std(ddof=1)) / float(np.sqrt(len(padded)))
    middle = float(padded.mean())
    return Interval(float(difference.mean()), max(-1.0, middle - half), min(1.0, middle + half), n)


def paired_ratio(a: Floats, b: Floats, seed: int = 0) -> Interval:
    """Ratio of the mean cost of ``b`` to that of ``a``; tasks resampled together."""
    n = len(a)
    if n == 0 or not (np.isfinite(a).all() and np.isfinite(b).all()) or a.mean() <= 0:
        return Interval(None, None, None, n)
    ratio = float(b.mean() / a.mean())
    if n == 1:
        return Interval(ratio, None, None, 1)
    weights = resample_weights(n, seed)
    below = weights @ a
    ratios = np.divide(weights @ b, below, out=np.full(len(weights), np.inf), where=below > 0)
    low, high = np.quantile(ratios, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(ratio, float(low), float(high), n)


@dataclass(frozen=True)
class Verdict:
    """Whether a configuration is not worse than the baseline, and what it costs.

    Args:
        success: Paired difference of success, against the baseline.
        usd: Paired ratio of dollars.
        latency_s: Paired ratio of seconds.
        tokens: Paired ratio of tokens.
        tool_calls: Paired ratio of tool calls.
        margin: Success that may be lost before it counts as worse.
        sentence: The verdict in words.
    """

    success: Interval
    usd: Interval
    latency_s: Interval
    tokens: Interval
    tool_calls: Interval
    margin: float
    sentence: str

    @property
    def not_worse(self) -> bool:
        """Whether success is shown to be no worse than the baseline's less the margin."""
        return self.success.low is not None and self.success.low > -self.margin


def say(success: Interval, usd: Interval, margin: float) -> str:
    """One sentence: cheaper and not worse, cheaper but worse, not shown, or dearer."""
    if success.low is None or success.high is None or usd.low is None or usd.high is None:
        return "not shown: no common tasks with known cost"
    if usd.low > 1 or usd.high >= 1:
        cost = "dearer" if usd.low > 1 else "about the same cost"
        return f"better, {cost}" if success.low > 0 else ("dearer" if usd.low > 1 else "not shown")
    if success.low > -margin:
        return "cheaper and better" if success.low > 0 else "cheaper and not worse"
    if success.high < 0:
        return "cheaper but worse"
    return f"cheaper; not worse by {margin:.0%} is not shown with {success.n} tasks"
