"""How an agent that carries something over fares along a stream, beside the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from leanloop.core.configuration import Configuration, Setting
from leanloop.core.task import Split, Task
from leanloop.pricing.cost import AXES
from leanloop.search.runtable import COLUMNS, RunTable
from leanloop.stats.budget import CostOfPass, costs_of_pass
from leanloop.stats.interval import Interval, proportion_interval
from leanloop.stats.per_solved import PaidBack, paid_back, per_solved_ratio
from leanloop.stats.resampling import Floats, sample_of

PARTS = 4
"""Stretches that a stream is shown in."""


class Stretch(msgspec.Struct, frozen=True):
    """A part of the streams.

    Attributes:
        first: Its first task, counted in its stream and split from 0.
        last: Its last task, inclusive.
        success: Over its tasks, all streams together.
        per_solved: Cost axis to what a solved task costs.
        ratio: Cost axis to the same over the baseline's, on the same tasks.
        baseline_success: Of the baseline, on the same tasks; None in results from before
            it was kept.
        baseline_per_solved: Cost axis to what a solved task costs the baseline on the same
            tasks; empty in results from before it was kept.
    """

    first: int
    last: int
    success: Interval
    per_solved: dict[str, CostOfPass]
    ratio: dict[str, Interval]
    baseline_success: Interval | None = None
    baseline_per_solved: dict[str, CostOfPass] = {}


class Held(msgspec.Struct, frozen=True):
    """What the memories of a configuration hold after the search.

    Attributes:
        entries: All streams together, each counted by itself.
        streams: Streams that left something.
        kept: What its one memory in the store is given: entries that are about the same
            are one there, and it holds no more than its bound.
    """

    entries: int
    streams: int
    kept: int


class AlongStream(msgspec.Struct, frozen=True):
    """A configuration that carries something over, along the streams.

    The intervals take tasks as independent given what was learned on the way; with
    another order of tasks something else would have been learned.

    Attributes:
        id: Of the configuration.
        settings: Levers that are not off.
        stretches: The search split, cold: it learns as it goes.
        warm: The holdout, with what the search left, learning no more; None when it
            was not run there.
        paid_back: Cost axis to after how many tasks of a stream, on the mean of the
            streams, what it spent on learning was saved.
        entries: What its memories hold after the search, all streams together.
        held: The same, and what is kept of it; None in results from before it was told.
        left_out: Tasks of the search that it was run on and the baseline was not, and
            that are in no figure here for that.
        warm_left_out: The same of the holdout.
    """

    id: str
    settings: dict[str, Setting]
    stretches: tuple[Stretch, ...]
    warm: Stretch | None
    paid_back: dict[str, PaidBack]
    entries: int
    held: Held | None = None
    left_out: int = 0
    warm_left_out: int = 0


class _Ranked(NamedTuple):
    """A task, and which of its stream and split it is, from 0."""

    rank: int
    task: Task


Pair = tuple[Configuration, Configuration]
"""The baseline, and the configuration."""


def along_stream(
    tables: tuple[RunTable, RunTable],
    pair: Pair,
    tasks: Mapping[Split, Sequence[Task]],
    held: Held,
) -> AlongStream:
    """The figures of a configuration.

    Positions may be any numbers that are in order, such as times; a task is counted here
    as the first, second and so on of its stream in its split.

    Args:
        tables: Runs of the search, and of the holdout.
        pair: The baseline, and the configuration.
        tasks: Of both splits; each has a position.
        held: What its memories hold.
    """
    search = _common(tables[0], pair, tasks[Split.SEARCH])
    holdout = _common(tables[1], pair, tasks[Split.HOLDOUT])
    return AlongStream(
        pair[1].id,
        dict(pair[1]),
        tuple(_stretch(tables[0], pair, part) for part in _parts(search)),
        _stretch(tables[1], pair, holdout) if holdout else None,
        _paid_back(tables[0], pair, search),
        held.entries,
        held,
        tables[0].count(pair[1]) - len(search),
        tables[1].count(pair[1]) - len(holdout),
    )


def _common(table: RunTable, pair: Pair, tasks: Sequence[Task]) -> list[_Ranked]:
    """Tasks that both were run on, each by which of its stream it is, the first of each first."""
    ran = set(table.common(pair))
    streams: dict[str | None, list[Task]] = {}
    for task in tasks:
        streams.setdefault(task.stream, []).append(task)
    ranked = [
        _Ranked(rank, task)
        for some in streams.values()
        for rank, task in enumerate(sorted(some, key=lambda t: t.position or 0))
    ]
    return sorted((r for r in ranked if r.task.task_id in ran), key=lambda r: r.rank)


def _parts(tasks: Sequence[_Ranked]) -> list[list[_Ranked]]:
    """Stretches of as many ranks each as can be: what has one rank in its stream stays together."""
    ranks = np.array_split(np.unique([r.rank for r in tasks]), PARTS)
    parts = [set(some.tolist()) for some in ranks]
    return [[r for r in tasks if r.rank in part] for part in parts if part]


def _values(table: RunTable, configuration: Configuration, tasks: Sequence[_Ranked]) -> Floats:
    """Shape (columns, tasks)."""
    return table.values(configuration, [r.task.task_id for r in tasks]).T


def _stretch(table: RunTable, pair: Pair, tasks: Sequence[_Ranked]) -> Stretch:
    base, own = (_values(table, c, tasks) for c in pair)
    sample = sample_of(len(tasks))
    columns = {axis: COLUMNS.index(axis) for axis in AXES}
    per_solved = [
        {a: costs_of_pass(side[:1], side[i : i + 1], sample)[0] for a, i in columns.items()}
        for side in (base, own)
    ]
    return Stretch(
        tasks[0].rank,
        tasks[-1].rank,
        proportion_interval(own[0]),
        per_solved[1],
        {a: per_solved_ratio(base[[0, i]], own[[0, i]], sample) for a, i in columns.items()},
        proportion_interval(base[0]),
        per_solved[0],
    )


def _paid_back(table: RunTable, pair: Pair, tasks: Sequence[_Ranked]) -> dict[str, PaidBack]:
    """Task by task, on the mean of the streams that have as many."""
    base, own = (_values(table, c, tasks) for c in pair)
    ranks = np.array([r.rank for r in tasks], dtype=np.intp)
    counts = np.bincount(ranks)
    there = counts > 0
    found = {}
    for axis in AXES:
        i = COLUMNS.index(axis)
        sums = [np.bincount(ranks, weights=side[i])[there] for side in (base, own)]
        found[axis] = paid_back(sums[0] / counts[there], sums[1] / counts[there])
    return found
