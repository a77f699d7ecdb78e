"""Profiles recorded runs: one pass, run by run, keeping sums and no contents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePath

from msgspec.structs import replace

from leanloop.core.run import Evidence
from leanloop.traces.cache_breaks import CacheBreaks
from leanloop.traces.composition import Composition
from leanloop.traces.context_growth import exponent_of, mean_exponent
from leanloop.traces.failed_runs import compare_ended
from leanloop.traces.grouping import RunSums, beside, dearest_runs, group_of, groups_by, rolled_up
from leanloop.traces.prices import TracePrices
from leanloop.traces.profile_result import Cache, Group, Growth, Profile, Unused
from leanloop.traces.reading import Reading
from leanloop.traces.repeated_calls import add_loops, add_repeats, repeats_of
from leanloop.traces.repricing import CallPrice, Repricing
from leanloop.traces.sizes import CHARS_PER_TOKEN, sizes_of
from leanloop.traces.spending import Spending
from leanloop.traces.timing import seconds_of
from leanloop.traces.trace import ACT, USER, TraceCall, TraceRun
from leanloop.traces.unused_results import RunUnused, unused_of
from leanloop.traces.writing import without_contents


@dataclass(frozen=True)
class Asked:
    """What to profile by.

    Args:
        prices: Prices by model.
        model: Who answered, where a trace does not say.
        group_by: One of ``grouping.GROUPS``.
        shared_caches: Whether runs may read each other's cached prompts. All runs are then
            held, without their contents, to price their calls in the order of time.
        most_runs: Runs that are listed one by one.
    """

    prices: TracePrices = field(default_factory=TracePrices)
    model: str = ""
    group_by: str = "none"
    shared_caches: bool = False
    most_runs: int = 50


class Profiler:
    """Takes runs and says where their cost went.

    Args:
        asked: What to profile by.
    """

    def __init__(self, asked: Asked | None = None) -> None:
        self._asked = asked or Asked()
        self._repricing = Repricing(self._asked.prices)
        self._waiting: list[tuple[TraceRun, str, Spending]] = []
        self._composition = Composition()
        prices = self._asked.prices
        self._breaks = CacheBreaks(lambda call: prices.find(call.model, call.provider))
        self._runs: list[RunSums] = []
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
        spending = Spending()
        if self._asked.shared_caches:
            # Who finds what in a cache is decided by time, which is not the order of runs.
            self._waiting.append((without_contents(run), model, spending))
        else:
            for priced in self._repricing.calls(_with_cost(run), model):
                self._spend(priced, model, spending)
        self._steps += len(requests)
        self._resent_tokens(run)
        calls = [c for c in run.calls if c.purpose != USER]
        self._totals_only += not calls and run.totals is not None
        self._runs.append(
            RunSums(
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
        """The profile of all runs so far; with shared caches, ask for it once, when all are in.

        Args:
            reading: Where they were read from, for what could not be read.
        """
        self._spend_together()
        roots = rolled_up(self._runs)
        whole = group_of("all", roots)
        total, parts = self._composition, self._composition.parts()
        each = [r.repeats for r in self._runs]
        repeats = add_repeats(each)
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
            user=beside("user", self._beside[USER]) if USER in self._beside else None,
            side={p: beside(p, s) for p, s in self._beside.items() if p != USER},
            parts=parts,
            ages=total.ages(),
            growth=self._growth(),
            repeats=repeats,
            unused=self._unused_share(),
            cache=self._cache(),
            ended=compare_ended(roots),
            loops=add_loops(each),
            flame=total.flame(),
            groups=groups_by(self._asked.group_by, roots),
            by_run=dearest_runs(roots, self._asked.most_runs),
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

    def _spend_together(self) -> None:
        """Price the runs that read each other's caches, all at once."""
        runs = [(_with_cost(run), model) for run, model, _ in self._waiting]
        for place, priced in self._repricing.together(runs):
            _, model, spending = self._waiting[place]
            self._spend(priced, model, spending)
        self._waiting = []

    def _spend(self, priced: CallPrice, model: str, mine: Spending) -> None:
        """Add up what the agent spent; what others spent is added up beside it."""
        purpose, name = priced.call.purpose, priced.call.model or model
        if priced.call.usd is None and priced.list_usd is None:
            known = self._asked.prices.find(name, priced.call.provider)
            self._unpriced |= {name} if known is None else set()
        if purpose != ACT:
            self._beside[purpose].add(priced)
        if purpose != USER:
            mine.add(priced)

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

    def _growth(self) -> Growth:
        sizes, runs = self._composition.by_step()
        return Growth(mean_exponent(r.exponent for r in self._runs), sizes[:500], runs[:500])

    def _cache(self) -> Cache:
        total = Spending()
        for run in self._runs:
            total.merge(run.spending)
        share = _share(total.cache_read, total.cache_input)
        return Cache(share, total.cache_calls, total.calls, self._breaks.all())

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
