"""Streams: one company after the other asks for the same kinds of thing, again and again."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from leanloop.core.task import Split, Task
from leanloop.suites.backoffice.families import Draft, Maker
from leanloop.suites.backoffice.names import SEARCH
from leanloop.suites.backoffice.world import World, make_world

WRAPPINGS = ("{}", "{}", "{}", "Please help: {}", "{} Thanks.", "For the monthly report: {}")
"""How a question is put; half of the time as it is."""
WORDINGS: dict[Split, tuple[int, ...]] = {Split.SEARCH: (0, 0, 2), Split.HOLDOUT: (0, 2, 1)}
"""Which of a question's wordings come up; a third of the holdout's were never heard before."""
TRIES = 50
"""Draws for a question that the stream has not had yet."""
DRIFTING = (
    ("teams", "lead"),
    ("people", "manager"),
    ("people", "phone_extension"),
    ("people", "city"),
    ("products", "stock"),
    ("tickets", "assignee"),
    ("tickets", "status"),
)
"""What changes in a company as time goes on."""


@dataclass(frozen=True)
class Plan:
    """What the streams of a suite are drawn from.

    Args:
        seed: Decides every draw.
        streams: How many streams each split has.
        counts: Tasks of each split, all streams together.
        families: Intents; the first comes up most often, the n-th 1/n as often.
        numbers: Orders, and tickets, of a company.
        drift: Changes of a company's records a task.
    """

    seed: int
    streams: int
    counts: Mapping[Split, int]
    families: Mapping[str, Maker]
    numbers: int
    drift: float


@dataclass(frozen=True)
class StreamTasks:
    """The tasks of all streams; the holdout of a stream goes on in the company of its search.

    No question of the holdout, in whatever words, is one of the search.

    Args:
        plan: What they are drawn from.
    """

    plan: Plan

    def task(self, split: Split, index: int) -> Task:
        """A task of a split, the streams taking turns."""
        family, draft, wording = self._drawn[split, index]
        stream, position = self._place(index)
        return Task(
            f"{split}-{index:04}-{family}",
            _put(wording, draft),
            split,
            family,
            stream=f"company-{stream}",
            position=position,
        )

    def draft(self, split: Split, index: int) -> tuple[Draft, World]:
        """What solves a task, and the company as it is then."""
        return self._drawn[split, index][1], self._world(split, index)

    def _place(self, index: int) -> tuple[int, int]:
        position, stream = divmod(index, self.plan.streams)
        return stream, position

    @cached_property
    def _drawn(self) -> dict[tuple[Split, int], tuple[str, Draft, tuple[int, int]]]:
        found = {}
        had: set[str] = set()
        for split in (Split.SEARCH, Split.HOLDOUT):
            for index in range(self.plan.counts[split]):
                rng = random.Random(f"{self.plan.seed}/stream/{split}/{index}")  # noqa: S311
                family, draft = self._new(rng, self._world(split, index), had)
                wording = rng.choice(WORDINGS[split]), rng.randrange(len(WRAPPINGS))
                found[split, index] = family, draft, wording
        return found

    def _new(self, rng: random.Random, world: World, had: set[str]) -> tuple[str, Draft]:
        """A draft whose question has not come up; one that has, where all have."""
        names: Sequence[str] = list(self.plan.families)
        weights = [1 / (i + 1) for i in range(len(names))]
        for _ in range(TRIES):
            family = rng.choices(names, weights)[0]
            draft = self.plan.families[family](rng, world)
            if draft.wordings[0] not in had:
                break
        had.add(draft.wordings[0])
        return family, draft

    def _world(self, split: Split, index: int) -> World:
        stream, position = self._place(index)
        seed = f"{self.plan.seed}/stream/{stream}"
        world = make_world(SEARCH, seed, self.plan.numbers)
        before = 0 if split is Split.SEARCH else self._length(stream)
        for change in range(int((before + position) * self.plan.drift)):
            _drift(random.Random(f"{seed}/drift/{change}"), world)  # noqa: S311
        return world

    def _length(self, stream: int) -> int:
        """Tasks of a stream of the search."""
        count, streams = self.plan.counts[Split.SEARCH], self.plan.streams
        return len(range(stream, count, streams))


def _drift(rng: random.Random, world: World) -> None:
    """Give one record another record's value."""
    table, column = rng.choice(DRIFTING)
    row = rng.choice(world.rows[table])
    values = [v for v in world.values(table, column) if v != row[column]]
    # Nobody is their own manager.
    values = [v for v in values if table != "people" or v != row["name"]]
    if values:
        row[column] = rng.choice(values)


def _put(wording: tuple[int, int], draft: Draft) -> str:
    which, wrapping = wording
    return WRAPPINGS[wrapping].format(draft.wordings[which])
