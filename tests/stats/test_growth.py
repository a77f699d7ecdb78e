from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanloop.stats.growth import growth_exponent
from leanloop.stats.resampling import sample_of


@given(st.floats(-1, 3), st.floats(1e-3, 1e6), st.integers(4, 40))
def test_a_power_without_noise_is_found_whatever_its_unit(power, unit, tasks):
    steps = np.arange(1.0, tasks + 1)
    found = growth_exponent(steps, unit * steps**power, sample_of(tasks))
    assert found.mean == pytest.approx(power, abs=1e-9)
    assert found.low <= found.mean <= found.high
    assert found.high - found.low < 1e-6


def test_the_interval_covers_a_planted_power():
    inside = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        steps = rng.integers(2, 60, 40).astype(float)
        tokens = steps**1.5 * np.exp(0.5 * rng.normal(size=40))
        found = growth_exponent(steps, tokens, sample_of(40, seed=seed))
        inside += found.low <= 1.5 <= found.high
    assert inside >= 0.92 * 300


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_one_value_that_is_not_positive_and_finite_makes_it_unknown(wrong):
    good = np.arange(1.0, 9)
    spoilt = np.where(good == 3, wrong, good)
    for steps, tokens in ((spoilt, good), (good, spoilt)):
        assert growth_exponent(steps, tokens, sample_of(8)).mean is None


@pytest.mark.parametrize("tasks", [0, 1, 2, 3])
def test_few_tasks_have_no_interval(tasks):
    steps = np.arange(1.0, tasks + 1)
    found = growth_exponent(steps, steps**2, sample_of(tasks))
    assert (found.low, found.high, found.n) == (None, None, tasks)
    assert found.mean == (None if tasks < 3 else pytest.approx(2))
