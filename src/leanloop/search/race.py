"""The race: runs go where they tell most about the frontier, until it is settled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from leanloop.core.configuration import Configuration
from leanloop.core.errors import SpentError
from leanloop.core.task import Task
from leanloop.search.allocate import Allocation
from leanloop.search.builtin import ALLOCATORS
from leanloop.search.dropping import Dropped, Rivalry
from leanloop.search.protocol import Allocator, Jobs, Proposer
from leanloop.search.question import Question
from leanloop.search.runtable import COLUMNS, RunTable
from leanloop.search.spec import SearchPlan
from leanloop.search.universe import Universe
from leanloop.stats.resampling import Floats, Ints

FEWEST = 24
"""Configurations to begin with, where there are as many and the budget allows it."""
WAVES = 4
"""Parts of a round: one that is shown beaten in an earlier part is spared the later ones."""
BATCH = 4
"""New configurations a round, where the space is too large to be looked at whole."""


@dataclass(frozen=True)
class Standing:
    """The race as it stands.

    Args:
        members: What to call the frontier, up to the margins, likeliest first.
        chances: Of every configuration that was run, the probability that no other
            is at least as good on every objective and better by more than the margin
            on one; None when an objective is unknown.
        wrong: Probability that ``members`` is not right; None when unknown.
        helps: Probability that something beats the baseline; None when unknown.
    """

    members: tuple[Configuration, ...]
    chances: Mapping[Configuration, float | None]
    wrong: float | None
    helps: float | None


@dataclass
class Race:
    """Runs configurations on common tasks until the frontier is settled or the budget is used.

    It opens with what the proposer names, each on the first block of tasks. Then it
    asks again and again whose runs would tell most about who is on the frontier, for
    what they cost, and gives these their next tasks; every configuration goes through
    the tasks in the same order, so any two share the first ones. One is dropped when a
    rival is shown to beat it, by confidence sequences that hold at every look, the
    level of the whole study shared out over all pairs that there may be; or when it is
    shown to break a constraint. The baseline is never dropped.

    Args:
        make: Makes runs and puts them into the table.
        table: Where they are looked up.
        universe: What there is to choose from.
        plan: Sizes and levels.
        question: What is asked.
        refuse: Says why these runs do not fit the budget; None when they do.
    """

    make: Callable[[Jobs], Awaitable[None]]
    table: RunTable
    universe: Universe
    plan: SearchPlan
    question: Question
    refuse: Callable[[Jobs], str | None]
    alive: list[Configuration] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    stopped_because: str = ""
    _given: dict[Configuration, int] = field(default_factory=dict)
    _allocator: Allocator | None = None
    _among: list[Configuration] = field(default_factory=list)
    _asked: list[str] = field(default_factory=list)

    async def run(self, proposer: Proposer, tasks: Sequence[Task], opening: int = FEWEST) -> None:
        """Race until the frontier is settled or nothing fits any more.

        Args:
            proposer: Names configurations to begin with.
            tasks: Of the search split, in the order in which they are used.
            opening: How many configurations to begin with.
        """
        try:
            await self._welcome(proposer, tasks[: self.plan.block], opening)
            while not self.stopped_because:
                if not self.universe.all:
                    await self._welcome(proposer, tasks[: self.plan.block], BATCH)
                await self._round(tasks)
        except SpentError as error:
            self.stopped_because = str(error)

    def standing(self) -> Standing:
        """What to call the frontier: of those that were run, the ones that keep to all."""
        tried = [c for c in self._tried() if self._looks_kept(c)]
        goals = self._known_goals(tried)
        if not tried:
            return Standing((), {}, None, None)
        if len(goals) < len(self.question.directions):
            return Standing(tuple(self.alive), dict.fromkeys(tried), None, None)
        judge = self._new_allocator(tried, goals)
        values = self._values(tried, goals)
        judged = judge.judge(np.arange(len(tried)), values)
        found = judged.found
        chances: dict[Configuration, float | None] = dict.fromkeys(tried, 0.0)
        known = [] if found.chances is None else found.chances.tolist()
        chances |= {tried[i]: p for i, p in zip(found.candidates.tolist(), known, strict=True)}
        members = [tried[i] for i in found.members.tolist()]
        members.sort(key=lambda c: -(chances[c] or 0.0))
        # Without the baseline among them, nothing was asked of it.
        helps = judged.helps if tried[0] == self.universe.baseline else None
        return Standing(tuple(members), chances, found.wrong, helps)

    def _tried(self) -> list[Configuration]:
        """Configurations that have a run to go by, the baseline first; none that breaks a bound."""
        out = self._breaking()
        return [c for c in self._given if self.table.count(c) and c not in out]

    def _breaking(self) -> set[Configuration]:
        """Those that are shown to break a constraint: neither candidates nor rivals."""
        return {d.configuration for d in self.dropped if d.breaks}

    def _looks_kept(self, configuration: Configuration) -> bool:
        constraints = self.question.constraints
        return constraints is None or constraints.looks_kept(self.table, configuration)

    def _cap(self) -> int:
        """Configurations that may be tried at most."""
        return self.plan.proposals or self.universe.size

    async def _welcome(self, proposer: Proposer, first: Sequence[Task], wanted: int) -> None:
        """Bring new configurations up to the first block, as many at once as are named at once."""
        while wanted > 0 and not self.stopped_because:
            count = min(wanted, self._cap() - len(self._given))
            proposed = proposer.propose(count) if count > 0 else []
            if not proposed:
                return
            wanted -= len(proposed)
            for configuration in await self._bring_up([(c, first) for c in proposed]):
                proposer.tell(configuration, self.table.means(configuration))

    async def _round(self, tasks: Sequence[Task]) -> None:
        """Give their next tasks to those whose runs tell most; or stop."""
        allocation = self._allocate(tasks)
        if allocation is not None and allocation.settled:
            self.stopped_because = self._settled(allocation)
            return
        more = self._in_turn() if allocation is None else allocation.more
        jobs, room = [], self._cap() - len(self._given)
        for configuration, count in ((self._among[at], count) for at, count in more):
            given = self._given.get(configuration, 0)
            room -= not given
            if given or room >= 0:
                jobs.append((configuration, tasks[given : given + count]))
        jobs = [(c, todo) for c, todo in jobs if todo]
        if not jobs:
            self.stopped_because = "the search split is used up"
        await self._bring_up(jobs)

    def _in_turn(self) -> tuple[tuple[int, int], ...]:
        """The next block for everyone alive, where nothing says who needs it."""
        self._among = list(self.alive)
        return tuple((i, self.plan.block) for i in range(len(self._among)))

    def _settled(self, allocation: Allocation) -> str:
        level = f"{self.plan.settle_at:.0%}"
        if allocation.helps <= 1 - self.plan.settle_at:
            return f"no lever helps: nothing beats the baseline, at {level}"
        return f"membership of the frontier is settled, at {level}"

    def _allocate(self, tasks: Sequence[Task]) -> Allocation | None:
        """What to run next; None when too little is known to say."""
        tried = self._tried()
        goals = self._known_goals(tried)
        if not tried or not goals:
            return None
        whole = self.universe.all if len(self._given) < self._cap() else []
        breaking = self._breaking()
        among = [c for c in whole if c not in breaking] or tried
        if among != self._among or self._allocator is None or self._asked != goals:
            self._among, self._asked = list(among), goals
            self._allocator = self._new_allocator(among, goals)
        out = {d.configuration for d in self.dropped}
        open_ = [c not in out and self._given.get(c, 0) < len(tasks) for c in among]
        place = {c: i for i, c in enumerate(among)}
        seen = np.array([place[c] for c in tried], dtype=np.intp)
        values = self._values(tried, goals)
        found = self._allocator.next(seen, values, np.array(open_), self._weights(among))
        if found.settled and len(goals) < len(self.question.directions):
            # A frontier of some of the objectives is not the one that was asked for.
            return replace(found, settled=False)
        return found

    def _new_allocator(self, among: Sequence[Configuration], goals: Sequence[str]) -> Allocator:
        return ALLOCATORS[self.plan.allocate](
            self.universe.codes(among),
            [self.question.goal(name) for name in goals],
            self.question.seed,
            level=1 - self.plan.settle_at,
            block=self.plan.block,
            tasks=self.question.tasks,
        )

    def _known_goals(self, tried: Sequence[Configuration]) -> list[str]:
        """Objectives that are known of every configuration that was run."""
        found = []
        for name in self.question.directions:
            values = self._values(tried, [name])[..., 0]
            if len(tried) and not np.isnan(values).all(axis=1).any():
                found.append(name)
        return found

    def _values(self, tried: Sequence[Configuration], goals: Sequence[str]) -> Floats:
        columns: Ints = np.array([COLUMNS.index(name) for name in goals], dtype=np.intp)
        return self.table.matrix(tried, columns)

    def _weights(self, among: Sequence[Configuration]) -> Floats | None:
        """What a run of each is expected to cost, in the currency of the budget."""
        if self.question.currency == "runs":
            return None
        means = [self.table.means(c)[self.question.currency] for c in among]
        known = [m for m in means if m > 0]
        usual = float(np.median(known)) if known else 1.0
        return np.array([m if m > 0 else usual for m in means])

    async def _bring_up(self, jobs: Jobs) -> list[Configuration]:
        """Give configurations their next tasks, up to the first that the budget has no room for.

        Returns:
            Those that got theirs.
        """
        fitting: list[tuple[Configuration, Sequence[Task]]] = []
        for job in jobs:
            refused = self.refuse([*fitting, job])
            if refused is not None:
                self.stopped_because = refused
                break
            fitting.append(job)
        for configuration, _ in fitting:
            if configuration not in self._given:
                self._given[configuration] = 0
                self.alive.append(configuration)
        left = list(fitting)
        while left:
            left = await self._wave(left)
        return [c for c, _ in fitting]

    async def _wave(self, jobs: Jobs) -> list[tuple[Configuration, Sequence[Task]]]:
        """Make a part of a round.

        Returns:
            What is left of it, without those that were dropped meanwhile.
        """
        size = max(self.plan.block, *(-(-len(tasks) // WAVES) for _, tasks in jobs))
        await self.make([(c, tasks[:size]) for c, tasks in jobs])
        for configuration, tasks in jobs:
            self._given[configuration] += len(tasks[:size])
            self._drop(configuration)
        alive = set(self.alive)
        return [(c, tasks[size:]) for c, tasks in jobs if c in alive and len(tasks) > size]

    def _drop(self, configuration: Configuration) -> None:
        if configuration == self.universe.baseline or configuration not in self.alive:
            return
        found = self._broken(configuration)
        if found is None:
            tried = max(min(self._cap(), self.universe.size), 2)
            level = self._level() / (tried * (tried - 1))
            found = Rivalry(self.table, self.question).beaten(configuration, self.alive, level)
        if found is not None:
            self.dropped.append(found)
            self.alive.remove(configuration)

    def _level(self) -> float:
        """Chance that anything is ever dropped wrongly; half of it goes to constraints, if any."""
        return (1 - self.plan.drop_at) / (1 if self.question.constraints is None else 2)

    def _broken(self, configuration: Configuration) -> Dropped | None:
        constraints = self.question.constraints
        if constraints is None:
            return None
        tried = max(min(self._cap(), self.universe.size), 2)
        breaks = constraints.broken(self.table, configuration, self._level() / tried)
        if breaks is None:
            return None
        return Dropped(configuration, None, None, self.table.count(configuration), breaks)
