"""Runs as arrays: configuration by task by objective."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from leanloop.core.configuration import Configuration
from leanloop.core.run import Run
from leanloop.pricing.cost import AXES, PriceBook
from leanloop.stats.resampling import Floats, Ints

COLUMNS = ("success", *AXES)
FIRST = 64
"""Tasks that a configuration's array has room for at first; it doubles when it is full."""


class RunTable:
    """What every run came to, by configuration and task.

    Outages are missing, not failures. Unknown costs are NaN.

    Args:
        prices: Prices the runs.
    """

    def __init__(self, prices: PriceBook) -> None:
        self._prices = prices
        self._columns: dict[str, int] = {}
        self._names: list[str] = []
        self._rows: dict[str, Floats] = {}
        self._means: dict[str, dict[str, float]] = {}

    def add(self, run: Run) -> None:
        """Take in a run; runs of one task with several seeds are averaged by the reader."""
        if run.success is None:
            return
        cost = self._prices.cost(run)
        axes = [cost.axis(name) for name in AXES]
        row = (run.success, *(math.nan if v is None else v for v in axes))
        self.put(run.key.configuration_id, run.key.task_id, row)

    def put(self, configuration_id: str, task_id: str, row: Sequence[float]) -> None:
        """Take in what a run came to, columns as in ``COLUMNS``."""
        at = self._columns.get(task_id)
        if at is None:
            at = self._columns[task_id] = len(self._names)
            self._names.append(task_id)
        rows = self._rows.get(configuration_id)
        if rows is None or at >= len(rows):
            rows = self._grown(configuration_id, at)
        rows[at] = row
        self._means.pop(configuration_id, None)

    def tasks(self, configuration: Configuration) -> list[str]:
        """Tasks that the configuration has been run on, in the order in which they were met."""
        return [self._names[i] for i in np.flatnonzero(self._has(configuration))]

    def common(self, configurations: Sequence[Configuration]) -> list[str]:
        """Tasks that all of them have been run on, in the same order."""
        if not configurations:
            return []
        has = [self._has(c) for c in configurations]
        size = min(map(len, has))
        every = np.logical_and.reduce([h[:size] for h in has])
        return [self._names[i] for i in np.flatnonzero(every)]

    def count(self, configuration: Configuration) -> int:
        """How many tasks the configuration has been run on."""
        return int(self._has(configuration).sum())

    def values(self, configuration: Configuration, tasks: Iterable[str]) -> Floats:
        """Shape (tasks, columns), columns as in ``COLUMNS``."""
        at = [self._columns[t] for t in tasks]
        rows = self._rows.get(configuration.id)
        return np.zeros((0, len(COLUMNS))) if rows is None else rows[at]

    def matrix(self, configurations: Sequence[Configuration], columns: Ints) -> Floats:
        """Shape (configurations, tasks met, columns); NaN where there is no run."""
        size = len(self._names)
        found = np.full((len(configurations), size, len(columns)), np.nan)
        for i, configuration in enumerate(configurations):
            rows = self._rows.get(configuration.id)
            if rows is not None:
                some = rows[:size]
                found[i, : len(some)] = some[:, columns]
        return found

    def objectives(
        self, configuration: Configuration, tasks: Iterable[str], directions: Mapping[str, str]
    ) -> Floats:
        """Shape (tasks, objectives), larger is better."""
        values = self.values(configuration, tasks)
        columns = [COLUMNS.index(name) for name in directions]
        signs = np.array([1.0 if d == "max" else -1.0 for d in directions.values()])
        return np.asarray(values[:, columns] * signs, dtype=np.float64)

    def means(self, configuration: Configuration) -> dict[str, float]:
        """Mean of every column over the configuration's own tasks; NaN where one is unknown."""
        known = self._means.get(configuration.id)
        if known is None:
            known = self._means[configuration.id] = self._new_means(configuration)
        return known

    def _new_means(self, configuration: Configuration) -> dict[str, float]:
        has = self._has(configuration)
        if not has.any():
            return dict.fromkeys(COLUMNS, math.nan)
        means = self._rows[configuration.id][has].mean(axis=0)
        return dict(zip(COLUMNS, means.tolist(), strict=True))

    def _has(self, configuration: Configuration) -> np.ndarray:
        rows = self._rows.get(configuration.id)
        return np.zeros(0, dtype=np.bool_) if rows is None else ~np.isnan(rows[:, 0])

    def _grown(self, configuration_id: str, at: int) -> Floats:
        """The configuration's array with room for a column."""
        old = self._rows.get(configuration_id)
        size = FIRST if old is None else len(old)
        while size <= at:
            size *= 2
        rows = np.full((size, len(COLUMNS)), np.nan)
        if old is not None:
            rows[: len(old)] = old
        self._rows[configuration_id] = rows
        return rows
