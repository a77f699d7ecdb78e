"""Results to report: a plain one, and ugly ones."""

from __future__ import annotations

from msgspec.structs import replace

from leanloop.core.configuration import Configuration, Setting
from leanloop.search.result import (
    DroppedMember,
    Figures,
    LeverEffect,
    Member,
    Result,
    StepCost,
)
from leanloop.search.stream_figures import AlongStream, Held, Stretch
from leanloop.stats.budget import CostOfPass
from leanloop.stats.comparison import Verdict
from leanloop.stats.interval import Interval
from leanloop.stats.per_solved import PaidBack

NOTHING = Interval(None, None, None, 0)
UNSHOWN = Verdict(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, 0.1, "not shown")


def interval(mean: float, n: int = 42) -> Interval:
    return Interval(mean, mean * 0.8, mean * 1.2, n)


def figures(success: float, usd: float | None, scale: float = 1.0) -> Figures:
    low, high = max(0.0, success - 0.13), min(1.0, success + 0.13)
    dollars = NOTHING if usd is None else interval(usd * scale)
    return Figures(
        Interval(success, low, high, 42),
        dollars,
        interval(3.0 * scale),
        interval(1900.0 * scale),
        interval(2.0 + scale),
    )


def verdict(success: float = 0.2, ratio: float = 0.5, low: float | None = None) -> Verdict:
    ends = Interval(success, success - 0.15 if low is None else low, success + 0.15, 42)
    r = Interval(ratio, ratio * 0.8, ratio * 1.2, 42)
    return Verdict(ends, r, r, r, r, 0.1, "cheaper and better")


def member(
    settings: dict[str, Setting], success: float, usd: float | None, scale: float = 1.0
) -> Member:
    id_ = Configuration(settings).id
    search, holdout = figures(success, usd, 0.9 * scale), figures(success, usd, scale)
    return Member(id_, settings, 0.9, search, holdout, verdict(), verdict())


def result(usd: float | None = 0.0002, name: str = "plain", frontier: int = 3) -> Result:
    base = replace(member({"planning.examples": 4}, 0.3, usd), verdict=None, search_verdict=None)
    others = [
        member(
            {"planning.examples": 4, "stopping.max_steps": 5 + i, "tools.projection": "on"},
            0.45 + 0.25 * i / frontier,
            usd,
            0.4 + 0.9 * i / frontier,
        )
        for i in range(frontier)
    ]
    return Result(
        study=name,
        runs=400,
        configurations=9,
        baseline=base,
        frontier=(*others[:1], base, *others[1:]),
        recommended=others[0].id if others else None,
        recommendation="cheaper and better on 42 holdout tasks",
        references={
            "larger model alone": member({"model.choice": "large"}, 0.6, usd, 2.5),
            "larger model, examples near": member({"model.choice": "big"}, 0.62, usd, 2.4),
        },
        levers=(
            LeverEffect("planning.examples", "nearest:2", verdict(0.16, 0.4)),
            LeverEffect("tools.projection", "on", verdict(-0.03, 0.8)),
            LeverEffect("memory.keep_observations", 1, verdict(-0.2, 1.1)),
            LeverEffect("model.choice", "large", verdict(0.3, 2.6)),
        ),
        dropped=(DroppedMember("abc", {"stopping.max_steps": 2}, base.id, 0.97, 14),),
        steps=(
            StepCost(1, 7, 400.0, 900.0, 20.0, 1.2, usd),
            StepCost(2, 5, 90.0, None, 9.0, 1, usd),
            StepCost(3, 2, 110.0, 1400.0, 19.0, 1, usd),
        ),
        prices={"small": "embedded:small, machine at $0.10/h"},
        search_usd=usd,
        break_even_tasks=None if usd is None else 120,
        elapsed_s=700.0,
        stopped_because="the search split is used up",
        margin=0.1,
        objectives={"success": "max", "usd": "min"},
        evidence={
            "usd": "computed from the prices",
            "latency_s": "measured here",
            "tokens": "reported by the model's server",
        },
    )


def never_on_holdout() -> Result:
    """Nothing left for the holdout, so the search's own figures are all there is."""
    full = result()
    plain = [replace(m, holdout=None, verdict=None) for m in full.frontier]
    return replace(
        full,
        baseline=replace(full.baseline, holdout=None, verdict=None),
        frontier=tuple(plain),
        references={k: replace(m, holdout=None, verdict=None) for k, m in full.references.items()},
        recommended=None,
    )


def hostile() -> Result:
    """Names that are markup, bars without end, and a reference that is also recommended."""
    full = result(name="<script>alert(1)</script>")
    bad = "<script>alert(2)</script>&\"'"
    endless = Interval(3.0, 0.0, float("inf"), 2)
    found = member({f"model.{bad}": bad, "tools.shortlist": 6}, 1.0, 1e-9)
    found = replace(found, holdout=replace(figures(1.0, 1e-9), latency_s=endless))
    return replace(
        full,
        frontier=(*full.frontier, found),
        recommended=found.id,
        references={bad: found, "none solved": member({"model.choice": bad}, 0.0, None)},
        levers=(
            *full.levers,
            LeverEffect(f"model.{bad}", bad, replace_ratio(verdict(), endless)),
            LeverEffect("tools.shortlist", 6, UNSHOWN),
        ),
        prices={bad: bad},
        evidence={bad: bad},
        stopped_because=bad,
    )


def replace_ratio(found: Verdict, usd: Interval) -> Verdict:
    return Verdict(
        found.success, usd, found.latency_s, found.tokens, found.tool_calls, 0.1, found.sentence
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


AXES = ("usd", "latency_s", "tokens", "tool_calls")


def stretch(first: int, last: int, usd: CostOfPass) -> Stretch:
    """Part of a stream, where a solved task takes dollars, 7.5 s, 12,345 tokens and 2.5 calls."""
    costs = [usd, *(CostOfPass(c, 0.8 * c, 1.2 * c, 9, infinite=False) for c in (7.5, 12345, 2.5))]
    base = CostOfPass(0.004, 0.003, None, 9, infinite=False)
    return Stretch(
        first,
        last,
        Interval(0.75, 0.61, 0.86, 9),
        dict(zip(AXES, costs, strict=True)),
        dict.fromkeys(AXES, Interval(0.375, 0.2, None, 9)),
        Interval(0.25, 0.12, 0.44, 9),
        dict.fromkeys(AXES, base),
    )


def with_streams() -> Result:
    """One that learned along two streams, which nothing was solved by at first."""
    full = result()
    found = full.frontier[0]
    none_solved = CostOfPass(None, 0.009, None, 9, infinite=True)
    along = AlongStream(
        found.id,
        found.settings,
        (
            stretch(0, 8, none_solved),
            stretch(9, 17, CostOfPass(0.0015, None, None, 9, infinite=False)),
        ),
        stretch(0, 29, CostOfPass(0.0012, 0.001, 0.0016, 30, infinite=False)),
        dict.fromkeys(AXES, PaidBack(7, None, 3.0, 18)),
        40,
        Held(40, 2, 31),
        5,
        1,
    )
    objectives = {"success": "max", "usd": "min", "latency_s": "min", "tokens": "min"}
    return replace(full, streams=(along,), objectives=objectives)
