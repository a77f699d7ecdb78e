"""Coverage study: do 95% intervals hold the truth in 95 of 100 samples, and are verdicts honest?

Samples are drawn from planted populations whose truth is known: tasks of shared difficulty,
costs with a long tail that failures make longer, configurations that tie on the frontier, with and
without clusters of tasks. Run it with ``python -m benchmarks.coverage [--samples 1000]``.
"""

from __future__ import annotations

import argparse
import json
import math
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from leanloop.stats.attribution import cost_effect, shapley_contrasts, success_effect
from leanloop.stats.budget import CostOfPass, costs_of_pass
from leanloop.stats.comparison import Outcome, judge, paired_difference, paired_ratio
from leanloop.stats.interval import Interval, mean_intervals, proportion_interval
from leanloop.stats.resampling import Floats, Sample, sample_of

MARGIN = 0.05
NEXT_TO_NOTHING = 1e-6


@dataclass(frozen=True)
class Population:
    """Where tasks come from.

    Args:
        name: For the table.
        configurations: How many; the second is worse than the first by exactly
            the margin and cheaper, the fourth is the third's twin.
        tasks: In a sample.
        clusters: In a sample, of unequal size; 0 for none.
        tail: Standard deviation of the logarithm of a cost.
        shared: How much of a task's difficulty is its cluster's.
        free: Of the runs, the share that cost next to nothing, as those by a plan do.
    """

    name: str
    configurations: int
    tasks: int
    clusters: int = 0
    tail: float = 1.0
    shared: float = 0.3
    free: float = 0.0


POPULATIONS = (
    Population("5 configurations, 30 tasks", 5, 30),
    Population("10 configurations, 100 tasks", 10, 100),
    Population("40 configurations, 100 tasks, longer tail", 40, 100, tail=1.3),
    Population("10 configurations, 500 tasks", 10, 500),
    Population("20 configurations, 500 tasks, longer tail", 20, 500, tail=1.3),
    Population("5 configurations, 200 tasks in 20 clusters", 5, 200, clusters=20),
    Population("10 configurations, 500 tasks in 50 clusters", 10, 500, clusters=50),
    Population("5 configurations, 20 tasks, half nearly free", 5, 20, free=0.5),
    Population("5 configurations, 60 tasks, 8 in 10 nearly free", 5, 60, free=0.8),
    Population("5 configurations, 140 tasks, 19 in 20 nearly free", 5, 140, free=0.95),
)


@dataclass(frozen=True)
class Truth:
    """Means over the whole population, one a configuration."""

    success: Floats
    cost: Floats


def planted(population: Population) -> tuple[Floats, Floats]:
    """Chance of success and scale of cost of every configuration."""
    rng = np.random.default_rng(population.configurations)
    others = population.configurations - 4
    chances = np.concatenate([[0.6, 0.6 - MARGIN, 0.4, 0.4], rng.uniform(0.1, 0.9, others)])
    scales = np.concatenate([[1.0, 0.5, 0.3, 0.3], np.exp(rng.uniform(-2, 1, others))])
    return chances, scales


def chances_at(chances: Floats, hard: Floats) -> Floats:
    """Chance on tasks of a difficulty: an odd swing about the planted one, which stays the mean."""
    swing = 0.8 * np.minimum(chances, 1 - chances)
    return np.asarray(chances[:, None] - swing[:, None] * np.tanh(hard)[None, :])


def truth(population: Population) -> Truth:
    """Exact means: of success as planted, of cost by Gauss-Hermite quadrature over difficulty."""
    chances, scales = planted(population)
    nodes, weights = np.polynomial.hermite_e.hermegauss(81)
    weights = weights / weights.sum()
    at = chances_at(chances, nodes)
    own = math.exp((0.6 * population.tail) ** 2 / 2)
    cost = own * (np.exp(0.8 * population.tail * nodes) * (2 - at)) @ weights
    paid = 1 - population.free * (1 - NEXT_TO_NOTHING)
    return Truth(chances, scales * cost * paid)


def draw(population: Population, rng: np.random.Generator) -> tuple[Floats, Floats, Sample]:
    """A sample: success and cost, shape (configurations, tasks), and its clusters."""
    tasks = population.tasks
    hard = rng.normal(size=tasks)
    clusters = None
    if population.clusters:
        sizes = rng.dirichlet(np.full(population.clusters, 2.0))
        clusters = rng.choice(population.clusters, size=tasks, p=sizes)
        common = rng.normal(size=population.clusters)[clusters]
        hard = math.sqrt(population.shared) * common + math.sqrt(1 - population.shared) * hard
    chances, scales = planted(population)
    luck = rng.random((len(chances), tasks))
    success = (chances_at(chances, hard) > luck).astype(np.float64)
    noise = 0.6 * rng.normal(size=success.shape) + 0.8 * hard
    cost = scales[:, None] * np.exp(population.tail * noise) * (2 - success)
    if population.free:
        cost = np.where(rng.random(cost.shape) < population.free, NEXT_TO_NOTHING * cost, cost)
    return success, cost, sample_of(tasks, clusters)


