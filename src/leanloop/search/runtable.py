"""Runs as arrays: configuration by task by objective."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from leanloop.core.configuration import Configuration
from leanloop.core.run import Run
from leanloop.pricing.cost import AXES, PriceBook
from leanloop.stats.resampling import Floats

COLUMNS = ("success", *AXES)


class RunTable:
    """What every run came to, by configuration and task.

    Outages are missing, not failures. Unknown costs are NaN.

    Args:
        prices: Prices the runs.
    """

    def __init__(self, prices: PriceBook) -> None:
        self._prices = prices
        self._rows: dict[str, dict[str, tuple[float, ...]]] = {}

    def add(self, run: Run) -> None:
        """Take in a run; runs of one task with several seeds are averaged by the reader."""
        if run.success is None:
            return
        cost = self._prices.cost(run)
        axes = [cost.axis(name) for name in AXES]
        row = (run.success, *(math.nan if v is None else v for v in axes))
        self._rows.setdefault(run.key.configuration_id, {})[run.key.task_id] = row

    def tasks(self, configuration: Configuration) -> list[str]:
        """Tasks that the configuration has been run on."""
        return list(self._rows.get(configuration.id, {}))

    def common(self, configurations: Sequence[Configuration]) -> list[str]:
        """Tasks that all of them have been run on, in the order of the first."""
        if not configurations:
            return []
        rows = [self._rows.get(c.id, {}) for c in configurations]
        return [task for task in rows[0] if all(task in r for r in rows[1:])]

    def values(self, configuration: Configuration, tasks: Iterable[str]) -> Floats:
        """Shape (tasks, columns), columns as in ``COLUMNS``."""
        rows = self._rows.get(configuration.id, {})
        return np.array([rows[t] for t in tasks], dtype=np.float64).reshape(-1, len(COLUMNS))

    def objectives(
        self, configuration: Configuration, tasks: Iterable[str], directions: Mapping[str, str]
    ) -> Floats:
        """Shape (tasks, objectives), larger is better."""
        values = self.values(configuration, tasks)
        columns = [COLUMNS.index(name) for name in directions]
        signs = np.array([1.0 if d == "max" else -1.0 for d in directions.values()])
        return np.asarray(values[:, columns] * signs, dtype=np.float64)

    def means(self, configuration: Configuration) -> dict[str, float]:
        """Mean of every column over the configuration's own tasks."""
        values = self.values(configuration, self.tasks(configuration))
        if not len(values):
            return dict.fromkeys(COLUMNS, math.nan)
        return {name: float(values[:, i].mean()) for i, name in enumerate(COLUMNS)}
