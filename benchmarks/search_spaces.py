"""Spaces of configurations whose truth is known, to try searches on without a model."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np

from leanloop.stats.pareto_set import is_right
from leanloop.stats.resampling import Floats, Ints

ZONE = (0.02, float(np.log(1.05)))
"""What counts as no difference: points of success, and a share of the cost as a log ratio."""


@dataclass(frozen=True)
class Space:
    """Configurations, what they truly are, and runs of them.

    Args:
        codes: Setting of each lever, shape (configurations, levers); no column where
            configurations are not made of levers. The first row is the baseline.
        success: True success, shape (configurations,).
        log_cost: Log of the true mean cost.
        runs: Outcome and cost of every run, shape (configurations, tasks, 2).
        finite: Whether the tasks are all that there are, so that their means are the truth.
    """

    codes: Ints
    success: Floats
    log_cost: Floats
    runs: Floats
    finite: bool = False

    def right(self, chosen: Ints) -> bool:
        """Whether a set of configurations is the frontier, up to the zone."""
        truth = np.stack([self.success, -self.log_cost], axis=-1)
        return is_right(chosen, truth, np.array(ZONE))


def interactions(seed: int, tasks: int) -> Space:
    """Six levers of three settings, 729 configurations; pairs of levers interact."""
    return _levers(seed, tasks, Shape((3,) * 6))


def one_model(seed: int, tasks: int) -> Space:
    """A model lever that outweighs four structural ones, 108 configurations."""
    return _levers(seed, tasks, Shape((4, 3, 3, 3), model=True))


def nothing_helps(seed: int, tasks: int) -> Space:
    """Four levers of three settings, 81 configurations, each lever dearer or worse than off."""
    return _levers(seed, tasks, Shape((3,) * 4, harm=True))


@dataclass(frozen=True)
class Shape:
    """What a generated space looks like.

    Args:
        levels: Settings of each lever.
        model: Whether the first lever is a model: cheap and weak to dear and strong.
        harm: Whether no setting does anything but harm.
    """

    levels: tuple[int, ...]
    model: bool = False
    harm: bool = False


def _levers(seed: int, tasks: int, shape: Shape) -> Space:
    rng = np.random.default_rng(seed)
    codes = np.array(list(itertools.product(*map(range, shape.levels))), dtype=np.intp)
    success = 0.6 + _effects(rng, codes, (-0.01, 0.03))
    log_cost = _effects(rng, codes, (-0.08, 0.15))
    if shape.harm:
        alone = [np.abs(rng.normal(0, 0.04, n)) for n in shape.levels]
        dearer = [np.abs(rng.normal(0, 0.15, n)) for n in shape.levels]
        for effects in (*alone, *dearer):
            effects[0] = 0
        success = 0.6 - np.sum([e[codes[:, i]] for i, e in enumerate(alone)], axis=0)
        log_cost = np.sum([e[codes[:, i]] for i, e in enumerate(dearer)], axis=0)
    if shape.model:
        success = success + np.array([0.0, -0.12, -0.24, 0.1])[codes[:, 0]]
        log_cost = log_cost + np.array([0.0, -1.0, -2.2, 1.0])[codes[:, 0]]
    success = np.clip(success, 0.03, 0.97)
    return Space(codes, success, log_cost, _draw(rng, success, log_cost, tasks))


def _effects(rng: np.random.Generator, codes: Ints, usual: tuple[float, float]) -> Floats:
    """Each setting's effect, pairs at 0.4 of that size and single configurations at 0.1."""
    centre, spread = usual
    total = rng.normal(0, 0.1 * spread, len(codes))
    levers = codes.shape[1]
    for i in range(levers):
        own = rng.normal(centre, spread, int(codes[:, i].max()) + 1)
        own[0] = 0
        total += own[codes[:, i]]
    for i, j in itertools.combinations(range(levers), 2):
        size = (int(codes[:, i].max()) + 1, int(codes[:, j].max()) + 1)
        pair = rng.normal(0, 0.4 * spread, size)
        pair[0], pair[:, 0] = 0, 0
        total += pair[codes[:, i], codes[:, j]]
    return np.asarray(total - total[0])


def _draw(rng: np.random.Generator, success: Floats, log_cost: Floats, tasks: int) -> Floats:
    """Runs that share the task's difficulty and size about as the recorded agents' do."""
    shared = rng.standard_normal((2, tasks))
    own = rng.standard_normal((2, len(success), tasks))
    mixed = np.sqrt(0.75) * shared[:, None] + np.sqrt(0.25) * own
    bar = np.array([NormalDist().inv_cdf(p) for p in success])
    solved = mixed[0] < bar[:, None]
    spread = 0.8
    cost = np.exp(log_cost[:, None] + spread * mixed[1] - spread**2 / 2)
    return np.stack([solved, cost], axis=-1).astype(np.float64)


def recorded(path: Path) -> Callable[[int, int], Space]:
    """The configurations of a recorded table that have the most tasks, their tasks reshuffled."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    table: dict[str, dict[str, tuple[float, float]]] = {}
    for row in rows:
        cost = float(row["cost"]) + float(row["summary_cost"] or 0)
        own = table.setdefault(row["experiment"], {})
        own[row["instance_id"]] = (float(row["outcome"]), cost)
    most = max(map(len, table.values()))
    kept = {c: own for c, own in sorted(table.items()) if len(own) > most / 2}
    common = sorted(set.intersection(*(set(own) for own in kept.values())))
    runs = np.array([[own[t] for t in common] for own in kept.values()])
    codes = np.zeros((len(runs), 0), dtype=np.intp)
    means = runs.mean(axis=1)

    def shuffled(seed: int, _tasks: int) -> Space:
        order = np.random.default_rng(seed).permutation(len(common))
        return Space(codes, means[:, 0], np.log(means[:, 1]), runs[:, order], finite=True)

    return shuffled
