"""The race on made-up runs: whom it runs, whom it drops, when it stops."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from leanloop.core.configuration import Configuration
from leanloop.core.errors import SpentError
from leanloop.core.task import Split, Task
from leanloop.pricing.cost import PriceBook
from leanloop.search.constraints import Constraints, read_constraint
from leanloop.search.propose import OptunaProposer
from leanloop.search.protocol import Jobs
from leanloop.search.question import Question
from leanloop.search.race import Race
from leanloop.search.runtable import RunTable
from leanloop.search.spec import SearchPlan
from leanloop.search.universe import Universe

SPACE = {"a": ("off", "on"), "b": ("off", "on"), "c": ("off", "on")}
TASKS = [Task(f"t{i}", "", Split.SEARCH) for i in range(3000)]
OBJECTIVES = {"success": "max", "usd": "min"}
Truth = Callable[[Configuration], tuple[float, float]]


class Made:
    """A race over made-up runs, and what it ran."""

    def __init__(
        self, truth: Truth, plan: Mapping[str, Any] | None = None, **question: Any
    ) -> None:
        self.truth = truth
        self.ran: Counter[Configuration] = Counter()
        self.cap = math.inf
        self.broke = False
        self.table = RunTable(PriceBook({}))
        self.race = Race(
            self.make,
            self.table,
            Universe(Configuration(), SPACE),
            SearchPlan(**(plan or {})),
            Question(OBJECTIVES, **question),
            self.refuse,
        )

    async def make(self, jobs: Jobs) -> None:
        for configuration, tasks in jobs:
            for task in tasks:
                self.table.put(configuration.id, task.task_id, self.row(configuration, task))
            self.ran[configuration] += len(tasks)
            if self.broke:
                raise SpentError("the cap of $1 is reached")

    def row(self, configuration: Configuration, task: Task) -> tuple[float, ...]:
        success, cost = self.truth(configuration)
        shared, own = (
            np.random.default_rng([int(task.task_id[1:]), *key]).random()
            for key in ([0], configuration.id.encode())
        )
        solved = float(0.8 * shared + 0.2 * own < success)
        usd = cost * (0.5 + own)
        return solved, usd, usd, usd, 0.0

    def refuse(self, jobs: Jobs) -> str | None:
        more = sum(len(tasks) for _, tasks in jobs)
        return "no room" if self.ran.total() + more > self.cap else None

    async def go(self) -> Race:
        proposer = OptunaProposer(SPACE, Configuration(), OBJECTIVES, seed=0)
        await self.race.run(proposer, TASKS)
        return self.race


def helped(configuration: Configuration) -> tuple[float, float]:
    """``a`` solves more, ``b`` saves, ``c`` does only harm."""
    success = 0.5 + 0.2 * ("a" in configuration) - 0.2 * ("c" in configuration)
    return success, 1.0 - 0.5 * ("b" in configuration) + 0.8 * ("c" in configuration)


def harmed(configuration: Configuration) -> tuple[float, float]:
    return 0.7 - 0.15 * len(configuration), 1.0 + 0.5 * len(configuration)


async def test_it_settles_on_the_planted_frontier_and_runs_the_hopeless_less():
    made = Made(helped)
    race = await made.go()
    standing = race.standing()
    best = Configuration({"a": "on", "b": "on"})
    assert race.stopped_because == "membership of the frontier is settled, at 95%"
    assert standing.members == (best,)
    assert standing.chances[best] > 0.95
    assert standing.wrong < 0.05
    assert standing.helps > 0.95
    worst = Configuration({"c": "on"})
    assert made.ran[worst] <= made.ran[best]
    assert made.ran.total() < 8 * 200


async def test_where_no_lever_helps_it_says_so_and_stops_early():
    made = Made(harmed)
    race = await made.go()
    assert race.stopped_because == "no lever helps: nothing beats the baseline, at 95%"
    assert race.standing().members == (Configuration(),)
    assert made.ran.total() < 8 * len(TASKS) / 10


async def test_no_more_are_tried_than_the_plan_allows():
    race = await Made(helped, {"proposals": 3}).go()
    assert set(race.standing().chances) == {
        Configuration(),
        Configuration({"a": "on"}),
        Configuration({"b": "on"}),
    }


async def test_it_stops_where_the_budget_has_no_room():
    made = Made(helped)
    made.cap = 40
    race = await made.go()
    assert race.stopped_because == "no room"
    assert made.ran.total() <= 40
    assert race.standing().members


async def test_a_cap_reached_in_the_middle_ends_it():
    made = Made(helped)
    made.broke = True
    race = await made.go()
    assert race.stopped_because == "the cap of $1 is reached"
    assert made.table.count(Configuration()) == 7


async def test_an_unknown_cost_leaves_the_frontier_unknown_and_uses_the_tasks():
    made = Made(lambda c: (helped(c)[0], math.nan))
    made.race.plan = SearchPlan(proposals=2)
    race = await made.go()
    assert race.stopped_because == "the search split is used up"
    standing = race.standing()
    assert standing.wrong is None
    assert set(standing.chances.values()) == {None}
    assert set(made.ran.values()) == {len(TASKS)}


async def test_one_that_is_shown_beaten_is_dropped_and_never_the_baseline():
    made = Made(helped, {"block": 400})
    race = await made.go()
    dropped = {d.configuration for d in race.dropped}
    assert Configuration({"c": "on"}) in dropped
    assert Configuration() not in dropped
    assert all(d.probability > 0.95 for d in race.dropped)
    assert not dropped & set(race.alive)


@pytest.mark.parametrize("currency", ["runs", "usd", "latency_s"])
async def test_every_currency_finds_the_same_frontier(currency):
    race = await Made(helped, currency=currency).go()
    assert race.standing().members == (Configuration({"a": "on", "b": "on"}),)


async def test_the_same_seed_buys_the_same_runs():
    one, other = Made(helped), Made(helped)
    await one.go()
    await other.go()
    assert one.ran == other.ran


def bound(text: str) -> Constraints:
    return Constraints([read_constraint(text, "constraints")], Configuration())


async def test_one_that_breaks_a_constraint_leaves_and_beats_nobody():
    # ``c`` solves everything at a price that is not allowed.
    def truth(configuration: Configuration) -> tuple[float, float]:
        success, cost = helped(configuration)
        return success + 0.3 * ("c" in configuration), cost

    made = Made(truth, constraints=bound("usd <= baseline * 1.2"))
    race = await made.go()
    broken = {d.configuration for d in race.dropped if d.breaks}
    assert Configuration({"c": "on"}) in broken
    assert all(d.breaks == "usd <= baseline * 1.2" for d in race.dropped if d.breaks)
    assert all("c" not in member or "b" in member for member in race.standing().members)
    assert Configuration({"a": "on", "b": "on"}) in race.standing().members


async def test_the_cheapest_that_still_does_its_job_needs_no_second_objective():
    def truth(configuration: Configuration) -> tuple[float, float]:
        return 0.8 - 0.3 * ("b" in configuration), 1.0 - 0.3 * len(configuration)

    made = Made(truth, constraints=bound("success >= baseline - 0.1"))
    made.race.question = replace(made.race.question, directions={"usd": "min"})
    race = await made.go()
    assert race.standing().members == (Configuration({"a": "on", "c": "on"}),)


async def test_one_that_is_beaten_in_the_middle_of_a_round_is_spared_the_rest():
    made = Made(helped, {"block": 8})
    # A round as large as they come; without waves it would be made whole.
    jobs = [(c, TASKS[:800]) for c in made.race.universe.all]
    for configuration in made.race.universe.all:
        made.race.alive.append(configuration)
        made.race._given[configuration] = 0
    await made.race._bring_up(jobs)
    assert made.ran[Configuration()] == 800
    assert made.ran[Configuration({"c": "on"})] < 800
