"""What every proposer and every allocator must do: subclass and give it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from leanloop.core.configuration import Configuration
from leanloop.search.allocate import Goal
from leanloop.search.protocol import Allocator, Proposer
from leanloop.search.universe import Universe
from leanloop.stats.resampling import Ints

SPACE = {"a": ("off", "on"), "b": ("off", 1, 2), "c": ("off", "on")}
BASELINE = Configuration({"d": "on"})
GOALS = (Goal(is_cost=False, zone=0.02), Goal(is_cost=True, zone=0.05))


def universe() -> Universe:
    return Universe(BASELINE, SPACE)


def drawn_out(proposer: Proposer, count: int) -> list[Configuration]:
    """Everything that a proposer names, each told its means before the next are asked for."""
    found: list[Configuration] = []
    while proposed := proposer.propose(count):
        assert len(proposed) <= count
        found += proposed
        for c in proposed:
            means = {"success": 0.5 + 0.1 * ("a" in c), "usd": 1.0 - 0.3 * ("b" in c)}
            proposer.tell(c, means)
    return found


class ProposerConformance:
    """Give ``make``: a new proposer of ``universe()`` for a seed."""

    @pytest.fixture
    def make(self) -> Callable[[int], Proposer]:
        raise NotImplementedError

    def test_the_baseline_comes_first_and_alone_is_enough_to_ask_for(self, make):
        assert make(0).propose(1) == [BASELINE]

    @pytest.mark.parametrize("count", [1, 3, 100])
    def test_none_is_proposed_twice_and_all_are_of_the_space(self, make, count):
        found = drawn_out(make(0), count)
        assert len(set(found)) == len(found)
        assert set(found) <= set(universe().all)

    def test_each_lever_alone_is_proposed(self, make):
        alone = {BASELINE.changed({n: s}) for n, v in SPACE.items() for s in v}
        assert alone <= set(drawn_out(make(0), 4))

    def test_the_same_seed_proposes_the_same(self, make):
        assert drawn_out(make(7), 3) == drawn_out(make(7), 3)

    def test_nothing_is_asked_of_it_before_it_is_told(self, make):
        proposer = make(0)
        first = proposer.propose(100)
        assert first[0] == BASELINE
        assert len(set(first)) == len(first)

    def test_unknown_objectives_are_taken(self, make):
        proposer = make(0)
        (first,) = proposer.propose(1)
        proposer.tell(first, {"success": 0.5, "usd": float("nan")})
        assert proposer.propose(1) != [first]


class AllocatorConformance:
    """Give ``make``: a new allocator of settings, by its name ``MembershipAllocator`` has."""

    @pytest.fixture
    def make(self) -> Callable[..., Allocator]:
        raise NotImplementedError

    def runs(self, tasks: int, seed: int = 0) -> tuple[Ints, np.ndarray]:
        """Configuration 1 solves more for less than the others."""
        settings = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        rng = np.random.default_rng(seed)
        success = (rng.random((4, tasks)) < np.array([[0.5], [0.9], [0.4], [0.5]])).astype(float)
        usd = np.array([[1.0], [0.5], [1.5], [1.2]]) * rng.uniform(0.8, 1.2, (4, tasks))
        return settings, np.stack([success, usd], axis=-1)

    def test_it_names_open_configurations_and_whole_runs(self, make):
        settings, values = self.runs(8)
        open_ = np.array([True, False, True, True])
        found = make(settings, GOALS, 0, block=8).next(np.arange(4), values, open_)
        assert found.more
        assert all(open_[at] and count >= 8 for at, count in found.more)
        assert len({at for at, _ in found.more}) == len(found.more)

    def test_with_nothing_open_there_is_nothing_more(self, make):
        settings, values = self.runs(8)
        found = make(settings, GOALS, 0).next(np.arange(4), values, np.zeros(4, dtype=np.bool_))
        assert found.more == ()

    def test_configurations_without_a_run_may_be_named(self, make):
        settings, values = self.runs(8)
        found = make(settings, GOALS, 0, block=8).next(
            np.array([0, 2]), values[[0, 2]], np.array([False, True, False, True])
        )
        assert {at for at, _ in found.more} <= {1, 3}
        assert found.more

    def test_the_same_seed_says_the_same(self, make):
        settings, values = self.runs(40)
        one, other = (
            make(settings, GOALS, 3).next(np.arange(4), values, np.ones(4, dtype=np.bool_))
            for _ in range(2)
        )
        assert one.more == other.more
        assert one.helps == other.helps

    def test_what_is_plain_is_settled_and_judged_so(self, make):
        settings, values = self.runs(600)
        allocator = make(settings, GOALS, 0)
        every, open_ = np.arange(4), np.ones(4, dtype=np.bool_)
        looks = [allocator.next(every, values, open_).settled for _ in range(4)]
        assert looks[-1]
        judged = make(settings, GOALS, 0).judge(every, values)
        assert judged.found.members.tolist() == [1]
        assert judged.helps > 0.95
