"""Profiles recorded runs: one pass, run by run, keeping sums and no contents."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import PurePath

import numpy as np
from msgspec.structs import replace

from leanloop.core.run import Evidence
from leanloop.stats.interval import UNKNOWN, Interval, proportion_interval
from leanloop.stats.student import t_quantile
from leanloop.traces.cache_breaks import CacheBreaks
from leanloop.traces.composition import Composition
from leanloop.traces.prices import TracePrices
from leanloop.traces.profile_result import (
    Cache,
    Ended,
    Group,
    Growth,
    Loops,
    Profile,
    Repeats,
    Seconds,
    Unused,
)
from leanloop.traces.reading import Reading
from leanloop.traces.repeated_calls import RunRepeats, repeats_of
from leanloop.traces.repricing import Repricing
from leanloop.traces.sizes import CHARS_PER_TOKEN, sizes_of
from leanloop.traces.spending import Spending
from leanloop.traces.timing import add_seconds, seconds_of
from leanloop.traces.trace import ACT, USER, TraceCall, TraceRun
from leanloop.traces.unused_results import RunUnused, unused_of

LEAST_CALLS = 5
"""Calls of a run for which growth is fitted."""
LEAST = math.log(2)
GROUPS = ("none", "session", "task", "model")


@dataclass(frozen=True)
class Asked:
    """What to profile by.

    Args:
        prices: Prices by model.
        model: Who answered, where a trace does not say.
        group_by: One of ``GROUPS``.
        shared_caches: Whether runs may read each other's cached prompts.
        most_runs: Runs that are listed one by one.
    """

    prices: TracePrices = field(default_factory=TracePrices)
    model: str = ""
    group_by: str = "none"
    shared_caches: bool = False
    most_runs: int = 50


@dataclass
class _RunSums:
    """What is kept of a run."""

    key: tuple[str, str]
    parent: tuple[str, str]
    task_id: str
    session_id: str
    model: str
    success: float | None
    spending: Spending
    seconds: Seconds
    repeats: RunRepeats
    model_calls: int
    chars_sent: int
    chars_resent: int
    exponent: float | None


class Profiler:
    """Takes runs and says where their cost went.

    Args:
        asked: What to profile by.
    """

    def __init__(self, asked: Asked | None = None) -> None:
        self._asked = asked or Asked()
        self._repricing = Repricing(self._asked.prices, shared=self._asked.shared_caches)
        self._composition = Composition()
        prices = self._asked.prices
        self._breaks = CacheBreaks(lambda call: prices.find(call.model, call.provider))
        self._runs: list[_RunSums] = []
        self._beside: dict[str, Spending] = defaultdict(Spending)
        self._unused = RunUnused()
        self._contents = False
        self._steps = 0
        self._tokens_resent = self._tokens_sent = 0
        self._named: set[str] = set()
        self._unpriced: set[str] = set()
        self._totals_only = 0

    def add(self, run: TraceRun) -> None:
        """Add a run."""
        sizes = sizes_of(run)
        sent, resent, requests = self._composition.add(run)
        self._breaks.add(run, sizes)
        if _has_contents(run):
            self._contents = True
            self._add_unused(unused_of(run))
        model = self._model(run)
        spending = self._spend(run, model)
        self._steps += len(requests)
        self._resent_tokens(run)
        calls = [c for c in run.calls if c.purpose != USER]
        self._totals_only += not calls and run.totals is not None
        self._runs.append(
            _RunSums(
                key=(run.source, run.run_id),
                parent=(run.source, run.parent_id),
                task_id=run.task_id or "",
                session_id=run.session_id,
                model=_model_of(calls) or model,
                success=run.success,
                spending=spending,
                seconds=seconds_of(run),
                repeats=repeats_of(run),
                model_calls=len(calls),
                chars_sent=sent,
                chars_resent=resent,
                exponent=exponent_of(requests),
            )
        )

    def result(self, reading: Reading | None = None) -> Profile:
        """The profile of all runs so far.

        Args:
            reading: Where they were read from, for what could not be read.
        """
        roots = self._rolled_up()
        whole = _group("all", roots)
        total, parts = self._composition, self._composition.parts()
        repeats = self._repeats()
        best = whole.usd.best
        schemas = total.chars_sent
        return Profile(
            runs=whole.runs,
            sub_runs=whole.sub_runs,
            formats=reading.formats if reading else {},
            success=whole.success,
            resent_share=_share(total.chars_resent + total.chars_known, schemas),
            resent_share_in_run=_share(total.chars_resent, schemas),
            resent_share_tokens=_share(self._tokens_resent, self._tokens_sent),
            model_calls=whole.model_calls,
            steps=self._steps,
            tool_calls=whole.tool_calls,
            repeated_tool_calls=repeats.calls,
            tokens=whole.tokens.total,
            usd=best,
            usd_evidence=_evidence(whole),
            estimated=self._estimated(whole),
            token_totals=whole.tokens,
            dollars=whole.usd,
            seconds=whole.seconds,
            user=_beside("user", self._beside[USER]) if USER in self._beside else None,
            side={p: _beside(p, s) for p, s in self._beside.items() if p != USER},
            parts=parts,
            ages=total.ages(),
            growth=self._growth(),
            repeats=repeats,
            unused=self._unused_share(),
            cache=self._cache(),
            ended=_ended(roots),
            loops=self._loops(),
            flame=total.flame(),
            groups=self._groups(roots),
            by_run=self._by_run(roots),
            notes=tuple(self._notes()),
            skipped=tuple(reading.skipped) if reading else (),
            unknown_files=tuple(reading.unknown) if reading else (),
            unpriced=tuple(sorted(self._unpriced)),
        )

    def _model(self, run: TraceRun) -> str:
        """Who answered where the run does not say: as asked, or as the file is named."""
        if self._asked.model or any(c.model for c in run.calls):
            return self._asked.model
        stem = PurePath(run.source.removesuffix(".gz")).stem
        if self._asked.prices.find(stem) is None:
            return ""
        self._named.add(stem)
        return stem

    def _spend(self, run: TraceRun, model: str) -> Spending:
        """What the agent spent; what others spent is added up beside it."""
        mine = Spending()
        for priced in self._repricing.calls(_with_cost(run), model):
            purpose, name = priced.call.purpose, priced.call.model or model
            if priced.call.usd is None and priced.list_usd is None:
                known = self._asked.prices.find(name, priced.call.provider)
                self._unpriced |= {name} if known is None else set()
            if purpose != ACT:
                self._beside[purpose].add(priced)
            if purpose != USER:
                mine.add(priced)
        return mine

    def _resent_tokens(self, run: TraceRun) -> None:
        """Of a call's reported input, what was input or output of the call before."""
        before: TraceCall | None = None
        for call in run.acts:
            counts = call.counts
            if counts.input_tokens is None:
                before = None
                continue
            self._tokens_sent += counts.input_tokens
            if before is not None and before.counts.input_tokens is not None:
                known = before.counts.input_tokens + (before.counts.output_tokens or 0)
                self._tokens_resent += min(counts.input_tokens, known)
            before = call

    def _add_unused(self, found: RunUnused) -> None:
        self._unused.calls += found.calls
        self._unused.judged += found.judged
        self._unused.chars_sent += found.chars_sent

    def _unused_share(self) -> Unused | None:
        if not self._contents:
            return None
        share = _share(self._unused.chars_sent, self._composition.chars_sent) or 0.0
        return Unused(self._unused.calls, self._unused.judged, share)

    def _rolled_up(self) -> list[tuple[_RunSums, list[_RunSums]]]:
        """Each run of its own with its sub-agents, theirs included."""
        by_key = {r.key: r for r in self._runs}
        roots: dict[tuple[str, str], tuple[_RunSums, list[_RunSums]]] = {}
        for run in self._runs:
            root, seen = run, {run.key}
            while root.parent in by_key and root.parent not in seen:
                root = by_key[root.parent]
                seen.add(root.key)
            if root.parent in seen:  # they name each other: each is its own
                root = run
            mine = roots.setdefault(root.key, (root, []))
            if root is not run:
                mine[1].append(run)
        return list(roots.values())

    def _repeats(self) -> Repeats:
        each = [r.repeats for r in self._runs]
        counts = sorted((e.calls for e in each), reverse=True)
        total, half, runs = sum(counts), 0, 0
        while 2 * half < total:
            half += counts[runs]
            runs += 1
        return Repeats(
            calls=total,
            retries=sum(e.retries for e in each),
            rereads=sum(e.rereads for e in each),
            waste=sum(e.waste for e in each),
            observations=sum(e.observations for e in each),
            observation_chars=sum(e.observation_chars for e in each),
            runs=sum(c > 0 for c in counts),
            half_in_runs=runs,
        )

    def _growth(self) -> Growth:
        found = np.array([r.exponent for r in self._runs if r.exponent is not None])
        sizes, runs = self._composition.by_step()
        return Growth(_t_interval(found), sizes[:500], runs[:500])

    def _cache(self) -> Cache:
        total = Spending()
        for run in self._runs:
            total.merge(run.spending)
        share = _share(total.cache_read, total.cache_input)
        return Cache(share, total.cache_calls, total.calls, self._breaks.all())

    def _loops(self) -> Loops:
        each = [r.repeats for r in self._runs]
        return Loops(
            runs=sum(e.circle_calls > 0 for e in each),
            calls=sum(e.circle_calls for e in each),
            stalled_runs=sum(e.stalled for e in each),
        )

    def _groups(self, roots: list[tuple[_RunSums, list[_RunSums]]]) -> tuple[Group, ...]:
        if self._asked.group_by == "none":
            return ()
        key: Callable[[_RunSums], str] = {
            "session": lambda r: r.session_id or "no session",
            "task": lambda r: r.task_id or "no task",
            "model": lambda r: r.model or "unknown model",
        }[self._asked.group_by]
        groups: dict[str, list[tuple[_RunSums, list[_RunSums]]]] = defaultdict(list)
        for root in roots:
            groups[key(root[0])].append(root)
        return _dearest_first(_group(n, g) for n, g in groups.items())

    def _by_run(self, roots: list[tuple[_RunSums, list[_RunSums]]]) -> tuple[Group, ...]:
        most = self._asked.most_runs
        if len(roots) > most:
            roots = sorted(roots, key=lambda r: -r[0].chars_sent)[:most]
        return _dearest_first(_group(r[0].key[1], [r]) for r in roots)

    def _estimated(self, whole: Group) -> dict[str, str]:
        found: dict[str, str] = {}
        if whole.tokens.evidence == Evidence.ESTIMATED:
            left = whole.tokens.calls - whole.tokens.reported_calls
            found["tokens"] = (
                f"{left:,} of {whole.tokens.calls:,} calls report none: from characters, by the "
                f"run's own ratio or total where it has one, else {CHARS_PER_TOKEN:g} a token"
            )
            if whole.usd.recorded is None and whole.usd.best is not None:
                found["usd"] = "list prices of estimated tokens"
        if _evidence(whole) == "modelled" and "usd" not in found:
            found["usd"] = "list prices, with cached input as the provider's rule would have it"
        if self._named:
            found["model"] = f"taken from the file's name: {', '.join(sorted(self._named))}"
        return found

    def _notes(self) -> Iterable[str]:
        if self._totals_only:
            yield f"{self._totals_only} runs have totals only, without calls; they are left out."


