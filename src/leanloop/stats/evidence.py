"""What paired runs say of the means of configurations that were not all run on the same tasks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leanloop.stats.frontier import Bools
from leanloop.stats.resampling import Floats, Ints

FEW = 10.0
"""Runs that a prior guess of a variance counts for."""
SOME = 0.02
"""Least share of the variance that tasks are believed to have in common."""


@dataclass(frozen=True)
class Evidence:
    """Estimates of means, with what the configurations' common tasks make of their errors.

    Args:
        estimate: Shape (configurations,).
        covariance: Of its errors, shape (configurations, configurations).
        variance: Of a run, task difficulty left out, shape (configurations,).
    """

    estimate: Floats
    covariance: Floats
    variance: Floats


def paired_evidence(values: Floats, guess: float, tasks: int | None = None) -> Evidence:
    """Means of configurations that were run on some of the same tasks.

    A task's difficulty is shared by the configurations that were run on it, as a
    random effect (Henderson 1975, Biometrics 31, section 3): what two have in
    common pairs them, and what only one was run on still counts for something.

    Args:
        values: Shape (configurations, tasks); NaN where there is no run. Every
            configuration has a run.
        guess: A run's own variance, difficulty left out, as one would guess it.
        tasks: Tasks that there are in all, where their means are what is asked
            about: once all are run nothing is open. None for tasks without end.
    """
    has = ~np.isnan(values)
    own, shared = _variances(values, has, guess)
    total = max(tasks or 1, 1)
    open_share = np.ones(len(values)) if tasks is None else 1 - (has.sum(axis=1) - 0.5) / total
    weights = 1 / (own * np.maximum(open_share, 0.5 / total))
    information = np.zeros((len(values), len(values)))
    right = np.zeros(len(values))
    for inside, columns in _blocks(has):
        w = weights[inside]
        known = w / (1 / shared + w.sum())
        information[np.ix_(inside, inside)] += len(columns) * (np.diag(w) - np.outer(w, known))
        sums = values[np.ix_(inside, columns)].sum(axis=1)
        right[inside] += w * sums - known * float(w @ sums)
    covariance = np.linalg.inv(information)
    covariance = (covariance + covariance.T) / 2
    return Evidence(covariance @ right, covariance, own)


def log_cost_evidence(costs: Floats, guess: float, tasks: int | None = None) -> Evidence:
    """``paired_evidence`` of the log of mean costs, by the delta method.

    Args:
        costs: Shape (configurations, tasks), none below zero; NaN where there is no run.
        guess: Variance of a run's cost over its mean, difficulty left out.
        tasks: As in ``paired_evidence``.
    """
    means = np.nanmean(costs, axis=1)
    # A configuration that never calls a tool has no log of its mean: a thousandth of all stands in.
    least = max(float(means.mean()) * 1e-3, np.finfo(np.float64).tiny)
    level = np.maximum(means, least)
    found = paired_evidence((costs - means[:, None]) / level[:, None], guess, tasks)
    return Evidence(found.estimate + np.log(level), found.covariance, found.variance)


def _blocks(has: Bools) -> list[tuple[Ints, Ints]]:
    """Tasks that the same configurations were run on, together: rows, and columns."""
    bits = np.ascontiguousarray(np.packbits(has, axis=0).T)
    keys = bits.view(np.dtype((np.void, bits.shape[1]))).ravel()
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    rows = [np.flatnonzero(has[:, column]) for column in first]
    return [(r, np.flatnonzero(which == k)) for k, r in enumerate(rows) if len(r)]


def _variances(values: Floats, has: Bools, guess: float) -> tuple[Floats, float]:
    """Each configuration's own variance, drawn to the pooled one, and that of difficulty."""
    counts = has.sum(axis=1)
    means = np.where(has, values, 0.0).sum(axis=1) / counts
    rest = np.where(has, values - means[:, None], 0.0)
    many = has.sum(axis=0)
    common = rest.sum(axis=0) / np.maximum(many, 1)
    several = many >= 2
    noise = np.where(has & several, rest - common, 0.0)
    scale = np.where(several, many / np.maximum(many - 1, 1), 0.0)
    squares = (noise**2 * scale).sum(axis=1)
    runs = (has & several).sum(axis=1)
    pooled = float((squares.sum() + guess * FEW) / (runs.sum() + FEW))
    own = (squares + pooled * FEW) / (runs + FEW)
    shared = pooled
    if several.any():
        extra = common[several] ** 2 - pooled / many[several]
        shared = max(float(extra.mean()), SOME * pooled)
    return np.asarray(own, dtype=np.float64), shared
