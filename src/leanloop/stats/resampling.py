"""What is resampled: tasks, or whole clusters of tasks, the same draw for every configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RESAMPLES = 4000
MOST_UNITS = 4096
"""Above this many, tasks are gathered at random into this many batches, which are resampled
as clusters are: the spread of a mean is the same, and the work no longer grows with the tasks."""


@dataclass(frozen=True)
class Units:
    """The units of a resample: which tasks are always drawn together.

    Args:
        codes: Shape (tasks,): the unit of each task, from 0.
        count: How many units there are.
        clustered: Whether a unit holds tasks that may depend on each other.
    """

    codes: Ints
    count: int
    clustered: bool

    @property
    def tasks(self) -> int:
        """How many tasks there are."""
        return len(self.codes)

    @property
    def alone(self) -> bool:
        """Whether every task is a unit of its own, in order."""
        return self.count == len(self.codes) and not self.clustered

    def totals(self, values: Floats) -> Floats:
        """Sums over the tasks of each unit: shape (..., tasks) to (..., units)."""
        if self.alone:
            return values
        if values.ndim > 1:
            # Row by row: a table of millions is not copied.
            return np.array([self.totals(row) for row in values]).reshape(
                *values.shape[:-1], self.count
            )
        return np.bincount(self.codes, weights=values, minlength=self.count).astype(np.float64)

    @property
    def sizes(self) -> Floats:
        """Tasks of each unit."""
        return np.bincount(self.codes, minlength=self.count).astype(np.float64)

    @property
    def kish(self) -> float:
        """Units of equal size that would tell as much (Kish 1965)."""
        sizes = self.sizes
        return float(sizes.sum() ** 2 / (sizes**2).sum()) if self.count else 0.0


def units_of(tasks: int, clusters: Sequence[object] | Ints | None = None, seed: int = 0) -> Units:
    """Tasks as units of their own, or by cluster.

    Args:
        tasks: How many there are.
        clusters: The cluster of each task; None when tasks stand alone.
        seed: Says which tasks are batched together where there are very many.
    """
    if clusters is not None:
        _, codes = np.unique(np.asarray(clusters), return_inverse=True)
        count = int(codes.max(initial=-1)) + 1
        if count < tasks:
            return Units(codes.astype(np.int64), count, clustered=True)
    if tasks <= MOST_UNITS:
        return Units(np.arange(tasks, dtype=np.int64), tasks, clustered=False)
    codes = np.arange(tasks, dtype=np.int64) % MOST_UNITS
    return Units(np.random.default_rng(seed).permutation(codes), MOST_UNITS, clustered=False)


@dataclass(frozen=True)
class Sample:
    """Tasks, what belongs together among them, and the draws that every figure shares.

    Args:
        tasks: Every task, or batch of tasks, alone.
        units: What may depend on each other kept together.
        seed: Of the draws.
        resamples: How many draws.
    """

    tasks: Units
    units: Units
    seed: int = 0
    resamples: int = RESAMPLES

    @property
    def n(self) -> int:
        """How many tasks there are."""
        return self.units.tasks

    @cached_property
    def task_draws(self) -> Floats:
        """How often each of ``tasks`` is drawn: shape (resamples, units)."""
        return draws(self.tasks.count, self.seed, self.resamples)

    @cached_property
    def unit_draws(self) -> Floats:
        """The same for ``units``."""
        if not self.units.clustered:
            return self.task_draws
        return draws(self.units.count, self.seed, self.resamples)


def sample_of(tasks: int, clusters: Sequence[object] | Ints | None = None, seed: int = 0) -> Sample:
    """The sample of so many tasks, by cluster where they have one."""
    alone = units_of(tasks, seed=seed)
    grouped = alone if clusters is None else units_of(tasks, clusters, seed)
    return Sample(alone, grouped if grouped.clustered else alone, seed)


def draws(units: int, seed: int = 0, resamples: int = RESAMPLES) -> Floats:
    """How often each unit is drawn: shape (resamples, units), rows that sum to ``units``."""
    if units == 0:
        return np.zeros((resamples, 0))
    rng = np.random.default_rng(seed)
    counts = np.empty((resamples, units))
    # A block at a time: what is made on the way would take several times the room of the counts.
    block = max(1, 2_000_000 // units)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        picks = rng.integers(0, units, size=(rows, units), dtype=np.int32)
        cells = picks + np.arange(rows, dtype=np.int64)[:, None] * units
        drawn = np.bincount(cells.ravel(), minlength=rows * units)
        counts[start : start + rows] = drawn.reshape(rows, units)
    return counts
