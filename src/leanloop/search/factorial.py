"""A fractional factorial: few configurations from which each lever's effect can be told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from leanloop.core.configuration import Configuration
from leanloop.search.grid import GridProposer
from leanloop.stats.resampling import Floats, Ints

RIDGE = 1e-3
"""Of the first designs, which cannot tell all effects apart yet."""
CHANCE = 1e-9
"""Of a gain, at which two configurations count as equally good."""


class FactorialProposer(GridProposer):
    """Proposes the baseline, then whatever adds most to what is told of each lever's effect.

    Each next one is the one that most increases the determinant of the information on all
    main effects (sequential D-optimal design; Wynn 1970, Annals of Mathematical
    Statistics 41), so any number of them, from the first on, is a balanced
    fraction of the grid: what ``leanloop explain`` needs. The rest of the grid
    follows when as many are taken as there are effects twice over.

    Args:
        configurations: All that there are, the baseline first.
        codes: Setting of each lever, shape (configurations, levers).
        seed: Decides between equals.
    """

    def __init__(self, configurations: Sequence[Configuration], codes: Ints, seed: int) -> None:
        effects = _effects(codes)
        order = design(effects, min(2 * effects.shape[1], len(effects)), seed)
        super().__init__(configurations, seed)
        first = [configurations[i] for i in order]
        chosen = set(first)
        self._left = [*first, *(c for c in self._left if c not in chosen)]


def design(effects: Floats, count: int, seed: int) -> list[int]:
    """Rows that tell most about all effects, the first row first.

    Args:
        effects: Shape (rows, effects).
        count: How many rows to choose, each at most once.
        seed: Decides between equals.
    """
    order = np.random.default_rng(seed).permutation(len(effects))
    inverse = np.eye(effects.shape[1]) / RIDGE
    chosen: list[int] = []
    gain = np.zeros(len(effects))
    for _ in range(count):
        best = 0
        if chosen:
            gain = np.einsum("ij,jk,ik->i", effects, inverse, effects)
            gain[chosen] = -np.inf
            good = order[gain[order] >= gain.max() * (1 - CHANCE)]
            best = int(good[0])
        chosen.append(best)
        row = inverse @ effects[best]
        inverse -= np.outer(row, row) / (1 + float(effects[best] @ row))
    return chosen


def _effects(codes: Ints) -> Floats:
    """A column of ones, and for each lever one a setting beside the first row's."""
    columns = [np.ones(len(codes))]
    for lever in codes.T:
        columns += [(lever == s).astype(np.float64) for s in np.unique(lever) if s != lever[0]]
    return np.column_stack(columns)
