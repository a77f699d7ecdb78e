from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from leanloop.stats.budget import (
    best_within,
    cheapest_reaching,
    costs_of_pass,
    hypervolume,
    hypervolume_interval,
)
from leanloop.stats.resampling import sample_of
from leanloop.stats.student import Z

COORDINATE = st.one_of(st.floats(0, 2), st.just(math.nan))
points_of = arrays(float, st.tuples(st.integers(1, 5), st.just(2)), elements=COORDINATE)


def by_inclusion_and_exclusion(points, reference):
    boxes = [
        (s - reference[0], reference[1] - c)
        for s, c in points.tolist()
        if s > reference[0] and c < reference[1]
    ]
    area = 0.0
    for size in range(1, len(boxes) + 1):
        for some in itertools.combinations(boxes, size):
            area -= (-1) ** size * min(b[0] for b in some) * min(b[1] for b in some)
    return area


@given(points_of, st.floats(0, 1), st.floats(0.5, 2))
def test_hypervolume_by_inclusion_and_exclusion(points, least, most):
    expected = by_inclusion_and_exclusion(points, (least, most))
    found = hypervolume(points, (least, most))
    assert found == pytest.approx(expected, abs=1e-9)
    assert hypervolume(np.stack([points, points]), (least, most)).tolist() == [found, found]


@given(points_of)
def test_one_more_configuration_never_shrinks_the_hypervolume(points):
    reference = (0.0, 1.5)
    assert hypervolume(points, reference) >= hypervolume(points[:-1], reference) - 1e-12


def test_a_hypervolume_without_a_reference_or_with_few_draws():
    means = np.array([[0.5, 1.0], [0.8, 3.0]])
    drawn = np.stack([means] * 5)
    for worst in (math.nan, math.inf):
        assert hypervolume_interval(means, drawn, (0.0, worst)).mean is None
    alone = hypervolume_interval(means, drawn[:0], (0.0, 4.0))
    assert alone.mean == pytest.approx(1.8)
    assert (alone.low, alone.high) == (None, None)


@given(st.integers(1, 30), st.data())
def test_cost_of_pass_is_cost_over_success(tasks, data):
    solved = data.draw(arrays(float, tasks, elements=st.sampled_from([0.0, 1.0])))
    cost = data.draw(arrays(float, tasks, elements=st.floats(0.1, 9)))
    (found,) = costs_of_pass(solved[None], cost[None], sample_of(tasks))
    assert found.infinite == (solved.sum() == 0)
    assert found.n == tasks
    if found.infinite:
        assert found.mean is None
        assert found.high is None
        assert found.low > 0
    else:
        assert found.mean == pytest.approx(cost.sum() / solved.sum())
        assert found.low is None or found.low <= found.mean


def test_an_unknown_cost_has_no_cost_of_pass_and_is_not_infinite():
    cost = np.array([[1.0, math.nan, 1.0]])
    for solved in (0.0, 1.0):
        (found,) = costs_of_pass(np.full((1, 3), solved), cost, sample_of(3))
        assert (found.mean, found.low, found.infinite) == (None, None, False)


def test_one_solved_task_leaves_the_cost_of_pass_open_below():
    success = np.zeros((1, 40))
    success[0, 3] = 1
    (one,) = costs_of_pass(success, np.ones((1, 40)), sample_of(40))
    # Wilson's interval of 1 in 40 ends at .13: a solved task may cost no more than 8.
    assert 5 < one.low < 8


def test_no_solved_task_costs_at_least_what_the_most_likely_success_allows():
    (none,) = costs_of_pass(np.zeros((1, 40)), np.ones((1, 40)), sample_of(40))
    assert none.low == pytest.approx((40 + Z**2) / Z**2, rel=0.06)


@given(arrays(float, (4, 2), elements=st.sampled_from([0.0, 0.5, 1.0])), st.floats(0, 1))
def test_the_best_under_a_bound_by_looking_at_all(means, bound):
    drawn = means[None]
    affordable = [s for s, c in means.tolist() if c <= bound]
    found = best_within(means, drawn, bound, 7)
    assert found.met == float(bool(affordable))
    assert found.value.mean == (max(affordable) if affordable else None)
    good_enough = [c for s, c in means.tolist() if s >= bound]
    least = cheapest_reaching(means, drawn, bound, 7)
    assert least.value.mean == (min(good_enough) if good_enough else None)
    assert (least.index is None) == (not good_enough)
    for answer in (found, least):
        assert answer.probability == (None if answer.index is None else 1.0)