def profile_runs(
    runs: Iterable[TraceRun], asked: Asked | None = None, reading: Reading | None = None
) -> Profile:
    """Profile runs, one after the other.

    Args:
        runs: Recorded runs.
        asked: What to profile by.
        reading: Where they are read from, for what could not be read.
    """
    profiler = Profiler(asked)
    for run in runs:
        profiler.add(run)
    return profiler.result(reading)


def exponent_of(requests: list[int]) -> float | None:
    """The power of n that what a run has sent by its n-th call grows with.

    Least squares on logarithms over the calls from the second on.
    """
    if len(requests) < LEAST_CALLS or not all(requests):
        return None
    y = np.log(np.cumsum(np.array(requests, dtype=float)))[1:]
    x = np.log(np.arange(2, len(requests) + 1, dtype=float))
    away = x - x.mean()
    return float((away * y).sum() / (away * away).sum())


def _t_interval(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Interval:
    n = len(values)
    if not n:
        return UNKNOWN
    mean = float(values.mean())
    if n < 2:
        return Interval(mean, None, None, n)
    half = t_quantile(n - 1) * float(values.std(ddof=1)) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n)


def _group(name: str, roots: list[tuple[_RunSums, list[_RunSums]]]) -> Group:
    everyone = [r for root, subs in roots for r in (root, *subs)]
    spending = Spending()
    for run in everyone:
        spending.merge(run.spending)
    solved = [r.success for r, _ in roots if r.success is not None]
    usd = spending.dollars.best
    total_solved = sum(solved) if len(solved) == len(roots) else 0.0
    return Group(
        name=name,
        runs=len(roots),
        sub_runs=len(everyone) - len(roots),
        success=_success([r for r, _ in roots]),
        model_calls=sum(r.model_calls for r in everyone),
        tool_calls=sum(r.repeats.tool_calls for r in everyone),
        tokens=spending.tokens,
        usd=spending.dollars,
        seconds=add_seconds([r.seconds for r, _ in roots]),
        chars_sent=sum(r.chars_sent for r in everyone),
        chars_resent=sum(r.chars_resent for r in everyone),
        usd_per_solved=usd / total_solved if usd is not None and total_solved else None,
    )