@dataclass
class Count:
    """Intervals that were too high, too low, or held the truth."""

    below: int = 0
    above: int = 0
    held: int = 0

    def add(self, interval: Interval | CostOfPass, true: float) -> None:
        """Count one."""
        low = -math.inf if interval.low is None else interval.low
        high = math.inf if interval.high is None else interval.high
        if true < low:
            self.below += 1
        elif true > high:
            self.above += 1
        else:
            self.held += 1

    def merge(self, other: Count) -> None:
        """Add another's."""
        self.below += other.below
        self.above += other.above
        self.held += other.held

    @property
    def total(self) -> int:
        """All of them."""
        return self.below + self.above + self.held


KINDS = (
    "success",
    "cost",
    "difference of success",
    "ratio of cost",
    "cost of pass",
    "Shapley value of success",
    "Shapley value of cost",
)
CELLS = np.array([[False, False], [True, False], [False, True], [True, True]])


def one_sample(population: Population, seed: int) -> tuple[dict[str, Count], int]:
    """Every interval of one sample, and whether the planted loser was called not worse."""
    true = truth(population)
    success, cost, sample = draw(population, np.random.default_rng(seed))
    counts = {kind: Count() for kind in KINDS}
    means, passes = mean_intervals(cost, sample), costs_of_pass(success, cost, sample)
    for i, (p, c) in enumerate(zip(true.success, true.cost, strict=True)):
        counts["success"].add(proportion_interval(success[i], sample), p)
        counts["cost"].add(means[i], c)
        counts["cost of pass"].add(passes[i], c / p)
        if i:
            difference = paired_difference(success[0], success[i], sample)
            counts["difference of success"].add(difference, p - true.success[0])
            ratio = paired_ratio(cost[0], cost[i], sample)
            counts["ratio of cost"].add(ratio, c / true.cost[0])
    for contrast in shapley_contrasts(CELLS):
        if contrast.weights is not None:
            effect = success_effect(contrast, success[:4], sample)
            counts[KINDS[5]].add(effect, float(contrast.weights @ true.success[:4]))
            factor = cost_effect(contrast, cost[:4], sample)
            counts[KINDS[6]].add(factor, math.exp(contrast.weights @ np.log(true.cost[:4])))
    loser = paired_difference(success[0], success[1], sample)
    called = judge(loser, paired_ratio(cost[0], cost[1], sample), MARGIN)
    return counts, int(called is Outcome.CHEAPER)


def study(population: Population, samples: int) -> dict[str, object]:
    """Coverage of every kind of interval, and false "not worse" verdicts."""
    counts = {kind: Count() for kind in KINDS}
    false = 0
    with ProcessPoolExecutor() as pool:
        jobs = pool.map(one_sample, [population] * samples, range(samples), chunksize=20)
        for found, wrong in jobs:
            false += wrong
            for kind in KINDS:
                counts[kind].merge(found[kind])
    return {
        "population": population.name,
        "samples": samples,
        "false_not_worse": false / samples,
        "coverage": {k: c.held / c.total for k, c in counts.items()},
        "too_high": {k: c.below / c.total for k, c in counts.items()},
        "too_low": {k: c.above / c.total for k, c in counts.items()},
    }


def main() -> None:
    """Print one JSON line a population, then the table of the docs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--only", default="", help="Populations whose name has this in it.")
    options = parser.parse_args()
    rows = []
    for population in POPULATIONS:
        if options.only in population.name:
            rows.append(study(population, options.samples))
            print(json.dumps(rows[-1]), flush=True)
    print("\n| population | " + " | ".join(KINDS) + ' | false "not worse" |')
    print("|---" * (len(KINDS) + 2) + "|")
    for row in rows:
        coverage: dict[str, float] = row["coverage"]  # type: ignore[assignment]
        cells = [f"{100 * coverage[k]:.1f}" for k in KINDS]
        print(f"| {row['population']} | {' | '.join(cells)} | {100 * row['false_not_worse']:.1f} |")  # type: ignore[operator]


if __name__ == "__main__":
    main()
