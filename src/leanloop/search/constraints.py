"""What a configuration must keep to, beside the objectives: bounds on a mean or a quantile."""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError
from leanloop.pricing.cost import AXES
from leanloop.search.runtable import COLUMNS, RunTable
from leanloop.stats.interval import mean_spread
from leanloop.stats.resampling import Floats, sample_of
from leanloop.stats.sequence import lower_bound
from leanloop.stats.student import t_quantile

PATTERN = re.compile(
    r"(?:(?P<statistic>mean|p\d{1,2}(?:\.\d+)?) )?(?P<axis>\w+) (?P<side><=|>=) "
    r"(?:baseline(?: (?P<change>[-+*]) (?P<amount>[\d.eE]+))?|(?P<bound>[\d.eE-]+))"
)
EXAMPLES = "such as 'success >= baseline - 0.02', 'p95 latency_s <= 20' or 'usd <= baseline * 0.5'"
IMAGINED = 2.0
"""Squares added to those of indicators and successes, so that tasks that all went alike do not
look certain: two imagined tasks, one to each side."""


@dataclass(frozen=True)
class Constraint:
    """A bound that a configuration must keep to.

    Args:
        text: As the user wrote it.
        axis: ``success`` or a cost axis.
        at_most: Whether it is an upper bound.
        share: Of the tasks that must keep to it, for a quantile; None for a mean.
        bound: The bound, where it is a number; else what is added to the baseline's mean.
        factor: Of the baseline's mean; 0 where the bound is a number.
    """

    text: str
    axis: str
    at_most: bool
    share: float | None
    bound: float
    factor: float

    def excess(self, own: Floats, baseline: Floats) -> Floats:
        """By how much each task breaks it; it is broken where the mean is above zero.

        Args:
            own: The axis' values of the configuration, shape (tasks,).
            baseline: The baseline's on the same tasks.
        """
        over = own - self.bound
        if self.factor:
            over = over - self.factor * baseline
        over = over if self.at_most else -over
        if self.share is None:
            return over
        return np.where(np.isnan(over), np.nan, (over > 0) - (1 - self.share))


def read_constraint(text: str, where: str) -> Constraint:
    """The constraint that a text says.

    Raises:
        BadInputError: It cannot be read.
    """
    match = PATTERN.fullmatch(" ".join(text.split()))
    if match is None:
        raise BadInputError(where, f"{text!r} cannot be read; write {EXAMPLES}")
    axis, statistic, change = match["axis"], match["statistic"] or "mean", match["change"]
    if axis not in ("success", *AXES):
        raise BadInputError(where, f"no such axis {axis!r}; success, {', '.join(AXES)}")
    amount = _number(match["amount"] or match["bound"] or "0", text, where)
    factor = 0.0 if match["bound"] else 1.0
    bound = amount if change != "-" else -amount
    if change == "*":
        factor, bound = amount, 0.0
    share = None
    if statistic != "mean":
        share = float(statistic[1:]) / 100
        if factor or axis == "success" or match["side"] == ">=" or not 0 < share < 1:
            raise BadInputError(where, f"{text!r}: a quantile takes a cost axis, <= and a number")
    return Constraint(text, axis, match["side"] == "<=", share, bound, factor)


def _number(written: str, text: str, where: str) -> float:
    try:
        value = float(written)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInputError(where, f"{text!r}: {written!r} is no number; write {EXAMPLES}")
    return value


class Kept(enum.StrEnum):
    """Whether a constraint is kept to."""

    SHOWN = "shown"
    NOT_SHOWN = "not shown"
    BROKEN = "broken"


class Check(msgspec.Struct, frozen=True):
    """A constraint held against a configuration's runs.

    Attributes:
        constraint: As the user wrote it.
        kept: Whether it is shown to be kept to or broken, at 97.5% each.
        excess: Mean by which it is broken, negative where it is kept to, in the
            axis' unit; for a quantile, in the share of tasks above the bound; None
            when unknown.
        low: Lower end of its 95% interval.
        high: Upper end.
        n: Tasks.
        split: Split of the tasks: ``search`` or ``holdout``.
    """

    constraint: str
    kept: Kept
    excess: float | None
    low: float | None
    high: float | None
    n: int
    split: Literal["search", "holdout"]


@dataclass(frozen=True)
class Constraints:
    """The constraints of a study, with the baseline that some of them go by.

    Args:
        every: The constraints.
        baseline: The baseline.
    """

    every: Sequence[Constraint]
    baseline: Configuration

    def broken(self, table: RunTable, configuration: Configuration, alpha: float) -> str | None:
        """The first constraint that is shown broken, however often one looks.

        Args:
            table: Where the runs are.
            configuration: Whose.
            alpha: Chance that this is ever said wrongly of it.
        """
        for constraint in self.every:
            values = self._excess(table, configuration, constraint)
            each = alpha / len(self.every)
            if lower_bound(values, each, prior=_prior(constraint)) > 0:
                return constraint.text
        return None

    def looks_kept(self, table: RunTable, configuration: Configuration) -> bool:
        """Whether no constraint is broken by what was seen; unknown values break none."""
        means = (_mean(self._excess(table, configuration, c)) for c in self.every)
        return not any(mean > 0 for mean in means)

    def check(
        self, table: RunTable, configuration: Configuration, split: Literal["search", "holdout"]
    ) -> tuple[Check, ...]:
        """Every constraint held against a configuration's runs."""
        return tuple(_checked(c, self._excess(table, configuration, c), split) for c in self.every)

    def _excess(
        self, table: RunTable, configuration: Configuration, constraint: Constraint
    ) -> Floats:
        pair = [configuration, self.baseline] if constraint.factor else [configuration]
        tasks = table.common(pair)
        column = COLUMNS.index(constraint.axis)
        own = table.values(configuration, tasks)[:, column]
        if not constraint.factor:
            return constraint.excess(own, own)
        return constraint.excess(own, table.values(self.baseline, tasks)[:, column])


def all_shown(checks: Iterable[Check]) -> bool:
    """Whether every constraint is shown to be kept to."""
    return all(check.kept is Kept.SHOWN for check in checks)


def _prior(constraint: Constraint) -> float:
    return IMAGINED if constraint.share is not None or constraint.axis == "success" else 0.0


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan


def _checked(constraint: Constraint, values: Floats, split: Literal["search", "holdout"]) -> Check:
    n, mean = len(values), _mean(values)
    spread = None if math.isnan(mean) else mean_spread(values, sample_of(n), long_tail=True)
    if spread is None:
        unknown = None if math.isnan(mean) else mean
        return Check(constraint.text, Kept.NOT_SHOWN, unknown, None, None, n, split)
    variance = spread.variance + _prior(constraint) / n**2
    half = t_quantile(spread.freedom) * math.sqrt(variance)
    low, high = mean - half, mean + half
    kept = Kept.SHOWN if high <= 0 else Kept.BROKEN if low > 0 else Kept.NOT_SHOWN
    return Check(constraint.text, kept, mean, low, high, n, split)
