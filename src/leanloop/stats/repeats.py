"""Several runs of one task: pass^k, and how much runs of the same task differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from leanloop.stats.interval import Interval, proportion_interval
from leanloop.stats.resampling import Floats, Sample


def pass_hat_k(runs: Floats, solved: Floats, k: int, sample: Sample) -> Interval:
    """Probability that ``k`` runs of a task all succeed, averaged over tasks.

    The unbiased estimate of each task is the share of its subsets of ``k`` runs
    that all succeed (Yao et al. 2024, arXiv 2406.12045, equation 2).

    Args:
        runs: Runs of each task, shape (tasks,).
        solved: Those that succeeded, whole numbers.
        k: From 1 to the fewest runs of any task.
        sample: What is resampled.
    """
    pairs = zip(runs.astype(int).tolist(), solved.astype(int).tolist(), strict=True)
    each = [math.comb(s, k) / math.comb(r, k) for r, s in pairs]
    return proportion_interval(np.array(each, dtype=np.float64), sample)


@dataclass(frozen=True)
class SeedSpread:
    """How much of a measure's spread is between runs of one task.

    Args:
        standard_deviation: Of runs of the same task, pooled over tasks; None
            where no task has two runs.
        share: Its square's share of the variance of a single run, 0 to 1: near
            1 more seeds help, near 0 only more tasks do.
        tasks: Tasks with two runs or more.
    """

    standard_deviation: float | None
    share: float | None
    tasks: int


def seed_spread(runs: Floats, means: Floats, squares: Floats) -> SeedSpread:
    """Variance components of a one-way layout (Searle, Casella and McCulloch 1992, 3.6).

    Args:
        runs: Runs of each task, shape (tasks,).
        means: Their mean.
        squares: Sum of squared deviations from that mean, in each task.
    """
    repeated = runs >= 2
    freedom = float((runs[repeated] - 1).sum())
    if freedom == 0 or not np.isfinite(means).all() or not np.isfinite(squares).all():
        return SeedSpread(None, None, int(repeated.sum()))
    within = float(squares[repeated].sum()) / freedom
    between = 0.0
    if len(means) > 1:
        between = max(float(means.var(ddof=1)) - within * float((1 / runs).mean()), 0.0)
    total = within + between
    return SeedSpread(math.sqrt(within), within / total if total else None, int(repeated.sum()))
