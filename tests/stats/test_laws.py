from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from optuna._hypervolume import compute_hypervolume

from leanloop.stats.attribution import (
    Basis,
    cost_effect,
    interaction_contrasts,
    shapley_contrasts,
    success_effect,
)
from leanloop.stats.budget import best_within, cheapest_reaching, costs_of_pass, hypervolume
from leanloop.stats.comparison import mcnemar, tasks_to_show_not_worse
from leanloop.stats.frontier import on_frontier
from leanloop.stats.growth import growth_exponent
from leanloop.stats.interval import Interval
from leanloop.stats.repeats import pass_hat_k, seed_spread
from leanloop.stats.resampling import sample_of

COARSE = st.sampled_from([0.0, 1.0, 2.0, 3.0, math.nan])


@given(arrays(float, st.tuples(st.integers(1, 9), st.just(2)), elements=COARSE))
def test_sorting_and_comparing_every_pair_agree(points):
    known = ~np.isnan(points).any(axis=1)
    expected = [
        bool(known[i])
        and not any(
            known[j] and (points[j] >= points[i]).all() and (points[j] > points[i]).any()
            for j in range(len(points))
        )
        for i in range(len(points))
    ]
    assert on_frontier(points).tolist() == expected
    padded = np.column_stack([points, np.zeros(len(points))])
    assert on_frontier(padded).tolist() == expected
    assert on_frontier(np.stack([points, points]))[1].tolist() == expected


def cells_of(levers):
    return np.array(list(itertools.product([False, True], repeat=levers)))


@given(st.integers(1, 5), st.randoms(use_true_random=False))
def test_exact_shares_are_the_average_over_orders(levers, random):
    cells = cells_of(levers)
    values = np.array([random.random() for _ in cells])
    index = {tuple(c): i for i, c in enumerate(cells.tolist())}
    shares = np.zeros(levers)
    orders = list(itertools.permutations(range(levers)))
    for order in orders:
        now = [False] * levers
        for lever in order:
            before = values[index[tuple(now)]]
            now[lever] = True
            shares[lever] += (values[index[tuple(now)]] - before) / len(orders)
    found = shapley_contrasts(cells)
    assert {c.basis for c in found} == {Basis.EXACT}
    assert [c.weights @ values for c in found] == pytest.approx(shares)
    assert sum(c.weights @ values for c in found) == pytest.approx(values[-1] - values[0])


def planted(cells, rng):
    """Values with main effects and pairs, and what they are."""
    levers = cells.shape[1]
    main = rng.normal(size=levers)
    pairs = {p: rng.normal() for p in itertools.combinations(range(levers), 2)}
    values = 1 + cells @ main + sum(b * (cells[:, i] & cells[:, j]) for (i, j), b in pairs.items())
    return values, main, pairs


@settings(max_examples=60)
@given(st.integers(2, 4), st.integers(0, 10**6), st.data())
def test_what_partial_designs_identify_is_right(levers, seed, data):
    cells = cells_of(levers)
    kept = data.draw(st.lists(st.sampled_from(range(len(cells))), min_size=1, unique=True))
    values, main, pairs = planted(cells, np.random.default_rng(seed))
    part = cells[sorted(kept)]
    for lever, contrast in enumerate(shapley_contrasts(part)):
        if contrast.weights is not None:
            truth = main[lever] + sum(b / 2 for p, b in pairs.items() if lever in p)
            assert contrast.weights @ values[sorted(kept)] == pytest.approx(truth, abs=1e-6)
    for pair, contrast in interaction_contrasts(part).items():
        if contrast.weights is not None:
            assert contrast.weights @ values[sorted(kept)] == pytest.approx(pairs[pair], abs=1e-6)


def test_levers_that_are_alike_and_that_do_nothing():
    cells = cells_of(3)
    tasks = np.random.default_rng(1).random(20)
    base = 0.2 + 0.3 * (cells[:, 0] & cells[:, 1])
    success = np.clip(base[:, None] + 0.0 * tasks, 0, 1)
    costs = np.exp(tasks)[None, :] * np.where(cells[:, 2], 0.5, 1.0)[:, None]
    sample = sample_of(20)
    found = shapley_contrasts(cells)
    shares = [success_effect(c, success, sample).mean for c in found]
    assert shares == pytest.approx([0.15, 0.15, 0], abs=1e-12)
    factors = [cost_effect(c, costs, sample) for c in found]
    assert [f.mean for f in factors] == pytest.approx([1, 1, 0.5])


