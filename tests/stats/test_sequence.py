from __future__ import annotations

import numpy as np
import pytest

from leanloop.stats.sequence import FEWEST, Objective, lower_bound, shown_to_beat

BOTH = (Objective(0, is_cost=False, margin=0.05), Objective(1, is_cost=True, margin=0.05))
LOOKS = range(7, 400, 7)


def runs(rng, tasks, chance, scale):
    hard = rng.normal(size=tasks)
    success = (rng.random(tasks) < np.clip(chance - 0.2 * np.tanh(hard), 0, 1)).astype(float)
    cost = scale * np.exp(0.6 * hard + 0.7 * rng.normal(size=tasks)) * (2 - success)
    return np.column_stack([success, cost])


def test_looking_after_every_block_misleads_no_more_than_it_may():
    """The rival is worse by exactly the margin, and cheaper: it never beats."""
    wrong = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        own, rival = runs(rng, 400, 0.6, 1.0), runs(rng, 400, 0.55, 0.4)
        wrong += any(shown_to_beat(rival[:n], own[:n], BOTH, 0.05) for n in LOOKS)
    assert wrong <= 0.05 * 400


def test_a_bound_holds_at_all_times_for_heavy_tails():
    wrong = 0
    for seed in range(400):
        values = np.random.default_rng(seed).lognormal(0, 1, 400)
        mean = np.exp(0.5)
        wrong += any(lower_bound(values[:n], 0.05) > mean for n in LOOKS)
    assert wrong <= 0.05 * 400


def test_what_is_clearly_beaten_is_found_in_time():
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        own, rival = runs(rng, 400, 0.3, 2.0), runs(rng, 400, 0.7, 0.5)
        found.append(next(n for n in LOOKS if shown_to_beat(rival[:n], own[:n], BOTH, 1e-3)))
    assert np.median(found) <= 120


def test_twins_never_beat_each_other():
    own = runs(np.random.default_rng(1), 400, 0.5, 1.0)
    assert not any(shown_to_beat(own[:n], own[:n], BOTH, 0.05) for n in LOOKS)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 0.0])
def test_what_is_unknown_shows_nothing(wrong):
    rng = np.random.default_rng(1)
    own, rival = runs(rng, 100, 0.1, 9.0), runs(rng, 100, 0.9, 0.1)
    assert shown_to_beat(rival, own, BOTH, 0.05)
    spoilt = rival.copy()
    spoilt[:, 1] = wrong
    assert not shown_to_beat(spoilt, own, BOTH, 0.05)
    assert not shown_to_beat(rival[: FEWEST - 1], own[: FEWEST - 1], BOTH, 0.05)
