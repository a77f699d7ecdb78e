from __future__ import annotations

import numpy as np
import pytest

from leanloop.stats.comparison import paired_difference, paired_ratio
from leanloop.stats.interval import mean_interval, mean_spread, proportion_interval
from leanloop.stats.resampling import MOST_UNITS, draws, sample_of, units_of
from leanloop.stats.student import t_quantile


@pytest.mark.parametrize(
    ("freedom", "quantile", "within"),
    [
        (1, 12.7062, 1e-3),
        (2, 4.30265, 1e-4),
        (3, 3.18245, 1e-2),
        (5, 2.57058, 1e-3),
        (10, 2.22814, 1e-4),
        (30, 2.04227, 1e-4),
        (1e9, 1.959964, 1e-5),
    ],
)
def test_quantiles_of_the_tables(freedom, quantile, within):
    assert t_quantile(freedom) == pytest.approx(quantile, abs=within)


def test_draws_are_whole_numbers_that_sum_to_the_units():
    drawn = draws(37, seed=3, resamples=500)
    assert (drawn.sum(axis=1) == 37).all()
    assert (drawn == np.rint(drawn)).all()
    assert drawn.mean(axis=0) == pytest.approx(np.ones(37), abs=0.3)
    assert (draws(37, 3, 500) == drawn).all()


def test_totals_of_clusters():
    units = units_of(5, ["b", "a", "b", "a", "c"])
    assert units.count == 3
    assert units.totals(np.array([[1.0, 2, 3, 4, 5], [1, 1, 1, 1, 1]])).tolist() == [
        [6, 4, 5],
        [2, 2, 1],
    ]


def test_clusters_of_one_task_are_none():
    assert not sample_of(4, ["a", "b", "c", "d"]).units.clustered


def test_clusters_only_ever_widen():
    for seed in range(30):
        rng = np.random.default_rng(seed)
        a, b = rng.random((2, 60)).round()
        x, y = rng.lognormal(size=(2, 60))
        alone, grouped = sample_of(60), sample_of(60, rng.integers(0, 9, 60))
        for ask in (
            lambda s: paired_difference(a, b, s),  # noqa: B023 - called at once
            lambda s: paired_ratio(x, y, s),  # noqa: B023
            lambda s: mean_interval(x, s),  # noqa: B023
            lambda s: proportion_interval(a, s),  # noqa: B023
        ):
            narrow, wide = ask(alone), ask(grouped)
            assert wide.mean == narrow.mean
            assert wide.low <= narrow.low + 1e-9
            assert wide.high >= narrow.high - 1e-9


def test_tasks_that_repeat_inside_clusters_count_once():
    rng = np.random.default_rng(4)
    values = np.repeat(rng.normal(size=40), 5)
    spread = mean_spread(values, sample_of(200, np.repeat(np.arange(40), 5)))
    assert np.sqrt(spread.variance) == pytest.approx(values.std() / np.sqrt(40), rel=0.06)


def test_very_many_tasks_are_batched_and_say_the_same():
    rng = np.random.default_rng(5)
    values = rng.lognormal(size=3 * MOST_UNITS)
    sample = sample_of(len(values))
    assert sample.tasks.count == MOST_UNITS
    assert not sample.units.clustered
    found = mean_interval(values, sample)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert found.high - found.low == pytest.approx(2 * half, rel=0.1)
