"""Says whose runs to buy next: those on which membership of the frontier hangs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from leanloop.stats.evidence import log_cost_evidence, paired_evidence
from leanloop.stats.frontier import Bools
from leanloop.stats.pareto_set import ParetoSet, choose_set
from leanloop.stats.resampling import Floats, Ints
from leanloop.stats.surrogate import Posterior, Surrogate

DRAWS = 200
"""Draws of the posterior by which the next runs are chosen."""
SURE_DRAWS = 800
"""Fresh draws that must agree before the frontier is called settled: the least of many noisy
looks at the same draws is too good to be true."""
WIDTH = 8
"""Configurations that get runs in a round; fewer would leave new tasks unpaired."""
GROWTH = 0.03
"""Runs of a round over the runs so far, so that the work of all rounds grows linearly."""
DOUBTS = 40
"""Doubts that a round looks at."""
GUESSES = {True: 0.5, False: 0.15}
"""Variance of a run, difficulty left out: of a cost over its mean, and of success."""


@dataclass(frozen=True)
class Goal:
    """An objective of the allocation.

    Args:
        is_cost: Whether smaller is better, and ratios are compared.
        zone: What counts as no difference: points of success, or a log ratio.
    """

    is_cost: bool
    zone: float


@dataclass(frozen=True)
class Allocation:
    """What to do next.

    Args:
        found: The frontier as it stands.
        settled: Whether that is right with the asked confidence, for the second round
            in a row.
        more: Configurations that should get runs, and how many each.
        helps: Probability that something beats the baseline: no more than the zone
            worse on any objective, and more than it better on one.
    """

    found: ParetoSet
    settled: bool
    more: tuple[tuple[int, int], ...]
    helps: float


@dataclass
class MembershipAllocator:
    """Buys the runs that tell most about who is on the frontier, and knows when to stop.

    A Gaussian process carries what was seen over to configurations that share
    settings; draws from it say which sets of configurations may be the frontier,
    and on which comparisons that hangs; those configurations get runs whose results would
    tell most about these comparisons (expected fall in variance).

    Args:
        settings: Codes of the setting of each lever, shape (configurations, levers).
            The first configuration is the baseline.
        goals: The objectives.
        seed: Of the draws.
        level: Probability that the frontier is wrong at which it counts as settled.
        block: Fewest runs that a configuration gets at a time.
        tasks: Tasks that there are in all, where their means are what is asked about.
    """

    settings: Ints
    goals: Sequence[Goal]
    seed: int
    level: float = 0.05
    block: int = 8
    tasks: int | None = None
    _surrogates: list[Surrogate] = field(init=False)
    _normals: Floats = field(init=False)
    _sure: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        self._surrogates = [Surrogate(self.settings, g.zone) for g in self.goals]
        self._rng = np.random.default_rng(self.seed)
        self._normals = self._normal(DRAWS)
        self._zone = np.array([g.zone for g in self.goals])

    def next(
        self, seen: Ints, values: Floats, open_: Bools, weights: Floats | None = None
    ) -> Allocation:
        """What to do next.

        Args:
            seen: Configurations that have runs.
            values: Theirs, shape (seen, tasks, objectives), costs as they are; NaN
                where there is no run or a cost is unknown.
            open_: Which configurations can be given runs, shape (configurations,).
            weights: What a run of each configuration costs, in the currency of the
                budget, shape (configurations,); all alike when None.
        """
        runs = _runs(values)
        beliefs, noise = self._believe(seen, values, runs)
        found, helps = self._look(beliefs, self._normals)
        sure: tuple[int, ...] | None = None
        if found.wrong <= self.level:
            found, helps = self._look(beliefs, self._normal(SURE_DRAWS))
            if found.wrong <= self.level and np.isin(found.members, seen).all():
                sure = tuple(found.members.tolist())
        settled, self._sure = sure is not None and sure == self._sure, sure
        worth = self._worth(found, beliefs, noise) / (1.0 if weights is None else weights)
        return Allocation(found, settled, self._share(worth, open_, runs), helps)

    def judge(self, seen: Ints, values: Floats, draws: int = 2000) -> Allocation:
        """The frontier as it stands, by more draws and among configurations that have runs.

        Args:
            seen: As in ``next``; all configurations.
            values: As in ``next``.
            draws: How many.
        """
        beliefs, _ = self._believe(seen, values, _runs(values))
        rng = np.random.default_rng(self.seed)
        normals = rng.normal(size=(len(self.goals), draws, len(self.settings)))
        found, helps = self._look(beliefs, normals, chances=True)
        return Allocation(found, found.wrong <= self.level, (), helps)

    def _normal(self, draws: int) -> Floats:
        return self._rng.normal(size=(len(self.goals), draws, len(self.settings)))

    def _believe(
        self, seen: Ints, values: Floats, runs: int
    ) -> tuple[list[Posterior], list[float]]:
        beliefs, noise = [], []
        for at, (goal, surrogate) in enumerate(zip(self.goals, self._surrogates, strict=True)):
            column = values[..., at]
            known = ~np.isnan(column).all(axis=1)
            read = log_cost_evidence if goal.is_cost else paired_evidence
            evidence = read(column[known], GUESSES[goal.is_cost], self.tasks)
            beliefs.append(surrogate.posterior(evidence, seen[known], runs))
            noise.append(float(np.median(evidence.variance)))
        return beliefs, noise

    def _look(
        self, beliefs: Sequence[Posterior], normals: Floats, *, chances: bool = False
    ) -> tuple[ParetoSet, float]:
        """The frontier by these draws, and the chance that something beats the baseline."""
        signs = [-1.0 if g.is_cost else 1.0 for g in self.goals]
        drawn = [s * b.draw(n) for s, b, n in zip(signs, beliefs, normals, strict=True)]
        draws = np.stack(drawn, axis=-1)
        means = np.stack([s * b.mean for s, b in zip(signs, beliefs, strict=True)], axis=-1)
        found = choose_set(draws, means, self._zone, chances=chances)
        lead: Floats = draws[:, found.candidates] - draws[:, :1]
        no_worse, better = (lead >= -self._zone).all(axis=-1), (lead > self._zone).any(axis=-1)
        return found, float(np.any(no_worse & better, axis=1).mean())

    def _worth(
        self, found: ParetoSet, beliefs: Sequence[Posterior], noise: Sequence[float]
    ) -> Floats:
        """How much a block of runs of each configuration is expected to tell about the doubts."""
        worth = np.zeros(len(self.settings))
        for doubt in found.doubts[:DOUBTS]:
            for belief, variance, goal in zip(beliefs, noise, self.goals, strict=True):
                if doubt.one == doubt.other:
                    shared = belief.covariance[doubt.one]
                else:
                    shared = belief.covariance[doubt.one] - belief.covariance[doubt.other]
                told = shared**2 / (np.diag(belief.covariance) + variance / self.block)
                worth += doubt.chance * told / goal.zone**2
        return worth

    def _share(self, worth: Floats, open_: Bools, runs: int) -> tuple[tuple[int, int], ...]:
        worth = np.where(open_, worth, 0.0)
        if not worth.any():
            worth = np.where(open_, 1.0, 0.0)
        order = np.argsort(-worth, kind="stable")[:WIDTH]
        best = [int(i) for i in order if worth[i] > 0.05 * worth.max()]
        if not best:
            return ()
        size = max(WIDTH * self.block, int(GROWTH * runs))
        return tuple((i, max(self.block, size // len(best))) for i in best)


def _runs(values: Floats) -> int:
    return int((~np.isnan(values)).any(axis=-1).sum())


@dataclass
class UniformAllocator(MembershipAllocator):
    """Gives everyone the next block: the plain way, to compare with; it stops as well."""

    def _share(self, worth: Floats, open_: Bools, runs: int) -> tuple[tuple[int, int], ...]:
        del worth, runs
        return tuple((int(i), self.block) for i in np.flatnonzero(open_))
