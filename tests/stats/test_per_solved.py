"""What a solved task costs along a stream, and when a head start is paid back."""

from __future__ import annotations

import numpy as np
import pytest

from leanloop.stats.interval import Interval
from leanloop.stats.per_solved import PaidBack, paid_back, per_solved_ratio
from leanloop.stats.resampling import sample_of


def test_it_is_paid_back_from_the_task_on_from_which_the_sum_stays_below():
    base = np.full(6, 10.0)
    own = np.array([14.0, 4.0, 9.0, 16.0, 2.0, 2.0])  # saved: -4 +6 +1 -6 +8 +8
    found = paid_back(base, own)
    assert (found.after, found.saved, found.n) == (5, 13.0, 6)
    assert paid_back(own, base).after is None
    assert paid_back(base[:0], own[:0]) == PaidBack(None, None, None, 0)
    assert paid_back(base, np.full(6, np.nan)).saved is None


@pytest.mark.parametrize("n", [2, 3, 5, 20])
def test_what_saves_nothing_is_shown_to_at_the_rate_that_is_promised(n):
    """An interval at 95% lies above nothing one time in forty, with few tasks too."""
    rng = np.random.default_rng(n)
    shown = [
        paid_back(rng.normal(0, 1, n) + 9, rng.normal(0, 1, n) + 9).shown_after is not None
        for _ in range(4000)
    ]
    assert 0.015 < np.mean(shown) < 0.035


def test_one_task_has_a_ratio_and_no_interval():
    a, b = np.array([[1.0], [8.0]]), np.array([[1.0], [2.0]])
    assert per_solved_ratio(a, b, sample_of(1)) == Interval(0.25, None, None, 1)
    assert per_solved_ratio(a, b * [[0], [1]], sample_of(1)).mean is None
    two = per_solved_ratio(np.tile(a, 2), np.array([[1.0, 1.0], [2.0, 6.0]]), sample_of(2))
    assert two.mean == 0.5
    assert two.low is not None
