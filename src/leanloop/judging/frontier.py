"""The frontier of a run table, and what each configuration of it costs and gives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from leanloop.core.errors import BadInputError
from leanloop.judging.run_table import AXES, Common, RunTable
from leanloop.stats.budget import (
    Best,
    CostOfPass,
    best_within,
    cheapest_reaching,
    costs_of_pass,
    hypervolume_interval,
)
from leanloop.stats.frontier import frontier_probability, resampled_means
from leanloop.stats.growth import growth_exponent
from leanloop.stats.interval import Interval, mean_intervals, proportion_interval
from leanloop.stats.repeats import SeedSpread, pass_hat_k, seed_spread

DIRECTIONS = {"success": "max", **dict.fromkeys(AXES, "min")}
NEAR = 30
"""Common tasks below which the reader is warned that little can be shown."""
BARELY = 0.5
"""Share of a configuration's own tasks below which the overlap is called out."""


@dataclass(frozen=True)
class Question:
    """What is asked of a frontier.

    Args:
        objectives: ``success`` and cost axes; success and the first axis that the
            table has when empty.
        seed: Of the resampling.
        min_tasks: Configurations with fewer tasks are left out.
        at_cost: Most mean cost, on the first cost objective, at which the best
            success is asked for; None for not.
        at_success: Least success at which the least cost is asked for.
        reference: Cost of the hypervolume's worst corner; the largest mean
            when None. Its success is 0.
    """

    objectives: tuple[str, ...] = ()
    seed: int = 0
    min_tasks: int = 1
    at_cost: float | None = None
    at_success: float | None = None
    reference: float | None = None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration of the table; None is unknown.

    Attributes:
        configuration: Its name.
        n: Tasks that the figures rest on: those in common.
        own_tasks: Tasks that it was run on in all.
        success: Mean and interval.
        usd: Dollars a task; likewise the other axes.
        p_frontier: Share of the resamples in which it is on the frontier: what
            ``FrontierAnswer.question`` says in words.
        cost_of_pass: Cost of a solved task on the first cost objective.
        growth_exponent: Slope of log tokens on log steps.
        success_within: Success where a run over the bound counts as failed.
        pass_hat_k: ``k`` to the probability that ``k`` runs of a task all succeed.
        seed_spread: How much runs of one task differ in success.
    """

    configuration: str
    n: int
    own_tasks: int
    success: Interval
    usd: Interval | None
    latency_s: Interval | None
    tokens: Interval | None
    tool_calls: Interval | None
    p_frontier: float | None
    cost_of_pass: CostOfPass | None
    growth_exponent: Interval | None
    success_within: Interval | None
    pass_hat_k: dict[int, Interval]
    seed_spread: SeedSpread | None


class Bounded(msgspec.Struct, frozen=True):
    """The best configuration under a bound.

    Attributes:
        axis: What is bounded.
        bound: The bound, inclusive.
        configuration: The best by the means; None when none meets it.
        probability: Share of draws in which that one is the best that meets it.
        met: Share of draws in which any configuration meets it.
        value: The success, or the cost, that is had.
    """

    axis: str
    bound: float
    configuration: str | None
    probability: float | None
    met: float | None
    value: Interval


class Hypervolume(msgspec.Struct, frozen=True):
    """Area between the frontier and a reference, success times the axis's unit."""

    axis: str
    reference: dict[str, float]
    area: Interval


class FrontierAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The frontier of a run table.

    Attributes:
        source: Where the runs are from.
        n_tasks: Tasks that all configurations have.
        dropped_tasks: Tasks left out because some configuration lacks them.
        clusters: Clusters that were resampled whole; None where tasks stand alone.
        objectives: Objective to direction.
        seed: Of the resampling.
        resamples: Draws behind each probability.
        question: What those probabilities are of, in words.
        configurations: Surest first.
        hypervolume: Of success against the first cost objective.
        bounded: Answers to ``at_cost`` and ``at_success``.
        warnings: What the reader must know before believing the rest.
        notes: What was left out or taken as unknown.
    """

    source: str
    n_tasks: int
    dropped_tasks: int
    clusters: int | None
    objectives: dict[str, str]
    seed: int
    resamples: int
    question: str
    configurations: tuple[Standing, ...]
    hypervolume: Hypervolume | None
    bounded: tuple[Bounded, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def frontier_of(table: RunTable, question: Question | None = None) -> FrontierAnswer:
    """Say which configurations of a run table are on the frontier, and how sure that is.

    Raises:
        BadInputError: An objective is not in the table, or nothing is left to judge.
    """
    asked = question or Question()
    objectives = check_objectives(table, asked.objectives)
    counts = table.task_counts()
    names = [c for c in table.configurations if counts[c] >= asked.min_tasks]
    if not names:
        most = max(counts.values())
        raise BadInputError(
            "--min-tasks", f"no configuration has so many tasks; the most is {most}"
        )
    common = table.common(names, asked.seed)
    signs = [1.0 if DIRECTIONS[o] == "max" else -1.0 for o in objectives]
    signed = [s * common.values[o] for s, o in zip(signs, objectives, strict=True)]
    chances = frontier_probability(np.stack(signed, axis=-1), common.sample)
    del signed
    first = next(o for o in objectives if o != "success") if len(objectives) > 1 else None
    groups = [common] if common.tasks else [table.common([name], asked.seed) for name in names]
    chance = dict(zip(names, chances.tolist(), strict=True))
    standings = [
        _standing(figures, at, (chance[figures.names[at]], counts[figures.names[at]]))
        for figures in (_Figures.of(table, group, first) for group in groups)
        for at in range(len(figures.names))
    ]
    ordered = sorted(standings, key=lambda s: (-(s.p_frontier or 0.0), s.configuration))
    area, bounded = _areas(common, first, asked) if first and common.tasks else (None, ())
    return FrontierAnswer(
        source=table.source,
        n_tasks=common.tasks,
        dropped_tasks=common.dropped,
        clusters=common.sample.units.count if common.sample.units.clustered else None,
        objectives={o: DIRECTIONS[o] for o in objectives},
        seed=asked.seed,
        resamples=common.sample.resamples,
        question=_question(common, objectives, asked.seed),
        configurations=tuple(ordered),
        hypervolume=area,
        bounded=bounded,
        warnings=(
            *_overlap(common, counts, names),
            *_few(common),
            *unknown_costs(common, objectives),
        ),
        notes=table.notes,
    )


def _question(common: Common, objectives: Sequence[str], seed: int) -> str:
    apart = "the clusters of these tasks" if common.sample.units.clustered else "these tasks"
    return (
        f'"on the frontier" is the share of {common.sample.resamples:,} resamples of {apart} '
        f"(seed {seed}) in which nothing else is at least as good on {' and '.join(objectives)} "
        "and better on one, by however little"
    )


def check_objectives(table: RunTable, objectives: Sequence[str]) -> tuple[str, ...]:
    """The objectives asked for, or success and the table's first cost axis.

    Raises:
        BadInputError: One is not in the table.
    """
    if not objectives:
        return ("success", *table.axes[:1])
    for name in objectives:
        if name not in ("success", *table.axes):
            has = ", ".join(("success", *table.axes))
            raise BadInputError(
                "--objectives", f"no column {name!r} in {table.source}; it has {has}"
            )
    return tuple(dict.fromkeys(("success", *objectives)))


def unknown_costs(common: Common, objectives: Sequence[str]) -> list[str]:
    """A line for every configuration whose cost is unknown on some task."""
    lines = []
    for name in objectives:
        missing = np.isnan(common.values[name]).sum(axis=1)
        for configuration, count in zip(common.configurations, missing.tolist(), strict=True):
            if count:
                lines.append(
                    f"{name} is unknown on {count:,} of {common.tasks:,} tasks of "
                    f"{configuration}, so its mean is unknown"
                )
    return lines


def figures_of(common: Common, at: int, axis: str) -> Interval:
    """Mean of a cost axis of one configuration."""
    return mean_intervals(common.values[axis][at : at + 1], common.sample)[0]


@dataclass(frozen=True)
class _Figures:
    """Figures of several configurations, made at once because the draws are theirs together."""

    common: Common
    names: tuple[str, ...]
    costs: Mapping[str, Sequence[Interval]]
    passing: Sequence[CostOfPass] | None

    @classmethod
    def of(cls, table: RunTable, common: Common, first: str | None) -> _Figures:
        values, sample = common.values, common.sample
        costs = {a: mean_intervals(values[a], sample) for a in table.axes}
        passing = costs_of_pass(values["success"], values[first], sample) if first else None
        return cls(common, common.configurations, costs, passing)


def _standing(figures: _Figures, at: int, rest: tuple[float, int]) -> Standing:
    chance, own = rest
    common = figures.common
    steps, tokens = common.values["steps"][at], common.values["tokens"][at]
    growth = growth_exponent(steps, tokens, common.sample)
    within = common.values["within"][at]
    asked = bool(common.tasks) and not np.isnan(within).all()
    return Standing(
        configuration=figures.names[at],
        n=common.tasks,
        own_tasks=own,
        success=proportion_interval(common.values["success"][at], common.sample),
        **{a: figures.costs[a][at] if a in figures.costs else None for a in AXES},
        p_frontier=None if math.isnan(chance) else chance,
        cost_of_pass=figures.passing[at] if figures.passing else None,
        growth_exponent=growth if growth.mean is not None else None,
        success_within=proportion_interval(within, common.sample) if asked else None,
        pass_hat_k=_pass_hat_k(common, at),
        seed_spread=_seeds(common, at),
    )


def _pass_hat_k(common: Common, at: int) -> dict[int, Interval]:
    runs = common.runs[at]
    fewest = int(runs.min(initial=math.inf)) if common.tasks else 0
    solved = np.rint(common.values["success"][at] * runs)
    whole = np.allclose(solved, common.values["success"][at] * runs)
    if fewest < 2 or not whole:
        return {}
    return {k: pass_hat_k(runs, solved, k, common.sample) for k in range(1, min(fewest, 8) + 1)}


def _seeds(common: Common, at: int) -> SeedSpread | None:
    if not common.tasks or common.runs[at].max() < 2:
        return None
    return seed_spread(common.runs[at], common.values["success"][at], common.squares[at])


def _areas(
    common: Common, first: str, asked: Question
) -> tuple[Hypervolume | None, tuple[Bounded, ...]]:
    known = np.flatnonzero(np.isfinite(common.values[first]).all(axis=1))
    names = [common.configurations[k] for k in known]
    if not names:
        return None, ()
    values = np.stack([common.values["success"][known], common.values[first][known]], axis=-1)
    means = values.mean(axis=1)
    several = common.sample.units.count > 1
    drawn = resampled_means(values, common.sample) if several else np.zeros((0, *means.shape))
    worst = asked.reference if asked.reference is not None else float(means[:, 1].max())
    area = hypervolume_interval(means, drawn, (0.0, worst))
    found = Hypervolume(first, {"success": 0.0, first: worst}, _sized(area, common.tasks))
    bounded = []
    if asked.at_cost is not None:
        best = best_within(means, drawn, asked.at_cost, common.tasks)
        bounded.append(_bounded(first, asked.at_cost, best, names))
    if asked.at_success is not None:
        best = cheapest_reaching(means, drawn, asked.at_success, common.tasks)
        bounded.append(_bounded("success", asked.at_success, best, names))
    return found, tuple(bounded)


def _bounded(axis: str, bound: float, best: Best, names: Sequence[str]) -> Bounded:
    name = None if best.index is None else names[best.index]
    return Bounded(axis, bound, name, best.probability, best.met, best.value)


def _sized(interval: Interval, n: int) -> Interval:
    return Interval(interval.mean, interval.low, interval.high, n)


def _few(common: Common) -> list[str]:
    """A warning where a bootstrap has little to draw from."""
    units, what = (
        common.sample.units.count,
        "clusters" if common.sample.units.clustered else "tasks",
    )
    if len(common.configurations) < 2 or not 2 <= units < NEAR:
        return []
    return [
        f"{units} {what} are few: the probabilities of being on the frontier are surer than they "
        "should be, and no verdict should rest on them"
    ]


def _overlap(common: Common, counts: Mapping[str, int], names: Sequence[str]) -> list[str]:
    """A warning where the common tasks are few beside what configurations have."""
    most = max(counts[n] for n in names)
    if len(names) < 2 or common.tasks >= BARELY * most:
        return []
    short = sorted((n for n in names if counts[n] < BARELY * most), key=lambda n: counts[n])
    listed = ", ".join(f"{n} ({counts[n]})" for n in short[:3])
    more = f" and {len(short) - 3} more" if len(short) > 3 else ""
    why = f"; {listed}{more} have few" if short else ""
    what = "no task is" if common.tasks == 0 else f"only {common.tasks:,} tasks are"
    rest = (
        "each is shown on its own tasks, which may differ in difficulty, and nothing is said "
        "about the frontier"
        if common.tasks == 0
        else "all figures rest on these alone"
    )
    return [
        f"{what} common to all {len(names)} configurations, of up to {most:,}{why}: {rest}; "
        "--min-tasks or --where leaves configurations out"
    ]
