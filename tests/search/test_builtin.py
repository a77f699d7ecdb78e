"""Every built-in proposer and allocator is held to what all must do."""

from __future__ import annotations

import numpy as np
import pytest

from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError
from leanloop.search.builtin import ALLOCATORS, PROPOSERS
from leanloop.search.factorial import FactorialProposer, design
from leanloop.search.propose import OptunaProposer
from leanloop.search.transfer import TransferProposer
from leanloop.search.universe import Universe
from tests.search.conformance import (
    BASELINE,
    GOALS,
    SPACE,
    AllocatorConformance,
    ProposerConformance,
    drawn_out,
    universe,
)

OBJECTIVES = {"success": "max", "usd": "min"}


@pytest.mark.parametrize("name", PROPOSERS)
class TestProposers(ProposerConformance):
    @pytest.fixture
    def make(self, name):
        return lambda seed: PROPOSERS[name](universe(), OBJECTIVES, seed)


class TestTransfer(ProposerConformance):
    @pytest.fixture
    def make(self):
        earlier = [BASELINE.changed({"b": 2}), BASELINE.changed({"a": "on", "c": "on"})]
        return lambda seed: TransferProposer(
            OptunaProposer(SPACE, BASELINE, OBJECTIVES, seed), [*earlier, BASELINE, *earlier]
        )

    def test_what_was_good_before_comes_behind_the_baseline(self, make):
        found = drawn_out(make(0), 2)
        assert found[1:3] == [BASELINE.changed({"b": 2}), BASELINE.changed({"a": "on", "c": "on"})]


@pytest.mark.parametrize("name", ALLOCATORS)
class TestAllocators(AllocatorConformance):
    @pytest.fixture
    def make(self, name):
        return ALLOCATORS[name]


@pytest.mark.parametrize("name", ["grid", "factorial"])
def test_what_lists_the_space_proposes_it_whole(name):
    found = drawn_out(PROPOSERS[name](universe(), OBJECTIVES, 0), 4)
    assert set(found) == set(universe().all)


def test_uniform_gives_everyone_the_same():
    settings, values = AllocatorConformance().runs(8)
    uniform = ALLOCATORS["uniform"](settings, GOALS, 0, block=8)
    found = uniform.next(np.arange(4), values, np.ones(4, dtype=np.bool_))
    assert found.more == ((0, 8), (1, 8), (2, 8), (3, 8))


def test_a_fraction_tells_every_effect_apart_and_is_balanced():
    large = Universe(Configuration(), {f"l.{i}": ("off", "on") for i in range(7)})
    codes = large.codes(large.all)
    # An effect each and the mean: eight runs can do it, as Plackett and Burman's do.
    effects = np.column_stack([np.ones(len(codes)), codes != codes[0]]).astype(float)
    chosen = design(effects, 8, seed=0)
    assert len(set(chosen)) == 8
    assert chosen[0] == 0
    assert np.linalg.matrix_rank(effects[chosen]) == 8
    sixteen = FactorialProposer(large.all, codes, seed=0).propose(16)
    counts = [sum(c[f"l.{i}"] == "on" for c in sixteen) for i in range(7)]
    assert all(6 <= n <= 10 for n in counts)


def test_a_grid_too_large_is_refused_in_one_line():
    large = Universe(Configuration(), {f"l.{i}": ("off", 1, 2) for i in range(8)})
    for name in ("grid", "factorial"):
        with pytest.raises(BadInputError, match=r"plan.propose: .*6,561"):
            PROPOSERS[name](large, OBJECTIVES, 0)
