"""The ways to propose and to allocate that there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError
from leanloop.search.allocate import MembershipAllocator, UniformAllocator
from leanloop.search.factorial import FactorialProposer
from leanloop.search.grid import GridProposer
from leanloop.search.propose import OptunaProposer
from leanloop.search.protocol import Allocator, Proposer
from leanloop.search.universe import LARGEST, Universe

MakeProposer = Callable[[Universe, Mapping[str, str], int], Proposer]
"""From what there is to choose from, the objectives and the seed."""


def _optuna(universe: Universe, objectives: Mapping[str, str], seed: int) -> Proposer:
    return OptunaProposer(universe.settings, universe.baseline, objectives, seed)


def _grid(universe: Universe, objectives: Mapping[str, str], seed: int) -> Proposer:
    del objectives
    return GridProposer(_listed(universe, "grid"), seed)


def _factorial(universe: Universe, objectives: Mapping[str, str], seed: int) -> Proposer:
    del objectives
    every = _listed(universe, "factorial")
    return FactorialProposer(every, universe.codes(every), seed)


PROPOSERS: dict[str, MakeProposer] = {
    "optuna": _optuna,
    "grid": _grid,
    "factorial": _factorial,
}
"""``plan.propose`` to what proposes."""

ALLOCATORS: dict[str, Callable[..., Allocator]] = {
    "membership": MembershipAllocator,
    "uniform": UniformAllocator,
}
"""``plan.allocate`` to what allocates; arguments as those of ``MembershipAllocator``."""


def _listed(universe: Universe, name: str) -> list[Configuration]:
    if not universe.all:
        raise BadInputError(
            "plan.propose",
            f"{name} lists every combination, and there are {universe.size:,}: more than "
            f"{LARGEST:,}; name fewer settings, or take optuna",
        )
    return universe.all
