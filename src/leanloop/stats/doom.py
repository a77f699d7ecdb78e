"""How likely a run is to fail, from what it has done so far, learned from runs that ended."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from leanloop.stats.resampling import Floats, Ints

FEWEST_RUNS = 30
FEWEST_OF_EITHER = 8
"""Failed runs, and runs that did not fail, below either of which nothing is learned."""
FOLDS = 5
RIDGE = 1.0
"""Inverse variance that a coefficient of a standardised feature is thought to have beforehand,
where all rows together weigh as much as there are runs."""
ROUNDS = 50
Z = NormalDist().inv_cdf(0.95)
"""The one-sided 95% quantile of the normal distribution."""


@dataclass(frozen=True)
class RunRows:
    """Runs that ended, one row for each run and step.

    Args:
        features: Shape (rows, features), finite.
        run: Shape (rows,): the run that a row belongs to, from 0.
        failed: Shape (runs,): 1 for a run that failed, 0 for one that did not.
        task: Shape (runs,): the task of each run; runs of a task are not independent.
    """

    features: Floats
    run: Ints
    failed: Floats
    task: Ints


@dataclass(frozen=True)
class Curve:
    """A logistic curve over features.

    Args:
        intercept: Log odds where every feature is 0.
        slopes: Log odds for one unit more of each feature.
    """

    intercept: float
    slopes: tuple[float, ...]

    def scores(self, features: Floats) -> Floats:
        """Log odds of each row."""
        return np.asarray(self.intercept + features @ np.array(self.slopes))


@dataclass(frozen=True)
class FittedDoom:
    """A calibrated model of failure, and how sure its sureness is.

    Args:
        curve: Calibrated log odds.
        low: The least value of each feature that was seen; what is below counts as it.
        high: The largest, in the same way: no run is surer than those that were seen.
        peaks: Shape (runs,), descending: the largest chance that each run had at any
            step, by a model that had not seen its task.
        bounds: Shape (runs,): the share of successes among the runs to this one, at
            most, with 95% confidence.
    """

    curve: Curve
    low: tuple[float, ...]
    high: tuple[float, ...]
    peaks: Floats
    bounds: Floats

    def chance(self, features: Sequence[float]) -> float:
        """The probability of failure, 0 to 1, of a run with these features."""
        score = self.curve.intercept
        for value, slope, low, high in zip(
            features, self.curve.slopes, self.low, self.high, strict=True
        ):
            score += slope * min(max(value, low), high)
        return _logistic(score)

    def threshold(self, level: float) -> float | None:
        """The least chance at which ending runs spares failures alone, nearly.

        Args:
            level: Of the runs that are ended, the share that would have failed, 0 to 1.

        Returns:
            The chance from which on runs are to be ended; None when no chance is
            that sure.
        """
        sure = np.flatnonzero(self.bounds <= 1 - level)
        return float(self.peaks[sure[-1]]) if len(sure) else None


def fit_doom(runs: RunRows, seed: int = 0) -> FittedDoom | None:
    """Learn which runs fail.

    A ridge-penalised logistic regression, fitted by Newton's method (Hastie,
    Tibshirani and Friedman 2009, 4.4.1), calibrated on rows of tasks that it had
    not seen (Platt 1999). Every row weighs the same, so that a run counts once at
    each step that it reached: a weight by its length would tell the model how
    the run is going to end.

    Args:
        runs: Runs that ended by themselves; those without a row say nothing.
        seed: Says which tasks are left out together.

    Returns:
        None below 30 runs, 8 of either outcome or 5 tasks.
    """
    runs = _with_rows(runs)
    count, failures = len(runs.failed), int(runs.failed.sum())
    tasks = len(np.unique(runs.task))
    if count < FEWEST_RUNS or min(failures, count - failures) < FEWEST_OF_EITHER or tasks < FOLDS:
        return None
    unseen = _scores_of_unseen_tasks(runs, seed)
    shift, slope = _calibration(unseen, runs)
    raw = _fit(runs.features, runs.failed[runs.run], count)
    curve = Curve(shift + slope * raw.intercept, tuple(slope * s for s in raw.slopes))
    peaks = np.full(count, -np.inf)
    np.maximum.at(peaks, runs.run, shift + slope * unseen)
    order = np.argsort(-peaks, kind="stable")
    return FittedDoom(
        curve=curve,
        low=tuple(runs.features.min(axis=0).tolist()),
        high=tuple(runs.features.max(axis=0).tolist()),
        peaks=np.array([_logistic(p) for p in peaks[order]]),
        bounds=_success_bounds(peaks[order], runs.failed[order], runs.task[order]),
    )


def _with_rows(runs: RunRows) -> RunRows:
    """The runs that have a row, numbered anew."""
    kept, run = np.unique(runs.run, return_inverse=True)
    features = np.asarray(runs.features, dtype=np.float64)
    failed = np.asarray(runs.failed, dtype=np.float64)[kept]
    _, task = np.unique(np.asarray(runs.task)[kept], return_inverse=True)
    return RunRows(features, run.astype(np.int64), failed, task.astype(np.int64))


def _scores_of_unseen_tasks(runs: RunRows, seed: int) -> Floats:
    """Log odds of each row by a model that has not seen the row's task."""
    tasks = int(runs.task.max()) + 1
    fold = np.random.default_rng(seed).permutation(np.arange(tasks) % FOLDS)[runs.task]
    row_fold, row_failed = fold[runs.run], runs.failed[runs.run]
    scores = np.empty(len(runs.run))
    for left_out in range(FOLDS):
        out = row_fold == left_out
        known = int((fold != left_out).sum())
        scores[out] = _fit(runs.features[~out], row_failed[~out], known).scores(runs.features[out])
    return scores


