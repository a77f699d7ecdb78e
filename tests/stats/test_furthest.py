"""Intervals of costs of which most are nothing, or nearly so."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanloop.stats import interval
from leanloop.stats.comparison import judge, paired_ratio
from leanloop.stats.interval import (
    Interval,
    furthest,
    mean_interval,
    mean_intervals,
    ratio_intervals,
)
from leanloop.stats.resampling import Floats, sample_of

NEARLY = 1e-6
NOTHING_SHOWN = Interval(0.0, -0.01, 0.01, 20)


@st.composite
def mostly_free(draw: st.DrawFn, least: int = 10) -> Floats:
    """Costs of which most are nothing or nearly so, and one at least is not."""
    free = st.floats(0.5, 2).map(lambda x: NEARLY * x) | st.just(0.0)
    dear = st.floats(0.01, 100)
    tasks = draw(st.lists(free | free | free | dear, min_size=least - 1, max_size=40))
    return np.array([*tasks, draw(dear)])


def uncut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals as they are without limits of their reach."""
    monkeypatch.setattr(interval, "furthest", lambda *_: (math.inf, math.inf))


@settings(deadline=None, max_examples=60)
@given(mostly_free())
def test_no_mean_is_further_than_twice_the_dearest_task(costs):
    found = mean_interval(costs)
    assert found.mean is not None
    assert found.low is not None
    assert found.high is not None
    assert 0 < found.low <= found.mean <= found.high <= 2 * costs.max()
    # One task of a kind: the count of such tasks is between 0.025 and 5.6.
    assert found.low >= found.mean / 80


@settings(deadline=None, max_examples=30)
@given(mostly_free(), st.integers(-600, 600))
def test_the_unit_does_not_matter(costs, power):
    plain, other = mean_interval(costs), mean_interval(np.ldexp(costs, power))
    for a, b in zip((plain.low, plain.high), (other.low, other.high), strict=True):
        assert a is not None
        assert b == pytest.approx(math.ldexp(a, power), rel=1e-9)


@settings(deadline=None, max_examples=30)
@given(mostly_free(), st.data())
def test_either_side_may_be_the_one_above(a, data):
    b = np.array(data.draw(st.permutations(a.tolist())))
    shares, sample = np.array([a / a.sum(), b / b.sum()]), sample_of(len(a))
    below, above = furthest(shares, sample)
    assert furthest(shares[::-1], sample) == pytest.approx((above, below), rel=1e-9)


@settings(deadline=None, max_examples=60)
@given(mostly_free(least=2), st.data())
def test_what_is_cut_off_never_decides_a_comparison(a, data):
    b = np.array(data.draw(st.permutations(a.tolist()))) * data.draw(st.sampled_from([0.01, 1, 9]))
    with pytest.MonkeyPatch.context() as patch:
        found = paired_ratio(a, b)
        uncut(patch)
        plain = paired_ratio(a, b)
    assert judge(NOTHING_SHOWN, found, 0.02) is judge(NOTHING_SHOWN, plain, 0.02)
    assert plain.low is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low >= plain.low
    assert plain.high is None or found.high <= plain.high


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(20, 80))
def test_costs_of_a_moderate_spread_have_the_interval_that_they_had(seed, tasks):
    a, b = np.random.default_rng(seed).uniform(1, 3, (2, tasks))
    with pytest.MonkeyPatch.context() as patch:
        found = mean_interval(a), paired_ratio(a, b)
        uncut(patch)
        assert (mean_interval(a), paired_ratio(a, b)) == found


def test_tasks_that_belong_together_reach_further():
    costs = np.array([1.0] * 4 + [NEARLY] * 36)
    alone = mean_interval(costs)
    together = mean_interval(costs, sample_of(40, [i // 4 for i in range(40)]))
    assert alone.high is not None
    assert together.high is not None
    assert together.low is not None
    assert alone.low is not None
    assert together.low < alone.low < alone.high < together.high


def test_a_cost_of_a_solved_task_where_nearly_all_runs_were_free():
    rng = np.random.default_rng(4)
    cost = np.where(np.arange(60) == 7, 0.004, rng.uniform(1e-9, 5e-9, 60))
    solved = (rng.random(60) < 0.9).astype(float)
    (found,) = ratio_intervals(cost[None], solved[None], sample_of(60))
    assert found.mean is not None
    assert found.low is not None
    assert found.high is not None
    assert found.mean / 120 < found.low < found.high < 15 * found.mean


@pytest.mark.parametrize(("tasks", "share"), [(20, 0.5), (60, 0.8), (140, 0.95)])
def test_the_truth_is_held_where_most_runs_are_free(tasks, share):
    rng = np.random.default_rng(3)
    costs = rng.lognormal(size=(400, tasks))
    costs = np.where(rng.random(costs.shape) < share, NEARLY * costs, costs)
    true = math.exp(0.5) * (1 - share * (1 - NEARLY))
    found = mean_intervals(costs, sample_of(tasks))
    held = [f.low <= true <= f.high for f in found if f.low is not None and f.high is not None]
    assert len(held) == 400
    assert np.mean(held) > 0.92
