"""Other ways to search for the frontier of a space whose runs are all there to be looked up.

Each takes the sizes that the peer leaves to its user; the benchmark tries several and keeps the
best, which is more than a user could do, who does not know the truth.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import product

import numpy as np
import optuna

from benchmarks.search_spaces import ZONE, Space
from leanloop.stats.frontier import on_frontier
from leanloop.stats.resampling import Floats, Ints

Z = 1.645
"""Half width of syftr's box in standard errors: a 90% interval."""
BATCH = 10
"""Tasks between two looks of syftr's rule."""
SIZES = (25, 50, 100, 150, 200, 300, 400, 800, 1600, 3200, 6400)
"""Tasks a configuration that are tried."""
SHARES, MANY, SHARES_OF_MANY = (0.25, 0.5, 1.0), 200, (0.1, 0.25)
"""Trials over configurations that are tried; fewer where there are many, as the samplers' own
time grows with the square of their trials. All of them evaluated in full is uniform."""
STALE = 10
"""Known configurations in a row after which a sampler is handed an unknown one: more than it
would do by itself, and nothing is counted for it."""
READINGS = (0.0, 0.5, 1.0)
"""Slacks, in zones of indifference, at which a frontier is read off means."""


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Args:
        means: Objectives of the configurations that it would choose from, larger is better.
        which: Which ones those are.
        runs: Runs that it used.
    """

    means: Floats
    which: Ints
    runs: int

    def read(self, slack: float) -> Ints:
        """The frontier of the means, without members that another is within the slack of."""
        kept = list(np.flatnonzero(on_frontier(self.means)))
        width = slack * np.array(ZONE)
        for i in sorted(kept, key=lambda i: float(-self.means[i, 1])) if slack else ():
            rest = [j for j in kept if j != i]
            lead = self.means[rest] - self.means[i]
            if rest and bool((lead >= -width).all(axis=-1).any()):
                kept.remove(i)
        return self.which[kept]


@dataclass(frozen=True)
class Looks:
    """Means over the first tasks of a space, quickly.

    Args:
        space: It.
    """

    space: Space

    @cached_property
    def _sums(self) -> Floats:
        return np.cumsum(self.space.runs, axis=1)

    @cached_property
    def _squares(self) -> Floats:
        return np.cumsum(self.space.runs**2, axis=1)

    @property
    def count(self) -> int:
        """Configurations."""
        return len(self.space.runs)

    @property
    def tasks(self) -> int:
        """Tasks."""
        return int(self.space.runs.shape[1])

    def means(self, which: Ints, tasks: int) -> Floats:
        """Success and minus the log of cost, shape (which, 2)."""
        found = self._sums[which, tasks - 1] / tasks
        return np.stack([found[:, 0], -np.log(found[:, 1])], axis=-1)

    def box(self, one: int, tasks: int) -> Floats:
        """Best corner of a configuration's confidence box: success up, cost down."""
        mean = self._sums[one, tasks - 1] / tasks
        spread = np.maximum(self._squares[one, tasks - 1] / tasks - mean**2, 0.0)
        half = Z * np.sqrt(spread / tasks)
        cost = max(float(mean[1] - half[1]), 1e-12)
        return np.array([float(mean[0] + half[0]), -np.log(cost)])


def uniform(looks: Looks, tasks: int) -> Found:
    """Every configuration on the same tasks."""
    every = np.arange(looks.count)
    return Found(looks.means(every, tasks), every, looks.count * tasks)


