from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanloop.stats.student import Z, t_quantile


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(4, 2.77645), (6, 2.44691), (8, 2.30600), (15, 2.13145), (20, 2.08596), (60, 2.00030)],
)
def test_quantiles_between_those_that_are_exact(freedom, quantile):
    assert t_quantile(freedom) == pytest.approx(quantile, abs=0.003 if freedom < 5 else 0.001)


@given(st.floats(1, 1e6), st.floats(1, 1e6))
def test_more_freedom_never_widens_and_the_normal_is_the_floor(one, other):
    less, more = sorted((one, other))
    assert t_quantile(less) >= t_quantile(more) >= Z
