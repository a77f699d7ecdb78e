"""Whether one configuration is shown to beat another, however often one looks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leanloop.stats.interval import mean_spread
from leanloop.stats.resampling import Floats, sample_of
from leanloop.stats.student import Z, t_quantile

PEAK = 60
"""Tasks at which the sequence is narrowest beside a fixed-sample interval."""
FEWEST = 8
"""Tasks below which a central limit is not believed."""


@dataclass(frozen=True)
class Objective:
    """How two configurations are compared on one objective.

    Args:
        column: Where it stands in the values.
        is_cost: Whether smaller is better, and ratios of means are compared.
        margin: What may be lost before it counts as worse: success, or the share of
            a cost.
    """

    column: int
    is_cost: bool
    margin: float


def lower_bound(values: Floats, alpha: float, prior: float = 0.0) -> float:
    """Lower end of a confidence sequence for a mean: valid at every number of tasks at once.

    The asymptotic sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas
    (2024, Annals of Statistics, equation 7), one-sided by taking twice the level.

    Args:
        values: Shape (tasks,), in the order in which they came.
        alpha: Chance that it is ever above the mean.
        prior: Squares added to those of the values, so that tasks that all went
            alike do not look certain.
    """
    n = len(values)
    if n < FEWEST:
        return -math.inf
    spread = mean_spread(values, sample_of(n), long_tail=True)
    if spread is None:
        return -math.inf
    deviation = math.sqrt((spread.plain * n * (n - 1) + prior) / n)
    two_sided = min(2 * alpha, 1.0)
    tuned = math.sqrt((-2 * math.log(two_sided) + math.log(1 - 2 * math.log(two_sided))) / PEAK)
    scaled = n * tuned**2 + 1
    radius = math.sqrt(2 * scaled / (n * tuned) ** 2 * math.log(math.sqrt(scaled) / two_sided))
    # A variance that few large values decide is not known well: as in ``ratio_intervals``.
    unsure = max(t_quantile(spread.freedom) / Z, 1.0)
    return float(values.mean()) - deviation * radius * unsure


def shown_to_beat(
    rival: Floats, own: Floats, objectives: Sequence[Objective], alpha: float
) -> bool:
    """Whether a rival is shown no worse on every objective and better on one.

    Args:
        rival: Shape (tasks, columns); NaN is unknown and shows nothing.
        own: The same tasks in the same order.
        objectives: What is compared.
        alpha: Chance that this is ever said of two that are not so, over all tasks
            that may yet come.
    """
    each = alpha / max(len(objectives), 1)
    bounds = [_bound(rival, own, o, each) for o in objectives]
    allowed = [math.log1p(o.margin) if o.is_cost else o.margin for o in objectives]
    no_worse = all(b > -a for b, a in zip(bounds, allowed, strict=True))
    return no_worse and any(b > 0 for b in bounds)


def _bound(rival: Floats, own: Floats, objective: Objective, alpha: float) -> float:
    """Least advantage of the rival: a difference of success, or a log ratio of costs."""
    a, b = own[:, objective.column], rival[:, objective.column]
    if len(a) < FEWEST or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return -math.inf
    if not objective.is_cost:
        # Two imagined tasks, one won by each side.
        return lower_bound(b - a, alpha, prior=2.0)
    if a.mean() <= 0 or b.mean() <= 0:
        return -math.inf
    # The delta method: the log ratio, and what each task adds to it.
    each = a / a.mean() - b / b.mean()
    return lower_bound(each + math.log(a.mean() / b.mean()), alpha)
