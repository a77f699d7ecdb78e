"""Means that grow value by value say what those of all values at once say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanloop.stats.interval import mean_interval, proportion_interval
from leanloop.stats.running import RunningMean, RunningShare


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_a_share_is_that_of_all_values(values):
    share = RunningShare()
    for value in values:
        share.add(value)
    whole, found = proportion_interval(np.array(values)), share.interval()
    assert found.n == whole.n
    for one, other in ((found.mean, whole.mean), (found.low, whole.low), (found.high, whole.high)):
        assert one == pytest.approx(other, abs=1e-9)


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=60))
def test_a_mean_is_that_of_all_values_and_lies_in_its_interval(values):
    mean = RunningMean()
    for value in values:
        mean.add(value)
    found = mean.interval()
    assert found.mean == pytest.approx(np.mean(values), rel=1e-9, abs=1e-9)
    assert found.low <= found.mean <= found.high


def test_the_interval_is_near_that_of_the_bootstrap():
    values = np.random.default_rng(1).gamma(4, 250, size=120)
    mean = RunningMean()
    for value in values:
        mean.add(float(value))
    quick, slow = mean.interval(), mean_interval(values)
    assert quick.mean == pytest.approx(slow.mean)
    assert quick.high - quick.low == pytest.approx(slow.high - slow.low, rel=0.2)


def test_what_is_unknown_makes_the_mean_unknown():
    mean = RunningMean()
    assert mean.interval().mean is None
    mean.add(1.0)
    assert (mean.interval().mean, mean.interval().low) == (1.0, None)
    mean.add(None)
    assert (mean.interval().mean, mean.interval().n) == (None, 2)
    assert RunningShare().interval().mean is None


def test_no_cost_at_all_is_known_to_be_none():
    mean = RunningMean()
    for _ in range(3):
        mean.add(0.0)
    assert (mean.interval().mean, mean.interval().low, mean.interval().high) == (0.0, 0.0, 0.0)
