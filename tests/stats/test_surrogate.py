from __future__ import annotations

import itertools

import numpy as np
import pytest

from leanloop.stats.evidence import log_cost_evidence, paired_evidence
from leanloop.stats.surrogate import Surrogate

CODES = np.array(list(itertools.product(range(3), repeat=3)))


def runs(means: np.ndarray, tasks: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    hard = rng.normal(scale=0.5, size=tasks)
    return means[:, None] + hard + rng.normal(scale=0.1, size=(len(means), tasks))


def test_common_tasks_pair_the_configurations():
    values = runs(np.array([0.0, 0.1]), 50)
    found = paired_evidence(values, 0.01)
    variance = found.covariance[0, 0] + found.covariance[1, 1] - 2 * found.covariance[0, 1]
    assert found.estimate[1] - found.estimate[0] == pytest.approx(0.1, abs=0.06)
    # Difficulty, whose spread is five times that of a run, does not count in the difference.
    assert variance == pytest.approx(2 * 0.1**2 / 50, rel=0.5)


def test_one_that_was_run_on_hard_tasks_only_is_not_thought_bad():
    values = runs(np.array([0.0, 0.0, 0.0]), 60)
    hardest = values[0].argsort()[:20]
    few = np.full(60, np.nan)
    few[hardest] = values[2, hardest]
    found = paired_evidence(np.vstack([values[:2], few]), 0.01)
    assert abs(np.nanmean(few) - values[0].mean()) > 0.3
    assert found.estimate[2] == pytest.approx(found.estimate[0], abs=0.15)


def test_all_tasks_run_leave_nothing_open():
    values = runs(np.array([0.0, 0.1]), 50)
    some = paired_evidence(values[:, :25], 0.01, tasks=50)
    every = paired_evidence(values, 0.01, tasks=50)
    spread = [e.covariance[0, 0] - e.covariance[0, 1] for e in (some, every)]
    assert spread[1] < 0.05 * spread[0]


def test_costs_that_are_all_zero_are_no_error():
    costs = np.vstack([np.zeros(10), np.full(10, 2.0)])
    assert np.isfinite(log_cost_evidence(costs, 0.5).estimate).all()
    assert np.isfinite(log_cost_evidence(np.zeros((2, 10)), 0.5).estimate).all()


def test_what_levers_do_alone_carries_over_to_what_was_never_run():
    effects = np.array([[0.0, 0.2, -0.1], [0.0, -0.3, 0.1], [0.0, 0.1, 0.4]])
    means = sum(effects[i][CODES[:, i]] for i in range(3))
    seen = np.flatnonzero((CODES != 0).sum(axis=1) <= 1)
    values = runs(means[seen], 200)
    found = Surrogate(CODES, 0.02).posterior(paired_evidence(values, 0.01), seen, values.size)
    unseen = np.setdiff1d(np.arange(len(CODES)), seen)
    assert np.corrcoef(found.mean[unseen], means[unseen])[0, 1] > 0.95
    spread = np.sqrt(np.diag(found.covariance))
    assert spread[unseen].min() > spread[seen].max()


def test_without_levers_nothing_carries_over():
    values = runs(np.array([0.0, 1.0]), 50)
    none = np.zeros((3, 0), dtype=np.intp)
    found = Surrogate(none, 0.02).posterior(
        paired_evidence(values, 0.01), np.array([0, 1]), values.size
    )
    assert found.covariance[2, 2] > 0.1
    assert found.mean[2] == pytest.approx(found.mean[:2].mean(), abs=0.05)
