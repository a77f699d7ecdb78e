from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanloop.core.errors import BadInputError, OutageError, SpentError
from leanloop.search.purse import Purse
from leanloop.store.protocol import Paid

COSTS = st.lists(st.integers(1, 1000).map(lambda n: Decimal(n) / 1000), min_size=1, max_size=60)


async def spend(purse: Purse, costs: list[Decimal], at_once: int) -> int:
    """Make calls of these costs, several at once, until the purse refuses."""
    left, made = iter(costs), 0

    async def work() -> None:
        nonlocal made
        for cost in left:
            async with purse.reserved():
                await asyncio.sleep(0)
                purse.add(cost)
                made += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(work())
    return made


@given(costs=COSTS, at_once=st.integers(1, 8), cap=st.floats(0.01, 20))
def test_a_cap_is_passed_by_no_more_than_the_calls_in_flight(costs, at_once, cap):
    purse = Purse(cap)
    try:
        made = asyncio.run(spend(purse, costs, at_once))
    except* SpentError:
        made = -1
    if made >= 0:
        assert made == len(costs)
        assert purse.spent_usd == sum(costs)
    assert purse.spent_usd <= Decimal(repr(cap)) + at_once * max(costs)


@given(costs=COSTS.map(lambda c: [c[0]] * len(c)), at_once=st.integers(1, 8))
def test_calls_alike_pass_a_cap_by_less_than_one_once_their_cost_is_known(costs, at_once):
    purse = Purse(5.0)
    purse.add(costs[0])
    try:
        asyncio.run(spend(purse, costs * 20, at_once))
    except* SpentError:
        pass
    assert purse.spent_usd < 5 + costs[0]


async def test_what_a_store_knows_counts_and_a_store_that_is_away_is_an_outage():
    purse = Purse(1.0, keep=lambda _usd: Paid(Decimal("0.9"), 2))
    purse.add(Decimal("0.1"))
    assert purse.spent_usd == Decimal("0.9")
    assert purse.unknown_calls == 2

    def away(_usd: Decimal | None) -> Paid:
        raise BadInputError("store", "went away")

    purse.keep = away
    with pytest.raises(OutageError, match="went away"):
        purse.add(Decimal("0.01"))
    with pytest.raises(SpentError):
        Purse(0.1, spent_usd=Decimal(1)).check()
