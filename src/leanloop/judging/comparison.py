"""One configuration against another on the tasks that both were run on."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from leanloop.core.errors import BadInputError
from leanloop.judging.frontier import NEAR, figures_of, unknown_costs
from leanloop.judging.run_table import AXES, Common, RunTable
from leanloop.stats.comparison import (
    Outcome,
    judge,
    mcnemar,
    not_worse,
    paired_difference,
    paired_ratio,
    paired_standard_error,
    say,
    tasks_to_show_cheaper,
    tasks_to_show_not_worse,
)
from leanloop.stats.interval import Interval, proportion_interval

NOUNS = {"usd": "dollars", "latency_s": "seconds", "tokens": "tokens", "tool_calls": "tool calls"}


@dataclass(frozen=True)
class Terms:
    """On what terms two configurations are compared.

    Args:
        margin: Success that may be lost before it counts as worse.
        cost: The axis that decides between cheaper and dearer; the table's first
            when None.
        seed: Of the resampling.
        margin_from: Who says the margin, in a few words; empty for nobody in particular.
    """

    margin: float = 0.02
    cost: str | None = None
    seed: int = 0
    margin_from: str = ""


class SuccessPair(msgspec.Struct, frozen=True, kw_only=True):
    """Success of both, and the paired difference of the second from the first.

    Attributes:
        a: The first.
        b: The second.
        difference: ``b - a``; None without a common task.
        low: Lower end of its 95% interval.
        high: Upper end.
        non_inferior: Whether the interval lies above minus the margin.
        standard_error: Of the difference, paired by task.
        mcnemar_p: Exact p value that both solve alike; None unless every score is 0 or 1.
        tasks_needed: Tasks with which "not worse" would be shown four times in
            five; None where it is shown, or none would do.
    """

    a: Interval
    b: Interval
    difference: float | None
    low: float | None
    high: float | None
    non_inferior: bool
    standard_error: float | None
    mcnemar_p: float | None
    tasks_needed: int | None


class CostPair(msgspec.Struct, frozen=True, kw_only=True):
    """A cost of both, and the paired ratio of the second's mean to the first's.

    Attributes:
        a: Mean of the first.
        b: Mean of the second.
        ratio: ``b / a``; None when unknown.
        low: Lower end of its 95% interval.
        high: Upper end; None when unknown or without limit.
        tasks_needed: Tasks with which it would be shown lower or higher four
            times in five; None where it is shown.
        on_failed_a: Share of the first's cost that went into tasks it failed, scores
            between 0 and 1 counted in part.
        on_failed_b: The same of the second.
    """

    a: Interval
    b: Interval
    ratio: float | None
    low: float | None
    high: float | None
    tasks_needed: int | None
    on_failed_a: float | None
    on_failed_b: float | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What the runs show of one configuration against another.

    Attributes:
        a: The first: what is compared with.
        b: The second: what is judged.
        n_tasks: Tasks that both have.
        dropped_tasks: Tasks that only one has.
        clusters: Clusters that depend on each other inside; None without.
        margin: Success that may be lost before it counts as worse.
        margin_from: Who says so, in a few words; empty for nobody in particular.
        success: Of both, paired.
        usd: Dollars, paired; None where the table has none. Likewise the others.
        cost: The axis that decides.
        verdict: What is shown.
        sentence: The same with what stands behind it or is missing.
        warnings: What the reader must know first.
        notes: What was left out or taken as unknown.
    """

    a: str
    b: str
    n_tasks: int
    dropped_tasks: int
    clusters: int | None
    margin: float
    margin_from: str = ""
    success: SuccessPair
    usd: CostPair | None
    latency_s: CostPair | None
    tokens: CostPair | None
    tool_calls: CostPair | None
    cost: str | None
    verdict: Outcome
    sentence: str
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def said_margin(self) -> str:
        """The margin in words, with who says it."""
        points = f"{100 * self.margin:g} points"
        return f"{points}, {self.margin_from}" if self.margin_from else points

    def costs(self) -> dict[str, CostPair]:
        """Axis to its figures, those that the table has."""
        pairs = {a: getattr(self, a) for a in AXES}
        return {a: p for a, p in pairs.items() if p is not None}


