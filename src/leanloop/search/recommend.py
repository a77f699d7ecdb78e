"""Whom to take to the holdout, and which one to recommend after it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from leanloop.core.configuration import Configuration
from leanloop.search.constraints import all_shown
from leanloop.search.result import Member, Rule
from leanloop.search.runtable import RunTable
from leanloop.stats.interval import Interval


def by_cost_per_solved(
    table: RunTable, some: Iterable[Configuration], baseline: Configuration, rule: Rule
) -> list[Configuration]:
    """Configurations but the baseline by what they pay for a solved task, worse ones last."""
    floor = table.means(baseline)["success"] - rule.margin

    def key(configuration: Configuration) -> tuple[bool, float]:
        means, n = table.means(configuration), table.count(configuration)
        solved = means["success"] * n + 0.5
        cost = 1.0 if math.isnan(means[rule.cost]) else means[rule.cost]
        return means["success"] < floor, cost * n / solved

    return sorted((c for c in some if c != baseline), key=key)


def recommend(
    members: Mapping[Configuration, Member], finalists: Sequence[Configuration], rule: Rule
) -> tuple[Member | None, str]:
    """Of the finalists that the holdout confirms, the one that pays least for a solved task.

    Where the user named constraints, what must be shown is that all are kept to and
    that it is cheaper; else that it is cheaper and not worse.
    """
    tested = [m for m in map(members.get, finalists) if m and m.verdict and _solves(m)]
    constrained = any(m.constraints for m in tested)
    confirmed = [m for m in tested if _confirmed(m, rule.cost)]
    if not confirmed:
        kept = "keep to the constraints" if constrained else "be not worse"
        return None, f"no configuration was shown to be cheaper and to {kept}: keep the baseline"
    best = min(confirmed, key=lambda m: _per_solved(m, rule.cost))
    n = best.holdout.success.n if best.holdout else 0
    return best, f"{best.verdict.sentence if best.verdict else ''} on {n} holdout tasks"


def break_even(usd: float | None, baseline: Member, recommended: Member | None) -> int | None:
    """Tasks after which what the study cost is saved, by the holdout's means."""
    if usd is None or recommended is None or not (baseline.holdout and recommended.holdout):
        return None
    before, after = baseline.holdout.usd.mean, recommended.holdout.usd.mean
    if before is None or after is None or before <= after:
        return None
    return math.ceil(usd / (before - after))


def _confirmed(member: Member, axis: str) -> bool:
    if member.verdict is None:
        return False
    if not member.constraints:
        return member.verdict.worth_it
    ratio: Interval = getattr(member.verdict, axis)
    return all_shown(member.constraints) and ratio.high is not None and ratio.high < 1


def _solves(member: Member) -> bool:
    """Whether it solved anything on the holdout: no worse than nothing recommends nobody."""
    return member.holdout is not None and bool(member.holdout.success.mean)


def _per_solved(member: Member, axis: str) -> float:
    """What the member pays on a cost axis for a task that it solves, on the holdout."""
    found = member.holdout
    if found is None or not found.success.mean:
        return math.inf
    cost: Interval = getattr(found, axis)
    return math.inf if cost.mean is None else cost.mean / found.success.mean
