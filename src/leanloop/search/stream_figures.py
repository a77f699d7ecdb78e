"""How an agent that carries something over fares along a stream, beside the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    """A part of a stream.

    Attributes:
        first: First position, from 0.
        last: Last position, inclusive.
        success: Over its tasks, all streams together.
        per_solved: Cost axis to what a solved task costs.
        ratio: Cost axis to the same over the baseline's, on the same tasks.
    """

    first: int
    last: int
    success: Interval
    per_solved: dict[str, CostOfPass]
    ratio: dict[str, Interval]


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
    """

    id: str
    settings: dict[str, Setting]
    stretches: tuple[Stretch, ...]
    warm: Stretch | None
    paid_back: dict[str, PaidBack]
    entries: int


def along_stream(
    tables: tuple[RunTable, RunTable],
    pair: tuple[Configuration, Configuration],
    tasks: Mapping[Split, Sequence[Task]],
    entries: int,
) -> AlongStream:
    """The figures of a configuration.

    Args:
        tables: Runs of the search, and of the holdout.
        pair: The baseline, and the configuration.
        tasks: Of both splits; each has a position.
        entries: What its memories hold.
    """
    search = _common(tables[0], pair, tasks[Split.SEARCH])
    holdout = _common(tables[1], pair, tasks[Split.HOLDOUT])
    parts = [[search[i] for i in some] for some in np.array_split(np.arange(len(search)), PARTS)]
    return AlongStream(
        pair[1].id,
        dict(pair[1]),
        tuple(_stretch(tables[0], pair, part) for part in parts if part),
        _stretch(tables[1], pair, holdout) if holdout else None,
        _paid_back(tables[0], pair, search),
        entries,
    )


def _common(
    table: RunTable, pair: tuple[Configuration, Configuration], tasks: Sequence[Task]
) -> list[Task]:
    """Tasks that both were run on, by position."""
    ran = set(table.common(pair))
    return sorted((t for t in tasks if t.task_id in ran), key=lambda t: t.position or 0)


def _values(table: RunTable, configuration: Configuration, tasks: Sequence[Task]) -> Floats:
    """Shape (columns, tasks)."""
    return table.values(configuration, [t.task_id for t in tasks]).T


def _stretch(
    table: RunTable, pair: tuple[Configuration, Configuration], tasks: Sequence[Task]
) -> Stretch:
    base, own = (_values(table, c, tasks) for c in pair)
    sample = sample_of(len(tasks))
    columns = {axis: COLUMNS.index(axis) for axis in AXES}
    positions = [t.position or 0 for t in tasks]
    return Stretch(
        min(positions),
        max(positions),
        proportion_interval(own[0]),
        {a: costs_of_pass(own[:1], own[i : i + 1], sample)[0] for a, i in columns.items()},
        {a: per_solved_ratio(base[[0, i]], own[[0, i]], sample) for a, i in columns.items()},
    )


def _paid_back(
    table: RunTable, pair: tuple[Configuration, Configuration], tasks: Sequence[Task]
) -> dict[str, PaidBack]:
    """By position, on the mean of the streams."""
    base, own = (_values(table, c, tasks) for c in pair)
    positions = np.array([t.position or 0 for t in tasks], dtype=np.intp)
    counts = np.bincount(positions)
    there = counts > 0
    found = {}
    for axis in AXES:
        i = COLUMNS.index(axis)
        sums = [np.bincount(positions, weights=side[i])[there] for side in (base, own)]
        found[axis] = paid_back(sums[0] / counts[there], sums[1] / counts[there])
    return found