def _success(runs: list[_RunSums]) -> Interval:
    """Mean of the runs that say, over tasks: several runs of one task are no more evidence."""
    by_task: dict[str, list[float]] = defaultdict(list)
    for place, run in enumerate(runs):
        if run.success is not None:
            by_task[run.task_id or f"#{place}"].append(run.success)
    return proportion_interval(np.array([sum(v) / len(v) for v in by_task.values()]))


def _ended(roots: list[tuple[_RunSums, list[_RunSums]]]) -> Ended:
    solved = [_group("", [r]) for r in roots if r[0].success == 1]
    failed = [_group("", [r]) for r in roots if r[0].success is not None and r[0].success < 1]

    def ratio(of: Callable[[Group], float | None]) -> Interval:
        return _ratio([of(g) for g in failed], [of(g) for g in solved])

    return Ended(
        solved=len(solved),
        failed=len(failed),
        tokens_ratio=ratio(lambda g: g.tokens.total),
        usd_ratio=ratio(lambda g: g.usd.best),
        calls_ratio=ratio(lambda g: g.model_calls),
    )


def _ratio(top: list[float | None], bottom: list[float | None]) -> Interval:
    """Ratio of two unpaired means, by the delta method on logarithms; n is the smaller sample.

    Two imagined runs in each sample, at twice and at half its mean, keep few runs that agree
    from looking certain.
    """
    a = np.array([np.nan if v is None else v for v in top], dtype=float)
    b = np.array([np.nan if v is None else v for v in bottom], dtype=float)
    n = min(len(a), len(b))
    means = [float(v.mean()) if len(v) else math.nan for v in (a, b)]
    if not all(map(math.isfinite, means)) or min(means) <= 0:
        return Interval(None, None, None, n)
    ratio = means[0] / means[1]
    if n < 2:
        return Interval(ratio, None, None, n)
    spreads = ((v.std(ddof=1) / v.mean()) ** 2 / len(v) + 2 * (LEAST / len(v)) ** 2 for v in (a, b))
    error = math.sqrt(sum(spreads))
    half = t_quantile(n - 1) * error
    return Interval(ratio, ratio * math.exp(-half), ratio * math.exp(half), n)


