"""Which configurations are on the frontier, and how sure that is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leanloop.stats.resampling import Floats, Sample, sample_of

Bools = NDArray[np.bool_]


def on_frontier(objectives: Floats) -> Bools:
    """Which rows no other row beats.

    Args:
        objectives: Shape (..., configurations, objectives), larger is better.
            A row with a NaN is unknown there: it is not said to be on the
            frontier, and it beats nobody.

    Returns:
        Shape (..., configurations). Of equal rows all are on the frontier.
    """
    known: Bools = np.asarray(~np.isnan(objectives).any(-1), dtype=np.bool_)
    if objectives.shape[-1] == 2:
        return np.asarray(_free_of_two(np.where(known[..., None], objectives, -np.inf)) & known)
    free = known.copy()
    # One rival at a time: work of the square of the configurations, memory of their number.
    for rival in range(objectives.shape[-2]):
        other = objectives[..., rival : rival + 1, :]
        beats = (other >= objectives).all(-1) & (other > objectives).any(-1)
        free &= ~(beats & known[..., rival : rival + 1])
    return free


def _free_of_two(objectives: Floats) -> Bools:
    """``on_frontier`` for two objectives, by sorting (Kung, Luccio and Preparata 1975)."""
    order = np.lexsort((-objectives[..., 1], -objectives[..., 0]), axis=-1)
    first = np.take_along_axis(objectives[..., 0], order, axis=-1)
    second = np.take_along_axis(objectives[..., 1], order, axis=-1)
    # Rows with an equal first objective form a group: only rows before the group beat them by it.
    starts = np.ones(first.shape, dtype=np.bool_)
    starts[..., 1:] = first[..., 1:] != first[..., :-1]
    group = np.maximum.accumulate(np.where(starts, np.arange(first.shape[-1]), 0), axis=-1)
    before = np.full(first.shape, -np.inf)
    before[..., 1:] = np.maximum.accumulate(second, axis=-1)[..., :-1]
    beaten = np.take_along_axis(before, group, axis=-1) >= second
    beaten |= np.take_along_axis(second, group, axis=-1) > second
    free = np.empty(first.shape, dtype=np.bool_)
    np.put_along_axis(free, order, ~beaten, axis=-1)
    return free


def resampled_means(values: Floats, sample: Sample) -> Floats:
    """Means of every draw.

    Args:
        values: Shape (configurations, tasks, objectives).
        sample: What is resampled: whole clusters where there are some.

    Returns:
        Shape (resamples, configurations, objectives).
    """
    units, counts = sample.units, sample.unit_draws
    totals = units.totals(np.moveaxis(values, 1, -1))
    shape = (len(counts), *totals.shape[:-1])
    sums = counts @ totals.reshape(-1, units.count).T
    means = sums / (counts @ units.sizes)[:, None]
    # Sums of the same thirds in another order differ in the last digit and must still tie.
    return np.asarray(np.round(means, 12).reshape(shape))


def frontier_probability(values: Floats, sample: Sample | None = None) -> Floats:
    """Probability that each configuration is on the frontier, tasks resampled.

    Args:
        values: Shape (configurations, tasks, objectives), larger is better; all
            configurations on the same tasks.
        sample: What is resampled; each task alone when None.

    Returns:
        Shape (configurations,). Unknown, NaN, with fewer than two units, and for
        a configuration with an unknown value.
    """
    configurations, tasks, _ = values.shape
    whole = sample or sample_of(tasks)
    if whole.units.count < 2:
        return np.full(configurations, np.nan)
    # In ordinary units: what is rounded off is then small beside the values, and sums stay finite.
    ordinary = values / np.exp2(np.frexp(np.nanmax(np.abs(values), axis=(0, 1), initial=0))[1])
    chances = on_frontier(resampled_means(ordinary, whole)).mean(axis=0)
    return np.where(np.isnan(values).any(axis=(1, 2)), np.nan, chances)


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
