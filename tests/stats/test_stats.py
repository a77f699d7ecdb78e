"""The statistics on data whose answer is known, and on data that is small and ugly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from leanloop.stats.comparison import paired_difference, paired_ratio, say
from leanloop.stats.frontier import dominance_probability, frontier_probability, on_frontier
from leanloop.stats.interval import Interval, mean_interval, proportion_interval
from leanloop.stats.resampling import sample_of

scores = hnp.arrays(np.float64, st.integers(1, 30), elements=st.sampled_from([0.0, 1.0]))


def test_wilson_interval_is_the_published_one():
    # Brown, Cai and DasGupta (2001) and R's prop.test(x=8, n=10, correct=FALSE).
    found = proportion_interval(np.array([1.0] * 8 + [0.0] * 2))
    assert found.mean == pytest.approx(0.8)
    assert found.low == pytest.approx(0.4901625, abs=1e-6)
    assert found.high == pytest.approx(0.9433178, abs=1e-6)


@given(scores)
def test_a_proportion_lies_in_its_interval(values):
    found = proportion_interval(values)
    assert found.n == len(values)
    assert found.low is not None
    assert found.high is not None
    assert found.mean is not None
    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert found.high - found.low > 0.05 if len(values) < 20 else True


def test_small_and_ugly_data_have_no_interval():
    assert proportion_interval(np.array([])) == Interval(None, None, None, 0)
    assert mean_interval(np.array([3.0])) == Interval(3.0, None, None, 1)
    assert mean_interval(np.array([3.0, np.nan])) == Interval(None, None, None, 2)
    assert paired_ratio(np.array([0.0, 0.0]), np.array([1.0, 1.0])).mean is None
    assert paired_ratio(np.array([1.0, np.nan]), np.array([1.0, 1.0])).low is None
    assert paired_difference(np.array([]), np.array([])).n == 0


def test_ratio_of_means_and_its_interval():
    rng = np.random.default_rng(1)
    a = rng.lognormal(size=400)
    found = paired_ratio(a, 0.5 * a)
    assert found.mean == pytest.approx(0.5)
    # 400 tasks that agree leave room for the two imagined ones alone.
    assert 0.48 < found.low < 0.5 < found.high < 0.52


def test_the_paired_difference_covers_the_truth():
    rng = np.random.default_rng(5)
    for n, gain in ((10, 0.0), (42, 0.1), (42, 0.3), (200, -0.05)):
        inside = 0
        for _ in range(400):
            hard = rng.uniform(size=n)
            a = (rng.uniform(size=n) < 0.35 + 0.3 * hard).astype(float)
            b = (rng.uniform(size=n) < 0.35 + 0.3 * hard + gain).astype(float)
            found = paired_difference(a, b)
            assert found.low is not None
            assert found.high is not None
            inside += found.low <= gain <= found.high
        assert inside / 400 > 0.92


@given(scores)
def test_two_tasks_never_show_anything(values):
    few = values[:2]
    found = paired_difference(np.zeros_like(few), few)
    assert found.low is not None
    assert found.low < 0


def test_on_frontier_by_hand():
    points = np.array([[1.0, -2.0], [0.5, -1.0], [0.5, -3.0], [1.0, -2.0], [0.2, np.nan]])
    assert on_frontier(points).tolist() == [True, True, False, True, False]


def test_frontier_probability_of_a_clear_and_an_open_case():
    rng = np.random.default_rng(0)
    n = 200
    cost = np.full(n, -1.0)
    good = np.stack([np.ones(n), cost], axis=-1)
    bad = np.stack([(rng.uniform(size=n) < 0.5).astype(float), 2 * cost], axis=-1)
    chances = frontier_probability(np.stack([good, bad]))
    assert chances.tolist() == [1.0, 0.0]
    coin = (rng.uniform(size=n) < 0.5).astype(float)
    same = np.stack([np.stack([coin, cost], -1), np.stack([1 - coin, cost * 1.001], -1)])
    assert 0.02 < frontier_probability(same)[1] < 0.98
    assert np.isnan(frontier_probability(good[None, :1])).all()


def test_dominance_needs_more_than_a_few_tasks():
    worse = np.array([[0.0, -2.0]] * 40)
    better = np.array([[1.0, -1.0]] * 40)
    assert dominance_probability(worse, better) > 0.99
    assert dominance_probability(better, worse) < 0.01
    assert dominance_probability(worse[:3], better[:3]) < 0.95
    assert dominance_probability(worse, worse) == 0.0
    assert dominance_probability(worse * np.nan, better) == 0.0


NEITHER = "neither lower nor higher cost with 9 tasks"
NOT_ENOUGH = "not shown: cheaper, but not worse by 10 points is not shown with 9 tasks"


@pytest.mark.parametrize(
    ("success", "cost", "said"),
    [
        ((0.1, 0.02, 0.2), (0.5, 0.4, 0.6), "cheaper and not worse, and better"),
        ((0.0, -0.05, 0.05), (0.5, 0.4, 0.6), "cheaper and not worse"),
        ((-0.3, -0.4, -0.2), (0.5, 0.4, 0.6), "cheaper but worse"),
        ((0.0, -0.3, 0.3), (0.5, 0.4, 0.6), NOT_ENOUGH),
        (
            (0.0, -0.05, 0.05),
            (1.0, 0.9, 1.1),
            f"not shown: {NEITHER}",
        ),
        (
            (0.3, 0.1, 0.5),
            (1.0, 0.9, 1.1),
            f"not shown: better, at {NEITHER}",
        ),
        ((0.3, 0.1, 0.5), (2.0, 1.9, 2.1), "dearer, and better"),
        ((0.0, -0.1, 0.1), (2.0, 1.9, 2.1), "dearer"),
    ],
)
def test_verdicts(success, cost, said):
    a, b = (Interval(mean, low, high, 9) for mean, low, high in (success, cost))
    assert say(a, b, 0.1) == said


def test_the_same_seed_gives_the_same_figures():
    values = np.random.default_rng(2).lognormal(size=30)
    found = [mean_interval(values, sample_of(30, seed=seed)) for seed in (4, 4, 5)]
    assert found[0] == found[1] != found[2]