def _dearest_first(groups: Iterable[Group]) -> tuple[Group, ...]:
    def cost(group: Group) -> tuple[float, float, str]:
        return (-(group.usd.best or 0.0), -float(group.tokens.total or 0), group.name)

    return tuple(sorted(groups, key=cost))


def _beside(name: str, spending: Spending) -> Group:
    nothing = Seconds(None, None, None, None, None)
    return Group(
        name, 0, 0, UNKNOWN, spending.calls, 0, spending.tokens, spending.dollars, nothing, 0, 0
    )


def _with_cost(run: TraceRun) -> TraceRun:
    """The run with a cost that is known of the whole only put on its first call."""
    usd = run.totals.usd if run.totals else None
    if usd is None or not run.calls or any(c.usd is not None for c in run.calls):
        return run
    first, *rest = run.calls
    calls = (replace(first, usd=usd), *(replace(c, usd=0.0) for c in rest))
    return replace(run, calls=calls)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _evidence(whole: Group) -> str:
    if whole.usd.recorded is not None:
        return "recorded"
    if whole.usd.best is None:
        return "unknown"
    return "modelled" if whole.usd.modelled_calls else "list price"


def _model_of(calls: list[TraceCall]) -> str:
    return next((c.model for c in calls if c.model), "")


def _has_contents(run: TraceRun) -> bool:
    return any(e.message is not None for c in run.calls for e in c.added[:1])