@given(
    arrays(float, st.tuples(st.integers(1, 8), st.just(2)), elements=st.floats(0, 1)),
)
def test_hypervolume_agrees_with_optuna(points):
    reference = (0.0, 1.2)
    losses = np.column_stack([-points[:, 0], points[:, 1]])
    theirs = compute_hypervolume(losses, np.array([-0.0, 1.2]))
    assert hypervolume(points, reference) == pytest.approx(theirs, abs=1e-9)


def test_best_under_a_bound():
    means = np.array([[0.5, 1.0], [0.6, 2.0], [0.7, 5.0]])
    later = np.array([[0, 0.0], [0, 2.0], [0, 0]])
    drawn = np.stack([means, means + later])
    found = best_within(means, drawn, 3.0, 10)
    assert (found.index, found.probability, found.met) == (1, 0.5, 1.0)
    assert cheapest_reaching(means, drawn, 0.6, 10).value.mean == 2.0
    assert cheapest_reaching(means, drawn, 0.9, 10).index is None


def test_cost_of_pass():
    success = np.array([[1.0, 0, 1, 0] * 5, [0.0] * 20])
    paid, nothing = costs_of_pass(success, np.ones((2, 20)), sample_of(20))
    assert paid.mean == pytest.approx(2)
    assert paid.low < 2 < paid.high
    assert nothing.infinite
    assert nothing.mean is None


@given(st.lists(st.booleans(), min_size=3, max_size=6), st.integers(1, 3))
def test_pass_hat_k_is_the_share_of_subsets(outcomes, k):
    subsets = list(itertools.combinations(outcomes, k))
    expected = np.mean([all(s) for s in subsets])
    runs, solved = np.array([float(len(outcomes))]), np.array([float(sum(outcomes))])
    assert pass_hat_k(runs, solved, k, sample_of(1)).mean == pytest.approx(expected)


def test_seed_spread_finds_a_planted_share():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(4000, 1)) + 2 * rng.normal(size=(4000, 3))
    squares = ((values - values.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    found = seed_spread(np.full(4000, 3.0), values.mean(axis=1), squares)
    assert found.standard_deviation == pytest.approx(2, rel=0.05)
    assert found.share == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
def test_growth_recovers_a_power(power):
    rng = np.random.default_rng(3)
    steps = rng.integers(2, 40, 200).astype(float)
    found = growth_exponent(
        steps, 50 * steps**power * np.exp(0.2 * rng.normal(size=200)), sample_of(200)
    )
    assert found.low < power < found.high
    assert found.high - found.low < 0.2
    assert growth_exponent(np.full(9, 3.0), np.ones(9), sample_of(9)).mean is None


def test_mcnemar_is_the_binomial_test():
    a, b = np.array([1.0] * 8 + [0] * 12), np.array([0.0] * 7 + [1] + [1] + [0] * 11)
    assert mcnemar(a, b) == pytest.approx(2 * sum(math.comb(8, k) for k in (0, 1)) / 2**8)
    assert mcnemar(a, a) == 1.0
    assert mcnemar(a, b + 0.5) is None


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_the_sum_of_binomials(wins, losses):
    a = np.array([0.0] * wins + [1.0] * losses + [1.0])
    b = np.array([1.0] * wins + [0.0] * losses + [1.0])
    tail = sum(math.comb(wins + losses, k) for k in range(min(wins, losses) + 1))
    assert mcnemar(a, b) == pytest.approx(min(1.0, 2 * tail / 2 ** (wins + losses)), rel=1e-9)


def test_tasks_needed_shrink_with_the_margin():
    seen = Interval(0.0, -0.05, 0.05, 200)
    few, many = (tasks_to_show_not_worse(seen, 0.025, m) for m in (0.1, 0.02))
    assert few < 200 < many
    assert tasks_to_show_not_worse(Interval(-0.1, -0.2, 0.0, 200), 0.025, 0.02) is None
