"""The race: common blocks of tasks, and clearly beaten configurations dropped early."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from leanloop.core.configuration import Configuration
from leanloop.core.errors import SpentError
from leanloop.core.task import Task
from leanloop.search.ledger import Ledger
from leanloop.search.protocol import Proposer
from leanloop.search.runtable import RunTable
from leanloop.search.spec import SearchPlan
from leanloop.stats.frontier import dominance_probability, frontier_probability

ENOUGH = 4
"""Common tasks below which nothing is dropped."""


@dataclass(frozen=True)
class Dropped:
    """A configuration that left the race.

    Args:
        configuration: It.
        rival: The one that beats it.
        probability: Posterior probability that it does.
        n: Tasks that both were run on.
    """

    configuration: Configuration
    rival: Configuration
    probability: float
    n: int


@dataclass
class Race:
    """Runs configurations on common tasks until the budget or the tasks are used up.

    A round either brings new proposals up to the first block of tasks, or takes
    those still alive, that may be on the frontier, to the next block. The
    baseline is never dropped. Evidence is a posterior probability on paired
    tasks and is not corrected for repeated looks.

    Args:
        ledger: Makes the runs.
        table: Where they are looked up.
        plan: Sizes and levels.
        directions: Objective to ``max`` or ``min``.
        baseline: The configuration to beat.
        refuse: Says why these runs of a configuration do not fit the budget; None when they do.
    """

    ledger: Ledger
    table: RunTable
    plan: SearchPlan
    directions: Mapping[str, str]
    baseline: Configuration
    refuse: Callable[[Configuration, Sequence[Task]], str | None]
    alive: list[Configuration] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    stopped_because: str = ""

    async def run(self, proposer: Proposer, tasks: Sequence[Task], batch: int = 4) -> None:
        """Race until nothing fits any more."""
        size = self.plan.block
        try:
            for start in range(0, len(tasks), size):
                wanted = self.plan.proposals if start == 0 else batch
                await self._welcome(proposer, tasks[:size], wanted, tasks[: start + size])
                if self.stopped_because:
                    return
                await self._advance(tasks[start : start + size])
                if self.stopped_because:
                    return
            self.stopped_because = "the search split is used up"
        except SpentError as error:
            self.stopped_because = str(error)

    def contenders(self) -> dict[Configuration, float]:
        """Those alive, each with the probability that it is on the frontier."""
        common = self.table.common(self.alive)
        values = np.stack([self.table.objectives(c, common, self.directions) for c in self.alive])
        return dict(zip(self.alive, map(float, frontier_probability(values)), strict=True))

    async def _welcome(
        self, proposer: Proposer, first: Sequence[Task], wanted: int, sofar: Sequence[Task]
    ) -> None:
        """Bring new configurations up to the first block; those that survive catch up."""
        for _ in range(wanted):
            if len(self.alive) + len(self.dropped) >= self.plan.proposals:
                return
            configuration = proposer.propose()
            if configuration is None:
                return
            if not await self._bring_up(configuration, first):
                return
            proposer.tell(configuration, self.table.means(configuration))
        newest = [c for c in self.alive if len(self.table.tasks(c)) <= len(first)]
        for configuration in newest:
            if len(sofar) > 2 * len(first) and not await self._bring_up(
                configuration, sofar[: -len(first)]
            ):
                return

    async def _bring_up(self, configuration: Configuration, tasks: Sequence[Task]) -> bool:
        known = set(self.table.tasks(configuration))
        todo = [t for t in tasks if t.task_id not in known]
        refused = self.refuse(configuration, todo)
        if refused is not None:
            self.stopped_because = refused
            return False
        if configuration not in self.alive:
            self.alive.append(configuration)
        self.ledger.alive = len(self.alive)
        for run in await self.ledger.make(configuration, todo):
            self.table.add(run)
        self._drop()
        return True

    async def _advance(self, block: Sequence[Task]) -> None:
        chances = self.contenders()
        for configuration in list(self.alive):
            if configuration != self.baseline and chances[configuration] < 1 - self.plan.drop_at:
                continue
            if configuration in self.alive and not await self._bring_up(configuration, block):
                return

    def _drop(self) -> None:
        for configuration in list(self.alive):
            beaten = None if configuration == self.baseline else self._beaten(configuration)
            if beaten is not None:
                self.dropped.append(beaten)
                self.alive.remove(configuration)
        self.ledger.alive, self.ledger.dropped = len(self.alive), len(self.dropped)

    def _beaten(self, configuration: Configuration) -> Dropped | None:
        for rival in self.alive:
            if rival == configuration:
                continue
            common = self.table.common([configuration, rival])
            if len(common) < ENOUGH:
                continue
            chance = dominance_probability(
                self.table.objectives(configuration, common, self.directions),
                self.table.objectives(rival, common, self.directions),
            )
            if chance >= self.plan.drop_at:
                return Dropped(configuration, rival, chance, len(common))
        return None