def successive_halving(looks: Looks, tasks: int, rounds: int) -> Found:
    """Tasks doubled and the worse half left out, by non-dominated rank, round after round.

    Jamieson and Talwalkar (2016, AISTATS 51) for one objective; ranks of Deb and others
    (2002), ties by the crowding distance of the same, in the place of its one value.
    """
    which, runs, before = np.arange(looks.count), 0, 0
    for _ in range(rounds):
        runs += len(which) * (tasks - before)
        means = looks.means(which, tasks)
        which = which[_ranked(means)[: max(len(which) // 2, 1)]]
        before, tasks = tasks, min(2 * tasks, looks.tasks)
    runs += len(which) * (tasks - before)
    return Found(looks.means(which, tasks), which, runs)


def optuna_full(looks: Looks, sizes: tuple[int, int], sampler: str, seed: int) -> Found:
    """So many trials of an Optuna sampler, each evaluated in full on so many tasks."""
    trials, tasks = sizes
    tried = []
    asking = _Asking(looks.space, sampler, seed)
    for trial, at in asking.trials(trials):
        tried.append(at)
        means = looks.means(np.array([at]), tasks)[0]
        asking.study.tell(trial, [float(means[0]), float(-means[1])])
    which = np.array(tried)
    return Found(looks.means(which, tasks), which, len(which) * tasks)


def syftr_rule(looks: Looks, trials: int, tasks: int, seed: int) -> Found:
    """Syftr's published pruning rule (arXiv 2505.20266), re-implemented.

    Optuna's TPE; a trial ends when the best corner of its confidence box, not paired with
    anything, is dominated by the frontier of those that were evaluated in full.
    """
    done: list[int] = []
    means = np.zeros((0, 2))
    asking, runs = _Asking(looks.space, "tpe", seed), 0
    for trial, at in asking.trials(trials):
        used = tasks
        for n in range(BATCH, tasks, BATCH):
            corner = looks.box(at, n)
            over, under = (means >= corner).all(axis=1), (means > corner).any(axis=1)
            if bool((over & under).any()):
                used = n
                break
        runs += used
        found = looks.means(np.array([at]), used)[0]
        asking.study.tell(trial, [float(found[0]), float(-found[1])])
        if used == tasks:
            done.append(at)
            means = np.vstack([means, found])
    return Found(means, np.array(done), runs)


@dataclass
class _Asking:
    """New configurations from an Optuna sampler; a known one costs nothing and is skipped."""

    space: Space
    sampler: str
    seed: int
    study: optuna.study.Study = field(init=False)

    def __post_init__(self) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        codes = self.space.codes
        if not codes.shape[1]:
            codes = np.arange(len(self.space.runs))[:, None]
        self._rows = codes.tolist()
        self._place = {tuple(row): i for i, row in enumerate(self._rows)}
        self._levels = [int(c.max()) + 1 for c in codes.T]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler: optuna.samplers.BaseSampler
            if self.sampler == "tpe":
                sampler = optuna.samplers.TPESampler(seed=self.seed, multivariate=True)
            else:
                size = min(50, max(4, len(codes) // 4))
                sampler = optuna.samplers.NSGAIISampler(seed=self.seed, population_size=size)
        self.study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)

    def trials(self, count: int) -> Iterator[tuple[optuna.trial.Trial, int]]:
        """So many trials of configurations that were not tried before."""
        known: dict[int, optuna.trial.FrozenTrial] = {}
        order = np.random.default_rng(self.seed).permutation(len(self._rows)).tolist()
        stale = 0
        while len(known) < min(count, len(self._rows)):
            if stale >= STALE:
                fresh = next(i for i in order if i not in known)
                self.study.enqueue_trial({f"x{i}": v for i, v in enumerate(self._rows[fresh])})
            trial = self.study.ask()
            row = [trial.suggest_int(f"x{i}", 0, n - 1) for i, n in enumerate(self._levels)]
            at = self._place[tuple(row)]
            stale = stale + 1 if at in known else 0
            if at in known:
                self.study.tell(trial, known[at].values)
                continue
            yield trial, at
            known[at] = self.study.trials[trial.number]


def _ranked(means: Floats) -> Ints:
    """Best first: by front, then by crowding distance."""
    left = np.arange(len(means))
    order: list[int] = []
    while len(left):
        front = left[on_frontier(means[left])]
        order += front[np.argsort(-_crowding(means[front]), kind="stable")].tolist()
        left = np.setdiff1d(left, front)
    return np.array(order, dtype=np.intp)


def _crowding(means: Floats) -> Floats:
    total = np.zeros(len(means))
    for column in means.T:
        order = np.argsort(column, kind="stable")
        total[order[[0, -1]]] = np.inf
        width = max(float(np.ptp(column)), 1e-12)
        total[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / width
    return total


@dataclass(frozen=True)
class Peer:
    """A peer with one choice of its sizes.

    Args:
        name: What it is called.
        sizes: What was chosen, for the table.
        search: Looks and a seed to what was found.
    """

    name: str
    sizes: str
    search: Callable[[Looks, int], Found]


def peers(count: int, tasks: int) -> Iterator[Peer]:
    """Every peer with every choice of sizes that is tried.

    Args:
        count: Configurations of the space.
        tasks: Tasks of the space.
    """
    some = [n for n in SIZES if n <= tasks]
    for n in some:
        yield Peer("uniform", f"{n} tasks", partial(_uniform, n))
    for n, rounds in product(some, range(1, 7)):
        if n * 2**rounds <= tasks and count // 2**rounds >= 2:
            name = "successive halving by non-dominated rank"
            yield Peer(name, f"{n} tasks, {rounds} rounds", partial(_halving, n, rounds))
    shares = SHARES if count <= MANY else SHARES_OF_MANY
    for share, n in product(shares, some[-3:]):
        trials = max(2, round(share * count))
        sizes = f"{trials} trials of {n} tasks"
        samplers = (("Optuna TPE", "tpe"), ("Optuna NSGA-II", "nsga2")) if share < 1 else ()
        for title, sampler in samplers:
            search = partial(_optuna, trials, n, sampler)
            yield Peer(f"{title}, full evaluation", sizes, search)
        yield Peer("syftr's pruning rule", sizes, partial(_syftr, trials, n))


def _uniform(tasks: int, looks: Looks, _seed: int) -> Found:
    return uniform(looks, tasks)


def _halving(tasks: int, rounds: int, looks: Looks, _seed: int) -> Found:
    return successive_halving(looks, tasks, rounds)


def _optuna(trials: int, tasks: int, sampler: str, looks: Looks, seed: int) -> Found:
    return optuna_full(looks, (trials, tasks), sampler, seed)


def _syftr(trials: int, tasks: int, looks: Looks, seed: int) -> Found:
    return syftr_rule(looks, trials, tasks, seed)
