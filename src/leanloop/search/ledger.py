"""Makes runs, each at most once, and counts what they cost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Container, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import partial

from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError, SpentError, StoppedError
from leanloop.core.memory import Origin
from leanloop.core.run import Run, RunKey, Status
from leanloop.core.task import Split, Task
from leanloop.levers.protocol import Doom
from leanloop.loop.agent import Agent
from leanloop.loop.run_memory import LearnFrom, RunMemory
from leanloop.loop.working_memory import BOUND
from leanloop.models.protocol import Model
from leanloop.pricing.cost import PriceBook
from leanloop.search.claims import Claims
from leanloop.search.kept_memory import KeptMemory
from leanloop.search.orders import Orders
from leanloop.search.protocol import Jobs, Observer, PaidRunner, Progress, Runner
from leanloop.search.purse import Purse, pay_from
from leanloop.search.streams import Lane, Streams
from leanloop.store.protocol import Store

Pairs = Sequence[tuple[Configuration, Task]]
"""Configurations, each with a task that it is to be run on."""

GAP_S = 60.0
"""Seconds between two runs of one session that are believed to be its own."""

OUTAGES = 3
"""Outages in a row after which a study stops: the provider is away, not a configuration bad."""


@dataclass(frozen=True)
class Terms:
    """On what terms runs are made.

    Args:
        max_usd: Dollars that may be spent, runs of earlier sessions included.
        max_runs: Runs of the search that may be made.
        warm_up: Whether the models hold only the prompt of the call before, so
            that configurations that take turns would pay for each other's prompts.
        claim: Whether runs are claimed before they are made, which looking up
            recorded ones does not need.
        bound: Entries that the memory of an agent on a stream holds at most.
        learn_from: Which runs an agent on a stream learns from.
    """

    max_usd: float | None = None
    max_runs: int | None = None
    warm_up: bool = False
    claim: bool = True
    bound: int = BOUND
    learn_from: LearnFrom = "solved"


class Ledger:
    """Makes the runs that are asked for, unless the store has them already.

    Each run is in the store before it is counted, so a study that is stopped at
    any moment goes on without running anything twice.

    Args:
        study: The study's name in the store.
        runner: What makes a run.
        prices: Prices the runs.
        store: Where runs are kept.
        observer: Told of every run.
        terms: On what terms.
    """

    def __init__(
        self,
        study: str,
        runner: Runner,
        prices: PriceBook,
        store: Store,
        observer: Observer,
        terms: Terms,
    ) -> None:
        self._terms = terms
        self._study, self._prices, self._store, self._observer = study, prices, store, observer
        known = store.runs(study)
        self._known: dict[RunKey, Run] = {r.key: r for r in known if r.status != Status.OUTAGE}
        self._claims = Claims(study, store)
        self.orders = Orders(study, store, terms.max_usd, terms.max_runs)
        self.orders.told = observer.note
        self.kept: KeptMemory | None = None
        self.streams = Streams(terms.bound, terms.learn_from)
        self.purse = Purse(terms.max_usd, raised=partial(self.orders.max_usd, now=True))
        for run in known:
            self._pay(run)
            if run.split is Split.SEARCH:
                self.streams.add(run)
            for call in (*run.model_calls, *run.test_calls):
                self.purse.add(prices.call_usd(call))
        # Calls of runs that a kill or the cap cut off were paid for as well.
        self.purse.learn(store.paid(study))
        if isinstance(runner, Agent | PaidRunner):
            self.purse.keep = partial(store.pay, study)
        elif terms.claim:
            self.purse.look = partial(store.paid, study)
        self._runner = pay_from(runner, prices, self.purse)
        self._concurrency = runner.concurrency
        self._replayed_s = 0.0
        self._last_end: float | None = None
        self._start = time.monotonic()
        self.runs: dict[RunKey, Run] = {}
        self.replayed = 0
        self._outages = 0
        self.phase = "search"
        self.alive, self.dropped = 0, 0
        self.left_s: float | None = None

    @property
    def elapsed_s(self) -> float:
        """Seconds in all: of this session, and of earlier ones up to the last run replayed.

        A study that is resumed goes through what it did before with the clock of
        that time, or it would find its time used up before it has begun. While it is
        paused the clock stands still.
        """
        return self._replayed_s + time.monotonic() - self._start - self.orders.paused_s

    def open(self) -> AbstractAsyncContextManager[None]:
        """Hold what is claimed while runs are made; a pause or stop of before is over."""
        self.orders.begin()
        return self._claims.held()

    @property
    def owner(self) -> str:
        """Who claims the runs: this process."""
        return self._claims.owner

    def save_standing(self, standing_json: bytes) -> None:
        """Keep how the study stands, for those who watch it."""
        self._store.save_standing(self._study, standing_json)

    def teach(self, doom: Doom) -> None:
        """Let later runs end when they are doomed; runs made by others are not taught."""
        if isinstance(self._runner, Agent):
            self._runner = replace(self._runner, doom=doom)

    def unmade(self, configuration: Configuration, tasks: Sequence[Task]) -> int:
        """How many of these runs are still to be made: those that no earlier session made."""
        keys = [RunKey(configuration.id, t.task_id) for t in tasks]
        return sum(k not in self.runs and k not in self._known for k in keys)

    def ahead(self, configuration: Configuration, tasks: Sequence[Task]) -> int:
        """How many of these runs this session has not come to, made by an earlier one or not."""
        return sum(RunKey(configuration.id, t.task_id) not in self.runs for t in tasks)

    async def make(self, jobs: Jobs) -> list[Run]:
        """One run for each configuration and task, in their order, several at once.

        Raises:
            SpentError: The dollar cap was reached; what had finished is kept.
            StoppedError: The study was stopped; runs under way have ended and are kept.
            BadInputError: A provider stays away; what had finished is kept.
        """
        if not self._terms.warm_up:
            return await self._together([(c, t) for c, tasks in jobs for t in tasks])
        found: list[Run] = []
        for configuration, tasks in jobs:
            new = [t for t in tasks if RunKey(configuration.id, t.task_id) not in self._known]
            if len(new) > 1:
                await self.orders.check()
                await self._warm_up(configuration, new[-1])
            found += await self._together([(configuration, t) for t in tasks])
        return found

    async def _together(self, pairs: Pairs) -> list[Run]:
        """Runs of configurations on tasks; one that fails keeps those not begun from beginning."""
        new = [k for k in map(_key, pairs) if k not in self._known and k not in self.runs]
        mine = self._claims.take(new) if self._terms.claim else set(new)
        found: list[Run | None] = [None] * len(pairs)
        left = iter(self._lines(pairs))

        async def work() -> None:
            for line in left:
                for at in line:
                    found[at] = await self._one(pairs[at], mine)
                    if found[at] is None:
                        # Stopped: none begins any more, and those under way end.
                        return

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._concurrency, len(pairs))):
                    group.create_task(work())
        except* (SpentError, BadInputError) as stopped:
            raise stopped.exceptions[0] from None
        if None in found:
            raise StoppedError("stopped from the dashboard")
        return [run for run in found if run is not None]

    def _lines(self, pairs: Pairs) -> list[list[int]]:
        """Places of pairs, those together that have to be made one after the other."""
        lines: dict[Lane | int, list[int]] = {}
        for at, (configuration, task) in enumerate(pairs):
            lane = self.streams.lane(configuration, task)
            lines.setdefault(at if lane is None else lane, []).append(at)
        for line in lines.values():
            line.sort(key=lambda at: pairs[at][1].position or 0)
        return list(lines.values())

    async def _warm_up(self, configuration: Configuration, task: Task) -> None:
        """Take one step that is paid for and not recorded, as an agent in service has before.

        Whose prompt came before decides what is cached, and here that is whichever
        configuration had its turn; the first run would be charged for the change.
        """
        if isinstance(self._runner, Agent):
            limits = replace(self._runner.limits, max_steps=1)
            await replace(self._runner, limits=limits).run(configuration, task)

    def _pay(self, run: Run) -> None:
        """Count what a recorded run cost; calls that are made here are counted one by one."""
        if run.recorded is not None:
            self.purse.add(self._prices.run_usd(run))

    async def _one(self, pair: tuple[Configuration, Task], mine: Container[RunKey]) -> Run | None:
        """A run, recorded; None when it is not there and the study is stopped."""
        configuration, task = pair
        key = _key(pair)
        known = self.runs.get(key) or self._known.get(key)
        if known is None and key not in mine:
            known = await self._claims.wait(key)
            if known is not None:
                self._known[key] = known
                self.purse.learn(self._store.paid(self._study))
        if known is None:
            if not await self.orders.may_begin():
                return None
            self.purse.check()
            known = await self._run(configuration, task)
            self._pay(known)
            self.purse.refresh()
            self._keep(known)
        elif key not in self.runs:
            self.replayed += 1
            self._replay_clock(known)
        self._watch_outages(known)
        if self.kept is None:
            self.streams.add(known)
        self.runs[key] = known
        self._observer.run_done(configuration, known, self._progress())
        return known

    async def _run(self, configuration: Configuration, task: Task) -> Run:
        kept = self.kept
        memory = self.streams.memory(configuration, task)
        if kept is not None and self.streams.carries(configuration):
            origin = Origin(configuration_id=configuration.id)
            memory = RunMemory(kept, task, origin, learn_from=self._terms.learn_from)
        if memory is None:
            return await self._runner.run(configuration, task)
        if not isinstance(self._runner, Agent):
            raise BadInputError(
                "levers", "what carries over from task to task needs leanloop's own agent, here"
            )
        return await self._runner.run(configuration, task, memory=memory)

    def _keep(self, run: Run) -> None:
        """Keep a run, and what it changed in a memory with it or not at all."""
        if self.kept is None:
            self._store.record(self._study, run)
            return
        self._store.record(self._study, run, self.kept.carried)
        self.kept.refresh()

    def _replay_clock(self, run: Run) -> None:
        """Move the clock as the run did when it was made, what went on between runs included."""
        end = run.started_at + run.wall_s
        since = run.wall_s if self._last_end is None else end - self._last_end
        # A longer gap is the time between two sessions.
        self._replayed_s += min(max(since, 0.0), run.wall_s + GAP_S)
        self._last_end = end if self._last_end is None else max(end, self._last_end)

    def _watch_outages(self, run: Run) -> None:
        self._outages = self._outages + 1 if run.status == Status.OUTAGE else 0
        if self._outages >= OUTAGES:
            raise BadInputError(
                f"study {self._study!r}",
                f"stopped after {OUTAGES} outages in a row, finished runs are kept, run it again "
                f"to go on: {run.reason}",
            )

    def _progress(self) -> Progress:
        spent = None if self.purse.unknown_calls else float(self.purse.spent_usd)
        return Progress(
            self.phase,
            len(self.runs),
            self.replayed,
            self.alive,
            self.dropped,
            spent,
            self.elapsed_s,
            self.left_s,
        )


def _key(pair: tuple[Configuration, Task]) -> RunKey:
    configuration, task = pair
    return RunKey(configuration.id, task.task_id)


def names_of(models: Mapping[str, Model]) -> dict[str, str]:
    """The study's name for each model, to its ``provider:model``."""
    return {alias: model.ref for alias, model in models.items()}