def compare(table: RunTable, a: str, b: str, terms: Terms | None = None) -> Comparison:
    """Compare two configurations of a run table, paired by task.

    Args:
        table: The runs.
        a: What is compared with.
        b: What is judged.
        terms: On what terms.

    Raises:
        BadInputError: A configuration or an axis is not in the table.
    """
    asked = terms or Terms()
    axis = asked.cost or (table.axes[0] if table.axes else None)
    if axis is not None and axis not in table.axes:
        has = ", ".join(table.axes) or "none"
        raise BadInputError("--cost", f"no column {axis!r} in {table.source}; it has {has}")
    first, second = table.find(a, "--a"), table.find(b, "--b")
    if first == second:
        raise BadInputError("--b", f"{second!r} is what it is to be compared with")
    common = table.common([first, second], asked.seed)
    success, interval = _success(common, asked.margin)
    pairs = {x: _cost(common, x) if x in table.axes else None for x in AXES}
    deciding = pairs[axis] if axis else None
    ratio = _ratio(deciding, common.tasks)
    return Comparison(
        a=first,
        b=second,
        n_tasks=common.tasks,
        dropped_tasks=common.dropped,
        clusters=common.sample.units.count if common.sample.units.clustered else None,
        margin=asked.margin,
        margin_from=asked.margin_from,
        success=success,
        **pairs,
        cost=axis,
        verdict=judge(interval, ratio, asked.margin),
        sentence=say(interval, ratio, asked.margin, NOUNS[axis] if axis else "cost"),
        warnings=(*_warnings(common), *unknown_costs(common, table.axes)),
        notes=table.notes,
    )


def _success(common: Common, margin: float) -> tuple[SuccessPair, Interval]:
    a, b = common.values["success"]
    difference = paired_difference(a, b, common.sample)
    error = paired_standard_error(a, b, common.sample)
    shown = not_worse(difference, margin)
    needed = None if shown else tasks_to_show_not_worse(difference, error, margin)
    pair = SuccessPair(
        a=proportion_interval(a, common.sample),
        b=proportion_interval(b, common.sample),
        difference=difference.mean,
        low=difference.low,
        high=difference.high,
        non_inferior=shown,
        standard_error=error,
        mcnemar_p=mcnemar(a, b),
        tasks_needed=needed,
    )
    return pair, difference


def _cost(common: Common, axis: str) -> CostPair:
    a, b = common.values[axis]
    ratio = paired_ratio(a, b, common.sample)
    shown = (ratio.high is not None and ratio.high < 1) or (ratio.low or 0.0) > 1
    return CostPair(
        a=figures_of(common, 0, axis),
        b=figures_of(common, 1, axis),
        ratio=ratio.mean,
        low=ratio.low,
        high=ratio.high,
        tasks_needed=None if shown else tasks_to_show_cheaper(ratio),
        on_failed_a=_on_failed(common, 0, axis),
        on_failed_b=_on_failed(common, 1, axis),
    )


def _on_failed(common: Common, at: int, axis: str) -> float | None:
    cost, success = common.values[axis][at], common.values["success"][at]
    total = float(cost.sum())
    if not np.isfinite(total) or total <= 0:
        return None
    return float((cost * (1 - success)).sum()) / total


def _ratio(pair: CostPair | None, n: int) -> Interval:
    if pair is None:
        return Interval(None, None, None, n)
    return Interval(pair.ratio, pair.low, pair.high, n)


def _warnings(common: Common) -> list[str]:
    n, dropped = common.tasks, common.dropped
    if n == 0:
        return [f"no common task ({dropped:,} that only one of them has): nothing can be paired"]
    if dropped > n:
        return [f"only {n:,} common tasks; {dropped:,} that only one of them has are left out"]
    if n < NEAR:
        return [f"{n:,} common tasks are few: only large differences can be shown"]
    return []
