"""The interval of a count, by the chances that define it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanloop.stats.counts import LARGE, count_reach


def at_most(seen: int, expected: float) -> float:
    """The chance of a Poisson count of no more than that."""
    return sum(
        math.exp(i * math.log(expected) - expected - math.lgamma(i + 1)) for i in range(seen + 1)
    )


@given(st.integers(1, 150))
def test_beyond_either_end_a_count_has_a_chance_of_one_in_forty(seen):
    down, up = count_reach(seen)
    low, high = seen * math.exp(-down), seen * math.exp(up)
    near = 1e-6 if seen + 1 <= LARGE else 0.001
    assert at_most(seen, high) == pytest.approx(0.025, abs=near)
    assert 1 - at_most(seen - 1, low) == pytest.approx(0.025, abs=near)


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_more_events_never_tell_less(one, other):
    fewer, more = (count_reach(k) for k in sorted((one, other)))
    for wide, narrow in zip(fewer, more, strict=True):
        # Both formulas meet to three digits.
        assert math.isfinite(wide)
        assert wide >= narrow * (1 - 2e-3) >= 0


def test_without_end_nothing_is_open():
    assert count_reach(math.inf) == (0.0, 0.0)
