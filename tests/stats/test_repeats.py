from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanloop.stats.repeats import pass_hat_k, seed_spread
from leanloop.stats.resampling import sample_of

outcomes = st.lists(st.lists(st.booleans(), min_size=2, max_size=5), min_size=1, max_size=6)


@given(outcomes)
def test_pass_hat_k_enumerated_over_tasks_with_unequal_runs(tasks):
    runs = np.array([float(len(t)) for t in tasks])
    solved = np.array([float(sum(t)) for t in tasks])
    before: float | None = math.inf
    for k in range(1, int(runs.min()) + 1):
        each = [np.mean([all(s) for s in itertools.combinations(t, k)]) for t in tasks]
        found = pass_hat_k(runs, solved, k, sample_of(len(tasks)))
        assert found.mean == pytest.approx(np.mean(each))
        assert 0 <= found.low <= found.mean <= found.high <= 1
        assert found.mean <= before + 1e-12
        before = found.mean


def layout(rng, runs, between, within):
    """Means and squares of a one-way layout with so many runs of each task."""
    values = [between * rng.normal() + within * rng.normal(size=n) for n in runs]
    means = np.array([v.mean() for v in values])
    return means, np.array([((v - v.mean()) ** 2).sum() for v in values])


@pytest.mark.parametrize(("between", "within"), [(0.0, 1.0), (1.0, 1.0), (3.0, 1.0)])
def test_a_planted_share_is_found_with_unequal_runs(between, within):
    rng = np.random.default_rng(1)
    runs = rng.integers(2, 6, 6000)
    means, squares = layout(rng, runs, between, within)
    found = seed_spread(runs.astype(float), means, squares)
    assert found.standard_deviation == pytest.approx(within, rel=0.03)
    assert found.share == pytest.approx(within**2 / (within**2 + between**2), abs=0.04)
    assert found.tasks == 6000


def test_where_no_task_has_two_runs_nothing_is_said():
    found = seed_spread(np.ones(5), np.arange(5.0), np.zeros(5))
    assert (found.standard_deviation, found.share, found.tasks) == (None, None, 0)
    unknown = seed_spread(np.full(5, 2.0), np.full(5, np.nan), np.zeros(5))
    assert unknown.share is None


def test_runs_that_never_differ():
    alike = seed_spread(np.full(5, 3.0), np.ones(5), np.zeros(5))
    assert (alike.standard_deviation, alike.share) == (0.0, None)
    tasks_differ = seed_spread(np.full(4, 3.0), np.array([0.0, 1, 0, 1]), np.zeros(4))
    assert (tasks_differ.standard_deviation, tasks_differ.share) == (0.0, 0.0)
