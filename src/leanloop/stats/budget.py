"""Money against success: cost of pass, success within a budget, cost at a success, hypervolume."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from leanloop.stats.interval import (
    Interval,
    mean_interval,
    proportion_interval,
    ratio_intervals,
)
from leanloop.stats.resampling import Floats, Sample

FEW_SOLVED = 5
"""Solved tasks below which a bootstrap of cost over success has no usable lower end."""


@dataclass(frozen=True)
class CostOfPass:
    """Expected cost of a solved task (Erol et al. 2025, arXiv 2504.13359).

    Args:
        mean: Mean cost over success; None when unknown or without limit.
        low: Lower end of the 95% interval.
        high: Upper end; None when unknown or without limit.
        n: Tasks.
        infinite: Whether nothing was solved, so that no cost buys a pass.
    """

    mean: float | None
    low: float | None
    high: float | None
    n: int
    infinite: bool


def costs_of_pass(success: Floats, cost: Floats, sample: Sample) -> list[CostOfPass]:
    """Cost over success on the same tasks, with the interval of ``ratio_intervals``.

    Below ``FEW_SOLVED`` solved tasks its lower end is the least likely mean cost
    over the most likely success; where nothing was solved it is infinite.

    Args:
        success: Shape (configurations, tasks), 0 to 1.
        cost: The same shape, 0 or more.
        sample: What is resampled.
    """
    ratios = ratio_intervals(cost, success, sample)
    found = []
    for ratio, own, paid in zip(ratios, success, cost, strict=True):
        none = bool(len(own) and own.sum() == 0 and np.isfinite(paid).all())
        few = own.sum() < FEW_SOLVED and (none or ratio.low is not None)
        low = _least(own, paid, sample) if few else ratio.low
        found.append(CostOfPass(ratio.mean, low, ratio.high, len(own), infinite=none))
    return found


def _least(success: Floats, cost: Floats, sample: Sample) -> float | None:
    """The lower end of the mean cost over the upper end of success."""
    mean, most = mean_interval(cost, sample), proportion_interval(success, sample).high
    least = mean.mean if mean.low is None else mean.low
    return least / most if most and least is not None else None


@dataclass(frozen=True)
class Best:
    """The best configuration under a bound, and how sure that is.

    Args:
        index: Which one, by the means; None when none meets the bound.
        probability: Of the draws, the share in which it meets the bound and is best.
        met: Of the draws, the share in which any configuration meets the bound.
        value: What is had: its mean, with the middle 95% of the best over the draws
            in which the bound is met.
    """

    index: int | None
    probability: float | None
    met: float | None
    value: Interval


def best_within(means: Floats, drawn: Floats, bound: float, n: int) -> Best:
    """The most success of configurations whose mean cost is within a bound.

    Args:
        means: Shape (configurations, 2): success, cost.
        drawn: The same of every draw: shape (resamples, configurations, 2).
        bound: The most mean cost, inclusive.
        n: Tasks.
    """
    return _best(means, drawn, (0, 1.0), (1, -bound), n)


def cheapest_reaching(means: Floats, drawn: Floats, bound: float, n: int) -> Best:
    """The least cost of configurations whose success reaches a bound, inclusive."""
    return _best(means, drawn, (1, -1.0), (0, bound), n)


def _best(
    means: Floats, drawn: Floats, want: tuple[int, float], need: tuple[int, float], n: int
) -> Best:
    (wanted, sign), (bounded, least) = want, need
    way = 1.0 if bounded == 0 else -1.0

    def score(values: Floats) -> Floats:
        meets = way * values[..., bounded] >= least
        return np.where(meets, sign * values[..., wanted], -np.inf)

    here, there = score(means), score(drawn)
    met = np.isfinite(there).any(axis=-1)
    share = float(met.mean()) if len(there) else None
    if not np.isfinite(here).any():
        return Best(None, None, share, Interval(None, None, None, n))
    index = int(here.argmax())
    mean = float(means[index, wanted])
    if not met.any():
        return Best(index, 0.0, share, Interval(mean, None, None, n))
    best = sign * there[met].max(axis=-1)
    low, high = np.quantile(best, [0.025, 0.975])
    won = float((met & (there[:, index] == there.max(axis=-1))).mean())
    return Best(index, won, share, Interval(mean, float(low), float(high), n))


def hypervolume(points: Floats, reference: tuple[float, float]) -> Floats:
    """Area that a frontier covers up to a reference (Zitzler and Thiele 1999).

    Args:
        points: Shape (..., configurations, 2): success, larger is better, and a
            cost, smaller is better. A NaN covers nothing.
        reference: Success and cost of the worst corner.

    Returns:
        Shape (...): success times the cost's unit.
    """
    worst_success, worst_cost = reference
    inside = (points[..., 0] > worst_success) & (points[..., 1] < worst_cost)
    success = np.where(inside, points[..., 0], worst_success)
    cost = np.where(inside, points[..., 1], worst_cost)
    order = np.argsort(cost, axis=-1, kind="stable")
    cost = np.take_along_axis(cost, order, axis=-1)
    best = np.maximum.accumulate(np.take_along_axis(success, order, axis=-1), axis=-1)
    ends = np.concatenate([cost[..., 1:], np.full((*cost.shape[:-1], 1), worst_cost)], axis=-1)
    return np.asarray(((best - worst_success) * (ends - cost)).sum(axis=-1))


def hypervolume_interval(means: Floats, drawn: Floats, reference: tuple[float, float]) -> Interval:
    """Hypervolume of the means with the middle 95% of the draws' (``n`` is left to the caller)."""
    if np.isnan(means).all() or not all(map(math.isfinite, reference)):
        return Interval(None, None, None, 0)
    value = float(hypervolume(means, reference))
    if len(drawn) < 2:
        return Interval(value, None, None, 0)
    low, high = np.quantile(hypervolume(drawn, reference), [0.025, 0.975])
    return Interval(value, float(low), float(high), 0)
