"""Learns from a study's own runs which ones fail, for the lever that ends those early."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from leanloop.core.run import Run
from leanloop.levers.stopping.abort_doomed import run_features
from leanloop.stats.doom import FittedDoom, RunRows, fit_doom

LEVER = "stopping.abort_doomed"
AFTER_RUNS = 60
"""Runs of the search after which it is learned; twice as many each time that it cannot be."""


class DoomLesson:
    """Fits once, at a fixed number of runs, so that a resumed study learns the same.

    Runs before that are made with the lever at rest. What is learned then stays: a
    configuration means the same from there on.

    Args:
        seed: Of the fit's folds.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._due = AFTER_RUNS
        self._learned: FittedDoom | None = None

    def learn(self, runs: Iterable[Run]) -> FittedDoom | None:
        """What is learned now; None when it is not due, was learned before, or cannot be.

        Args:
            runs: Runs of the search so far.
        """
        if self._learned is not None:
            return None
        known = sorted(runs, key=lambda r: r.key)
        if len(known) < self._due:
            return None
        while self._due <= len(known):
            self._due *= 2
        self._learned = fit_doom(_rows(known), self._seed)
        return self._learned


def _rows(runs: Iterable[Run]) -> RunRows:
    some = [(r, run_features(r)) for r in runs if r.success is not None]
    some = [(r, rows) for r, rows in some if rows]
    tasks: dict[str, int] = {}
    for run, _ in some:
        tasks.setdefault(run.key.task_id, len(tasks))
    return RunRows(
        features=np.array([f for _, rows in some for f in rows], dtype=np.float64),
        run=np.array([i for i, (_, rows) in enumerate(some) for _ in rows], dtype=np.intp),
        failed=np.array([float((r.success or 0) < 1) for r, _ in some]),
        task=np.array([tasks[r.key.task_id] for r, _ in some], dtype=np.intp),
    )