def _fit(features: Floats, failed: Floats, runs: int) -> Curve:
    """The curve of these rows, which weigh as much as ``runs`` together."""
    centre, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    design = np.column_stack([np.ones(len(features)), (features - centre) / scale])
    found = _newton(design, _softened(failed, runs), runs / len(features), RIDGE)
    slopes = found[1:] / scale
    return Curve(float(found[0] - slopes @ centre), tuple(slopes.tolist()))


def _calibration(scores: Floats, runs: RunRows) -> tuple[float, float]:
    """Shift and slope that turn scores into log odds."""
    count = len(runs.failed)
    failed = _softened(runs.failed[runs.run], count)
    weight = count / len(scores)
    design = np.column_stack([np.ones(len(scores)), scores])
    shift, slope = _newton(design, failed, weight, 1e-6)
    if slope > 0:
        return float(shift), float(slope)
    # Worse than knowing nothing: nothing is what was learned.
    (shift,) = _newton(design[:, :1], failed, weight, 0.0)
    return float(shift), 0.0


def _softened(failed: Floats, runs: int) -> Floats:
    """Outcomes that a curve can reach: as if a run of each kind more had been seen (Platt 1999)."""
    failures = float(failed.mean()) * runs
    return np.where(failed > 0, (failures + 1) / (failures + 2), 1 / (runs - failures + 2))


def _newton(design: Floats, target: Floats, weight: float, ridge: float) -> Floats:
    """Coefficients of a logistic regression, the first not penalised."""
    penalty = np.full(design.shape[1], ridge)
    penalty[0] = 0.0
    found = np.zeros(design.shape[1])
    loss = _loss(found, design, target, weight, penalty)
    for _ in range(ROUNDS):
        chance = _logistics(design @ found)
        slope = weight * design.T @ (chance - target) + penalty * found
        bend = weight * (design.T * (chance * (1 - chance))) @ design + np.diag(penalty + 1e-9)
        step = np.linalg.solve(bend, slope)
        for _ in range(ROUNDS):
            again = _loss(found - step, design, target, weight, penalty)
            if again <= loss:
                break
            step = step / 2
        gain, found, loss = loss - again, found - step, again
        if gain < 1e-10 * (1 + abs(loss)):
            break
    return found


def _loss(found: Floats, design: Floats, target: Floats, weight: float, penalty: Floats) -> float:
    score = design @ found
    return float(
        weight * (np.logaddexp(0, score) - target * score).sum() + 0.5 * (penalty * found**2).sum()
    )


def _success_bounds(peaks: Floats, failed: Floats, task: Ints) -> Floats:
    """Most successes, as a share, among the runs of at least each run's peak.

    Wilson's upper bound (1927) on as many independent runs as tell as much: runs
    of a task are alike by the intraclass correlation of all outcomes (Kish 1965).
    """
    alike = _intraclass(failed, task)
    of_task = np.zeros(int(task.max()) + 1)
    squares, bounds = 0.0, np.empty(len(peaks))
    successes = np.cumsum(1 - failed)
    for at in range(len(peaks)):
        squares += 2 * of_task[task[at]] + 1
        of_task[task[at]] += 1
        size = at + 1
        told = size / (1 + (squares / size - 1) * alike)
        bounds[at] = _wilson_high(float(successes[at]) / size, told)
    # Runs of the same peak are ended together or not at all.
    tied = np.append(peaks[1:] == peaks[:-1], False)
    return np.where(tied, 1.0, bounds)


def _intraclass(values: Floats, group: Ints) -> float:
    """Correlation of two values of a group, 0 to 1, by analysis of variance (Donner 1986)."""
    sizes = np.bincount(group).astype(np.float64)
    count, groups = float(sizes.sum()), len(sizes)
    if groups == count:
        return 0.0
    means = np.bincount(group, weights=values) / sizes
    within = float(((values - means[group]) ** 2).sum()) / (count - groups)
    between = float((sizes * (means - values.mean()) ** 2).sum()) / (groups - 1)
    typical = (count - float((sizes**2).sum()) / count) / (groups - 1)
    total = between + (typical - 1) * within
    return min(max((between - within) / total, 0.0), 1.0) if total > 0 else 0.0


def _wilson_high(share: float, size: float) -> float:
    middle = share + Z * Z / (2 * size)
    spread = Z * math.sqrt(share * (1 - share) / size + Z * Z / (4 * size * size))
    return (middle + spread) / (1 + Z * Z / size)


def _logistic(score: float) -> float:
    if score >= 0:
        return 1 / (1 + math.exp(-score))
    grown = math.exp(score)
    return grown / (1 + grown)


def _logistics(scores: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * scores)))
