"""What each lever gives between two configurations: Shapley values and pairwise interactions."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from leanloop.stats.comparison import paired_difference
from leanloop.stats.interval import Interval, imagined_reach, mean_spread, scaled
from leanloop.stats.resampling import Floats, Sample
from leanloop.stats.student import t_quantile

Bools = NDArray[np.bool_]
MOST_LEVERS = 8
"""Levers that may differ: 256 cells of a full factorial."""


class Basis(enum.StrEnum):
    """What an effect rests on."""

    EXACT = "exact"
    """Every combination of the levers was run."""
    PAIRS = "assumes no interaction of three or more levers"
    """Some combinations are missing; the others settle it if only pairs interact."""
    NONE = "not identified by the runs there are"


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of the cells' means, and what it rests on.

    Args:
        weights: One a cell; None when the cells do not settle it.
        basis: What it rests on.
    """

    weights: Floats | None
    basis: Basis


def shapley_contrasts(cells: Bools) -> list[Contrast]:
    """For each lever, the contrast of cells that is its Shapley value.

    With all ``2**k`` cells it is the average, over orders of turning the levers
    from the baseline's setting to the chosen one's, of what the lever adds
    (Shapley 1953). With fewer it is the value under a model with main effects
    and pairs, where the cells settle that one (Grömping 2007 on averaging over
    orders), else it is not identified.

    Args:
        cells: Shape (cells, levers): whether a lever has the chosen setting.
    """
    count, levers = cells.shape
    if len({tuple(c) for c in cells.tolist()}) == 2**levers:
        exact = [_exact(cells, (i,)) for i in range(levers)]
        return [Contrast(w, Basis.EXACT) for w in exact]
    wanted = []
    for lever in range(levers):
        want = np.zeros(1 + levers + levers * (levers - 1) // 2)
        want[1 + lever] = 1
        for at, pair in enumerate(combinations(range(levers), 2)):
            want[1 + levers + at] = 0.5 if lever in pair else 0
        wanted.append(want)
    return [_estimable(cells, want) for want in wanted] if count else []


def interaction_contrasts(cells: Bools) -> dict[tuple[int, int], Contrast]:
    """For each pair of levers, the contrast that is its Shapley interaction index.

    What both together add over what each adds alone, averaged over the settings
    of the others (Grabisch and Roubens 1999); with missing cells as in
    ``shapley_contrasts``.
    """
    _, levers = cells.shape
    pairs = list(combinations(range(levers), 2))
    if len({tuple(c) for c in cells.tolist()}) == 2**levers:
        return {p: Contrast(_exact(cells, p), Basis.EXACT) for p in pairs}
    found = {}
    for at, pair in enumerate(pairs):
        want = np.zeros(1 + levers + len(pairs))
        want[1 + levers + at] = 1
        found[pair] = _estimable(cells, want)
    return found


def success_effect(contrast: Contrast, success: Floats, sample: Sample) -> Interval:
    """A contrast of success: shape (cells, tasks), as a paired difference."""
    if contrast.weights is None:
        return Interval(None, None, None, sample.n)
    each = contrast.weights @ success
    # One configuration less another has weights of 1 and -1; an average of several varies less.
    swing = math.sqrt(float((contrast.weights**2).sum()) / 2)
    return paired_difference(np.zeros(sample.n), each, sample, swing)


def cost_effect(contrast: Contrast, costs: Floats, sample: Sample) -> Interval:
    """A contrast of the logarithm of mean costs, as a factor on the cost.

    The error is the delta method's, with Student's t, never below ``imagined_reach``.

    Args:
        contrast: Of the cells.
        costs: Shape (cells, tasks), 0 or more.
        sample: What is resampled.
    """
    unknown = Interval(None, None, None, sample.n)
    if contrast.weights is None or not sample.n or not np.isfinite(costs).all():
        return unknown
    ordinary, powers = scaled(costs)
    totals = ordinary.sum(axis=1)
    if (totals <= 0).any():
        return unknown
    shares = ordinary / totals[:, None]
    effect = float(contrast.weights @ (np.log(totals / sample.n) + powers * math.log(2)))
    spread = mean_spread(contrast.weights @ shares * sample.n, sample, long_tail=True)
    mean = math.exp(min(effect, 700.0))
    if spread is None:
        return Interval(mean, None, None, sample.n)
    least = imagined_reach(shares) * math.sqrt(float((contrast.weights**2).sum()) / 2)
    half = max(t_quantile(spread.freedom) * math.sqrt(spread.variance), least)
    ends = [math.exp(min(effect + s * half, 700.0)) for s in (-1, 1)]
    return Interval(mean, ends[0], ends[1], sample.n)


def simple_contrast(plus: Sequence[bool], minus: Sequence[bool]) -> Contrast:
    """The mean of some cells less the mean of others."""
    up, down = np.asarray(plus, dtype=np.float64), np.asarray(minus, dtype=np.float64)
    return Contrast(up / up.sum() - down / down.sum(), Basis.EXACT)


def _exact(cells: Bools, group: Sequence[int]) -> Floats:
    """Weights of the Shapley value of a lever, or of the interaction index of a pair."""
    _, levers = cells.shape
    rest = levers - len(group)
    sizes = np.delete(cells, list(group), axis=1).sum(axis=1)
    share = np.array([1 / ((rest + 1) * math.comb(rest, s)) for s in range(rest + 1)])
    absent = len(group) - cells[:, list(group)].sum(axis=1)
    weights = share[sizes] * np.where(absent % 2, -1.0, 1.0)
    # A cell that stands there twice shares its weight.
    _, where, often = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    return np.asarray(weights / often[where.ravel()], dtype=np.float64)


def _estimable(cells: Bools, want: Floats) -> Contrast:
    """The least-squares contrast for a combination of effects, if the cells settle it."""
    pairs = [cells[:, i] & cells[:, j] for i, j in combinations(range(cells.shape[1]), 2)]
    columns = [np.ones(len(cells)), *cells.T, *pairs]
    design = np.column_stack([np.asarray(c, dtype=np.float64) for c in columns])
    weights, *_ = np.linalg.lstsq(design.T, want, rcond=None)
    if not np.allclose(design.T @ weights, want, atol=1e-8):
        return Contrast(None, Basis.NONE)
    return Contrast(np.asarray(weights), Basis.PAIRS)
