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
from leanloop.search.runtable import COLUMNS, RunTable
from leanloop.search.spec import SearchPlan
from leanloop.stats.frontier import dominance_probability, frontier_probability
from leanloop.stats.sequence import Objective, shown_to_beat


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
    those still alive, that may be on the frontier, to the next block. One is
    dropped when a rival is shown to beat it, by confidence sequences that hold at
    every look, the level of the whole study shared out over all pairs that there
    may be. One that is unlikely to be on the frontier is not dropped for it, but
    gets no more runs. The baseline is never dropped.

    Args:
        ledger: Makes the runs.
        table: Where they are looked up.
        plan: Sizes and levels.
        directions: Objective to ``max`` or ``min``.
        baseline: The configuration to beat.
        refuse: Says why these runs of a configuration do not fit the budget; None when they do.
        margins: Success, and the share of a cost, that count as no loss.
    """

    ledger: Ledger
    table: RunTable
    plan: SearchPlan
    directions: Mapping[str, str]
    baseline: Configuration
    refuse: Callable[[Configuration, Sequence[Task]], str | None]
    margins: tuple[float, float] = (0.02, 0.05)
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
        """Those alive, each with the probability that it is on the frontier.

        Those that are unlikely to be stay at the tasks that they have, so they are
        set aside and the others judged again on the tasks that these share.
        """
        found: dict[Configuration, float] = {}
        left = list(self.alive)
        while left:
            common = self.table.common(left)
            values = np.stack([self.table.objectives(c, common, self.directions) for c in left])
            found |= zip(left, map(float, frontier_probability(values)), strict=True)
            likely = [c for c in left if self._likely(c, found)]
            if len(likely) == len(left) or len(self.table.common(likely)) == len(common):
                break
            left = likely
        return found

    def _likely(self, configuration: Configuration, chances: Mapping[Configuration, float]) -> bool:
        """Whether it may be on the frontier; the baseline always counts."""
        unlikely = chances[configuration] < 1 - self.plan.drop_at
        return configuration == self.baseline or not unlikely

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
        chances = self.contenders()
        newest = [c for c in self.alive if len(self.table.tasks(c)) <= len(first)]
        for configuration in (c for c in newest if self._likely(c, chances)):
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
            if not self._likely(configuration, chances):
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
            values = [self.table.values(c, common) for c in (rival, configuration)]
            if shown_to_beat(values[0], values[1], self._compared(), self._level()):
                chance = dominance_probability(
                    self.table.objectives(configuration, common, self.directions),
                    self.table.objectives(rival, common, self.directions),
                )
                return Dropped(configuration, rival, chance, len(common))
        return None

    def _compared(self) -> list[Objective]:
        """The study's objectives with what may be lost on each."""
        return [
            Objective(COLUMNS.index(name), name != "success", self.margins[name != "success"])
            for name in self.directions
        ]

    def _level(self) -> float:
        """The chance of a wrong drop that one ordered pair may have."""
        count = max(self.plan.proposals, 2)
        return (1 - self.plan.drop_at) / (count * (count - 1))
