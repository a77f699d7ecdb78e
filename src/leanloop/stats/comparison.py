"""Paired comparison of two configurations on the same tasks."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import numpy as np

from leanloop.stats.interval import Interval, mean_spread, ratio_intervals
from leanloop.stats.resampling import Floats, Sample, sample_of
from leanloop.stats.student import POWER, Z, t_quantile

PRIOR = 2
"""Imagined tasks added to a difference of success, one won by each side, so that few tasks
never look certain."""


def paired_difference(
    a: Floats, b: Floats, sample: Sample | None = None, swing: float = 1.0
) -> Interval:
    """Mean of ``b - a`` over tasks, with an interval that small samples cannot shrink to nothing.

    Two imagined tasks, one won by each side, are added before a Student's t
    interval is taken (Agresti and Min 2005, for matched pairs, with t in place
    of the normal); the mean is that of the real tasks. Tasks in clusters have
    the error of ``mean_spread``.

    Args:
        a: Success of the first, shape (tasks,), 0 to 1.
        b: Success of the second on the same tasks.
        sample: Which tasks belong together; each alone when None.
        swing: What an imagined task is won by: 1 for one configuration against
            another.
    """
    n = len(a)
    if n == 0 or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return Interval(None, None, None, n)
    mean = float((b - a).mean())
    spread = mean_spread(b - a, sample or sample_of(n))
    if spread is None:
        return Interval(mean, -1.0, 1.0, n)
    size = n + PRIOR
    middle = mean * n / size
    imagined = PRIOR * swing**2 + mean * mean * n * PRIOR / size
    half = t_quantile(spread.freedom) * math.sqrt(n * n * spread.variance + imagined) / size
    return Interval(mean, max(-1.0, middle - half), min(1.0, middle + half), n)


def paired_standard_error(a: Floats, b: Floats, sample: Sample | None = None) -> float | None:
    """Standard error of the mean of ``b - a``; None below two units."""
    if not np.isfinite(b - a).all():
        return None
    spread = mean_spread(b - a, sample or sample_of(len(a)))
    return None if spread is None else math.sqrt(spread.variance)


def paired_ratio(a: Floats, b: Floats, sample: Sample | None = None) -> Interval:
    """Ratio of the mean cost of ``b`` to that of ``a``; see ``ratio_intervals``."""
    return ratio_intervals(b[None, :], a[None, :], sample or sample_of(len(a)), alike=True)[0]


def mcnemar(a: Floats, b: Floats) -> float | None:
    """Exact two-sided p value that two configurations solve alike (McNemar 1947, binomial form).

    Returns:
        None unless every score is 0 or 1 and there is a task.
    """
    if not len(a) or not np.isin(np.concatenate([a, b]), (0.0, 1.0)).all():
        return None
    wins, losses = int((b > a).sum()), int((b < a).sum())
    together, fewer = wins + losses, min(wins, losses)
    # From the largest term down, each from the one before: nothing that large is ever written out.
    whole = math.lgamma(together + 1) - together * math.log(2)
    largest = math.exp(whole - math.lgamma(fewer + 1) - math.lgamma(together - fewer + 1))
    k = np.arange(fewer, 0, -1, dtype=np.float64)
    terms = np.cumprod(k / (together - k + 1))
    return min(1.0, 2 * largest * (1 + float(terms.sum())))


def tasks_to_show_not_worse(difference: Interval, error: float | None, margin: float) -> int | None:
    """Tasks with which "not worse" would be shown four times in five.

    The truth is taken to be what was seen, or no difference where the second
    looked better: a lucky sample must not promise a quick answer.

    Returns:
        None where it cannot be said, or where what was seen is no better than
        minus the margin and no number of tasks would do.
    """
    if difference.mean is None or error is None or difference.n < 2:
        return None
    room = min(difference.mean, 0.0) + margin
    if room <= 0:
        return None
    # Two imagined tasks again: a spread of nothing in a small sample is not known to be nothing.
    variance = (error**2 * difference.n**2 + PRIOR) / (difference.n + PRIOR)
    return max(math.ceil(variance * ((Z + POWER) / room) ** 2), 2)


def tasks_to_show_cheaper(ratio: Interval) -> int | None:
    """Tasks with which a cost would be shown lower, or higher, four times in five."""
    if not ratio.mean or not ratio.low or ratio.high is None or ratio.mean == 1 or ratio.n < 2:
        return None
    error = (math.log(ratio.high) - math.log(ratio.low)) / (2 * Z)
    return max(math.ceil(ratio.n * (error * (Z + POWER) / math.log(ratio.mean)) ** 2), 2)


class Outcome(enum.StrEnum):
    """What a comparison shows."""

    CHEAPER = "cheaper and not worse"
    WORSE = "cheaper but worse"
    NOT_SHOWN = "not shown"
    DEARER = "dearer"


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
        sentence: What is shown, in words.
        outcome: What is shown.
    """

    success: Interval
    usd: Interval
    latency_s: Interval
    tokens: Interval
    tool_calls: Interval
    margin: float
    sentence: str
    outcome: Outcome = Outcome.NOT_SHOWN

    @property
    def worth_it(self) -> bool:
        """Whether it is shown cheaper and not worse, or better and not shown dearer."""
        better = self.success.low is not None and self.success.low > 0
        return self.outcome is Outcome.CHEAPER or (better and self.outcome is Outcome.NOT_SHOWN)

    @property
    def not_worse(self) -> bool:
        """Whether success is shown to be no worse than the baseline's less the margin."""
        return not_worse(self.success, self.margin)


def not_worse(success: Interval, margin: float) -> bool:
    """Whether the whole interval lies above minus the margin."""
    return success.low is not None and success.low > -margin


def judge(success: Interval, cost: Interval, margin: float) -> Outcome:
    """What the difference of success and the ratio of one cost show together."""
    if success.low is None or success.high is None or cost.low is None:
        return Outcome.NOT_SHOWN
    if cost.low > 1:
        return Outcome.DEARER
    if cost.high is None or cost.high >= 1:
        return Outcome.NOT_SHOWN
    if not_worse(success, margin):
        return Outcome.CHEAPER
    return Outcome.WORSE if success.high < 0 else Outcome.NOT_SHOWN


def say(success: Interval, cost: Interval, margin: float, noun: str = "cost") -> str:
    """The outcome in one sentence, and where it is not shown, what is missing."""
    outcome = judge(success, cost, margin)
    if success.n == 0:
        return f"{outcome}: no common task"
    if success.mean is None:
        return f"{outcome}: success is unknown on some tasks"
    better = success.low is not None and success.low > 0
    if outcome is Outcome.CHEAPER:
        return f"{outcome}, and better" if better else str(outcome)
    if outcome is Outcome.DEARER:
        return f"{outcome}, and better" if better else str(outcome)
    if outcome is Outcome.WORSE:
        return str(outcome)
    return f"{outcome}: {_missing(success, cost, margin, noun)}"


def _missing(success: Interval, cost: Interval, margin: float, noun: str) -> str:
    tasks = f"{success.n} task" if success.n == 1 else f"{success.n} tasks"
    if cost.mean is None:
        return f"{noun} unknown"
    cheaper = cost.high is not None and cost.high < 1
    if not cheaper:
        better = "better, at " if success.low is not None and success.low > 0 else ""
        return f"{better}neither lower nor higher {noun} with {tasks}"
    return f"cheaper, but not worse by {100 * margin:g} points is not shown with {tasks}"
