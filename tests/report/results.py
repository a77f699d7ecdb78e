"""Results to report: a plain one, and ugly ones."""

from __future__ import annotations

from leanloop.core.configuration import Configuration, Setting
from leanloop.search.result import (
    DroppedMember,
    Figures,
    LeverEffect,
    Member,
    Result,
    StepCost,
)
from leanloop.stats.comparison import Verdict
from leanloop.stats.interval import Interval

NOTHING = Interval(None, None, None, 0)


def interval(mean: float, n: int = 42) -> Interval:
    return Interval(mean, mean * 0.8, mean * 1.2, n)


def figures(success: float, usd: float | None, n: int = 42) -> Figures:
    low, high = max(0.0, success - 0.1), min(1.0, success + 0.1)
    dollars = NOTHING if usd is None else interval(usd, n)
    return Figures(
        Interval(success, low, high, n), dollars, interval(3.0), interval(900.0), interval(2.0)
    )


def verdict() -> Verdict:
    ratio = Interval(0.5, 0.4, 0.6, 42)
    better = Interval(0.2, 0.05, 0.35, 42)
    return Verdict(better, ratio, ratio, ratio, ratio, 0.1, "cheaper and better")


def member(settings: dict[str, Setting], success: float, usd: float | None) -> Member:
    found = figures(success, usd)
    id_ = Configuration(settings).id
    return Member(id_, settings, 0.9, found, found, verdict(), verdict())


def result(usd: float | None = 0.0002, name: str = "plain", frontier: int = 3) -> Result:
    base = member({"planning.examples": 4}, 0.3, usd)
    others = [
        member({"planning.examples": 4, "stopping.max_steps": 5 + i}, 0.5 + 0.4 * i / frontier, usd)
        for i in range(frontier)
    ]
    return Result(
        study=name,
        runs=400,
        configurations=9,
        baseline=base,
        frontier=(base, *others),
        recommended=others[0].id if others else None,
        recommendation="cheaper and better on 42 holdout tasks",
        references={"larger model alone": member({"model.choice": "large"}, 0.6, usd)},
        levers=(
            LeverEffect("tools.projection", "on", verdict()),
            LeverEffect("model.choice", "large", verdict()),
        ),
        dropped=(DroppedMember("abc", {"stopping.max_steps": 2}, base.id, 0.97, 14),),
        steps=(
            StepCost(1, 7, 400.0, 900.0, 20.0, 1.2, usd),
            StepCost(2, 5, 90.0, None, 9.0, 1, usd),
        ),
        prices={"small": "embedded:small, machine at $0.10/h"},
        search_usd=usd,
        break_even_tasks=None if usd is None else 120,
        elapsed_s=700.0,
        stopped_because="the search split is used up",
        margin=0.1,
        objectives={"success": "max", "usd": "min"},
        evidence={"latency_s": "measured here"},
    )


def bare() -> Result:
    """One configuration, one task, nothing known, nothing recommended."""
    one = Interval(0.0, None, None, 1)
    found = Figures(one, NOTHING, one, NOTHING, one)
    base = Member("44136fa355", {}, None, found)
    return Result(
        study="<script>alert(1)</script>",
        runs=1,
        configurations=1,
        baseline=base,
        frontier=(base,),
        recommended=None,
        recommendation="no configuration was shown to be cheaper and not worse: keep the baseline",
        references={},
        levers=(),
        dropped=(),
        steps=(),
        prices={},
        search_usd=None,
        break_even_tasks=None,
        elapsed_s=1.0,
        stopped_because="the cap of $0.01 is reached",
        margin=0.02,
        objectives={"success": "max"},
        evidence={},
    )
