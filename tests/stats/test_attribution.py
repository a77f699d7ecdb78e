from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanloop.stats.attribution import (
    Basis,
    cost_effect,
    interaction_contrasts,
    shapley_contrasts,
    success_effect,
)
from leanloop.stats.resampling import sample_of

TASKS = 12
seeds = st.integers(0, 10**6)


def full(levers):
    return np.array(list(itertools.product([False, True], repeat=levers)))


def game(cells, value):
    """Values of the cells by a rule on the set of levers that are on."""
    return np.array([value(frozenset(np.flatnonzero(c).tolist())) for c in cells])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), seeds)
def test_shares_of_success_add_up_and_those_of_costs_multiply_to_the_whole(levers, seed):
    rng = np.random.default_rng(seed)
    cells, sample = full(levers), sample_of(TASKS)
    success = rng.random((len(cells), TASKS)).round()
    costs = rng.lognormal(size=(len(cells), TASKS))
    contrasts = shapley_contrasts(cells)
    added = np.sum([success_effect(c, success, sample).mean for c in contrasts])
    assert added == pytest.approx((success[-1] - success[0]).mean(), abs=1e-9)
    effects = [cost_effect(c, costs, sample) for c in contrasts]
    product = np.prod([e.mean for e in effects])
    assert product == pytest.approx(costs[-1].mean() / costs[0].mean())
    assert all(e.low <= e.mean <= e.high for e in effects)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 5), seeds, st.data())
def test_levers_that_are_alike_share_alike(levers, seed, data):
    one, other = data.draw(st.permutations(range(levers)))[:2]
    rng = np.random.default_rng(seed)
    known: dict[object, float] = {}

    def value(on):
        both = len(on & {one, other}), on - {one, other}
        return known.setdefault(both, rng.random())

    cells = full(levers)
    shares = [c.weights @ game(cells, value) for c in shapley_contrasts(cells)]
    assert shares[one] == pytest.approx(shares[other])


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 5), seeds, st.data())
def test_a_lever_that_does_nothing_gets_nothing(levers, seed, data):
    idle = data.draw(st.integers(0, levers - 1))
    rng = np.random.default_rng(seed)
    known: dict[object, float] = {}
    cells = full(levers)
    values = game(cells, lambda on: known.setdefault(on - {idle}, rng.random()))
    assert shapley_contrasts(cells)[idle].weights @ values == pytest.approx(0, abs=1e-12)
    for pair, contrast in interaction_contrasts(cells).items():
        if idle in pair:
            assert contrast.weights @ values == pytest.approx(0, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 5), seeds)
def test_interactions_enumerated(levers, seed):
    """Grabisch and Roubens (1999), their sum over all sets of the other levers."""
    cells = full(levers)
    values = np.random.default_rng(seed).random(len(cells))
    known = {frozenset(np.flatnonzero(c).tolist()): v for c, v in zip(cells, values, strict=True)}
    for pair, contrast in interaction_contrasts(cells).items():
        others = [x for x in range(levers) if x not in pair]
        expected, (i, j) = 0.0, pair
        for size in range(len(others) + 1):
            for some in itertools.combinations(others, size):
                on = frozenset(some)
                both = known[on | {i, j}] - known[on | {i}] - known[on | {j}] + known[on]
                expected += both / ((levers - 1) * math.comb(levers - 2, size))
        assert contrast.weights @ values == pytest.approx(expected)


@pytest.mark.parametrize("levers", [3, 4, 5])
def test_one_lever_at_a_time_identifies_no_share(levers):
    ends = [np.zeros(levers), *np.eye(levers), np.ones(levers)]
    cells = np.array(ends, dtype=bool)
    assert {c.basis for c in shapley_contrasts(cells)} == {Basis.NONE}
    assert {c.basis for c in interaction_contrasts(cells).values()} == {Basis.NONE}
    nothing = success_effect(shapley_contrasts(cells)[0], np.ones((len(cells), 9)), sample_of(9))
    assert (nothing.mean, nothing.low) == (None, None)


def test_a_half_of_five_levers_identifies_every_pair():
    """The fraction of resolution V, defined by an even number of levers on."""
    cells = full(5)
    half = cells[cells.sum(axis=1) % 2 == 0]
    rng = np.random.default_rng(5)
    main, pairs = rng.normal(size=5), list(itertools.combinations(range(5), 2))
    weights = dict(zip(pairs, rng.normal(size=10), strict=True))
    values = half @ main + sum(w * (half[:, i] & half[:, j]) for (i, j), w in weights.items())
    for lever, contrast in enumerate(shapley_contrasts(half)):
        assert contrast.basis is Basis.PAIRS
        truth = main[lever] + sum(w / 2 for p, w in weights.items() if lever in p)
        assert contrast.weights @ values == pytest.approx(truth)
    for pair, contrast in interaction_contrasts(half).items():
        assert contrast.weights @ values == pytest.approx(weights[pair])


def test_a_cell_that_stands_there_twice_counts_once():
    cells = full(2)
    values = np.array([0.1, 0.2, 0.5, 0.9])
    twice = np.concatenate([cells, cells[2:3]])
    for once, again in zip(shapley_contrasts(cells), shapley_contrasts(twice), strict=True):
        assert again.basis is Basis.EXACT
        assert again.weights @ np.append(values, values[2]) == pytest.approx(once.weights @ values)


def test_zero_and_unknown_costs_have_no_factor():
    (contrast,) = shapley_contrasts(full(1))
    for wrong in (0.0, math.nan, math.inf):
        costs = np.array([[1.0] * 9, [wrong] * 9])
        assert cost_effect(contrast, costs, sample_of(9)).mean is None
    assert cost_effect(contrast, np.ones((2, 0)), sample_of(0)).mean is None
    (few,) = [cost_effect(contrast, np.array([[1.0], [3.0]]), sample_of(1))]
    assert few.mean == pytest.approx(3)
    assert (few.low, few.high) == (None, None)


def test_effects_cover_a_planted_pair_of_factors():
    """Costs with dependence inside tasks; both levers halve the cost."""
    cells = full(2)
    contrasts = shapley_contrasts(cells)
    inside = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        scale = 0.5 ** cells.sum(axis=1)
        costs = scale[:, None] * np.exp(rng.normal(size=60) + 0.4 * rng.normal(size=(4, 60)))
        found = cost_effect(contrasts[0], costs, sample_of(60, seed=seed))
        inside += found.low <= 0.5 <= found.high
    assert inside >= 0.91 * 200
