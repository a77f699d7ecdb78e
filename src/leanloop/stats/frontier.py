"""Which configurations are on the frontier, and how sure that is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leanloop.stats.interval import Floats, resample_weights

Bools = NDArray[np.bool_]


def on_frontier(objectives: Floats) -> Bools:
    """Which rows no other row beats.

    Args:
        objectives: Shape (..., configurations, objectives), larger is better.
            NaN is unknown: it neither beats nor is beaten on that objective.

    Returns:
        Shape (..., configurations). Of equal rows all are on the frontier.
    """
    a = objectives[..., :, None, :]
    b = objectives[..., None, :, :]
    no_worse = ((b >= a) | np.isnan(a) | np.isnan(b)).all(-1)
    better = (b > a).any(-1)
    return np.asarray(~(no_worse & better).any(-1), dtype=np.bool_)


def frontier_probability(values: Floats, seed: int = 0, resamples: int = 2000) -> Floats:
    """Probability that each configuration is on the frontier, tasks resampled.

    Args:
        values: Shape (configurations, tasks, objectives), larger is better; all
            configurations on the same tasks.
        seed: For the resampling.
        resamples: How many.

    Returns:
        Shape (configurations,). With one task or none it is unknown: NaN.
    """
    configurations, tasks, _ = values.shape
    if tasks < 2:
        return np.full(configurations, np.nan)
    weights = resample_weights(tasks, seed, resamples)
    # NaN in one task would spread to every resample of its configuration, and it should:
    # a cost that is unknown on a task is an unknown mean.
    means = np.einsum("rt,cto->rco", weights, values)
    return np.asarray(on_frontier(means).mean(axis=0))


def dominance_probability(a: Floats, b: Floats, seed: int = 0, resamples: int = 1000) -> float:
    """Posterior probability that ``b`` beats ``a``: no worse on any objective, better on one.

    A Bayesian bootstrap (Rubin 1981) over the common tasks with two imagined
    ones, one at each end of what was seen, so that three tasks never decide.

    Args:
        a: Shape (tasks, objectives), larger is better.
        b: The same for the rival.
        seed: For the resampling.
        resamples: How many.
    """
    difference = b - a
    if len(difference) == 0 or np.isnan(difference).any():
        return 0.0
    spread = np.abs(difference).max(axis=0)
    padded = np.vstack([difference, spread, -spread])
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(padded)), size=resamples)
    means = weights @ padded
    beats = (means >= 0).all(axis=1) & (means > 0).any(axis=1)
    return float(beats.mean())
