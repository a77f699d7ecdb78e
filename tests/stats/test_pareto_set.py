from __future__ import annotations

import numpy as np
import pytest

from leanloop.stats.pareto_set import choose_set, is_right

ZONE = np.array([0.02, 0.05])
TRUTH = np.array([[0.5, -1.0], [0.6, -2.0], [0.5, -2.5], [0.595, -1.98], [0.2, -1.0]])


def draws(spread: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.asarray(TRUTH + rng.normal(scale=spread, size=(400, *TRUTH.shape)) * ZONE)


@pytest.mark.parametrize(
    ("members", "right"),
    [
        ([0, 1], True),
        ([0, 3], True),
        ([0, 1, 3], True),
        ([0], False),
        ([0, 1, 2], False),
        ([4, 1], False),
        ([], False),
    ],
)
def test_right_up_to_the_zone(members, right):
    assert is_right(np.array(members, dtype=np.intp), TRUTH, ZONE) is right


def test_a_sure_posterior_finds_the_set_and_has_no_doubt():
    found = choose_set(draws(0.01), TRUTH, ZONE)
    assert is_right(found.members, TRUTH, ZONE)
    assert found.wrong == 0
    assert found.doubts == ()


def test_an_unsure_posterior_says_so_and_names_the_pair():
    wide = draws(0.01)
    wide[:, 2, 0] += np.random.default_rng(1).normal(scale=0.2, size=400)
    found = choose_set(wide, TRUTH, ZONE)
    assert found.wrong > 0.2
    assert found.doubts[0].one == 2
    assert found.doubts[0].other in (1, 3)


def test_the_share_of_wrong_sets_is_about_what_is_said():
    """Truths drawn from the posterior itself: the stated probability must be the frequency."""
    rng = np.random.default_rng(2)
    said, seen = [], []
    for _ in range(150):
        means = TRUTH + rng.normal(size=TRUTH.shape) * ZONE
        given = means + rng.normal(size=(200, *TRUTH.shape)) * ZONE
        found = choose_set(given, means, ZONE)
        truth = means + rng.normal(size=TRUTH.shape) * ZONE
        said.append(found.wrong)
        seen.append(not is_right(found.members, truth, ZONE))
    assert np.mean(said) == pytest.approx(np.mean(seen), abs=0.1)
