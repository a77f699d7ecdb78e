"""Means that grow value by value, for figures that are shown while runs still come in."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from leanloop.stats.interval import Interval, proportion_interval
from leanloop.stats.student import t_quantile


@dataclass
class RunningShare:
    """Mean success of tasks as if each stood alone, with Wilson's interval."""

    n: int = 0
    total: float = 0.0

    def add(self, value: float) -> None:
        """Take in a task's success, 0 to 1."""
        self.n += 1
        self.total += value

    def interval(self) -> Interval:
        """The mean with its interval."""
        mean = self.total / self.n if self.n else 0.0
        return proportion_interval(np.full(self.n, mean))


@dataclass
class RunningMean:
    """Mean of a cost, with Student's t interval on the logarithm.

    The bootstrap that results have takes a hundred times longer; this one is near it
    where no few tasks have most of the cost.
    """

    n: int = 0
    mean: float = 0.0
    unknown: int = 0
    _squares: float = 0.0

    def add(self, value: float | None) -> None:
        """Take in a task's cost, 0 or more; None makes the mean unknown."""
        self.n += 1
        if value is None or not math.isfinite(value):
            self.unknown += 1
            return
        known = self.n - self.unknown
        away = value - self.mean
        self.mean += away / known
        self._squares += away * (value - self.mean)

    def interval(self) -> Interval:
        """The mean with its interval; unknown where a cost is."""
        if not self.n or self.unknown:
            return Interval(None, None, None, self.n)
        if self.n < 2 or self.mean <= 0:
            end = 0.0 if self.n > 1 and self.mean == 0 else None
            return Interval(self.mean, end, end, self.n)
        error = math.sqrt(self._squares / (self.n - 1) / self.n) / self.mean
        reach = math.exp(min(t_quantile(self.n - 1) * error, 50.0))
        return Interval(self.mean, self.mean / reach, self.mean * reach, self.n)
