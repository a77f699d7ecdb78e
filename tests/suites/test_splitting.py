"""Splits by group and seed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanloop.core.errors import BadInputError
from leanloop.core.task import Split
from leanloop.suites.splitting import Draw, split_groups

GROUPS = st.dictionaries(st.text(min_size=1), st.sampled_from("abcdefgh"), min_size=1)


@given(GROUPS, st.floats(0.05, 0.95), st.integers(0, 99))
def test_groups_are_never_parted_and_no_split_is_empty(groups, holdout, seed):
    if len(set(groups.values())) < 2:
        with pytest.raises(BadInputError):
            split_groups(groups, Draw(holdout, seed))
        return
    splits = split_groups(groups, Draw(holdout, seed))
    assert splits == split_groups(dict(reversed(groups.items())), Draw(holdout, seed))
    assert set(splits) == set(groups)
    assert set(splits.values()) == set(Split)
    for group in set(groups.values()):
        assert len({splits[t] for t, g in groups.items() if g == group}) == 1


@given(st.integers(2, 300), st.floats(0.1, 0.9), st.integers(0, 99))
def test_tasks_on_their_own_come_to_the_share(count, holdout, seed):
    splits = split_groups({str(i): str(i) for i in range(count)}, Draw(holdout, seed))
    held = sum(s is Split.HOLDOUT for s in splits.values())
    assert abs(held - holdout * count) <= 1


def test_another_seed_is_another_draw():
    groups = {str(i): str(i) for i in range(50)}
    assert split_groups(groups, Draw(0.4, 1)) != split_groups(groups, Draw(0.4, 2))


@pytest.mark.parametrize("share", [0, 1, -0.5, 2])
def test_a_share_that_is_none(share):
    with pytest.raises(BadInputError, match="holdout"):
        Draw(share)
