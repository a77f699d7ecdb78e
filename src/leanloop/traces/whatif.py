"""What levers would have changed in recorded runs, had the agent done the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from pathlib import PurePath

import numpy as np

from leanloop.core.configuration import Configuration, Setting
from leanloop.core.errors import BadInputError
from leanloop.levers.builtin import all_levers
from leanloop.stats.interval import Interval, ratio_intervals
from leanloop.stats.resampling import Sample, sample_of
from leanloop.traces.known_effects import known_effects
from leanloop.traces.prices import Priced, TracePrices
from leanloop.traces.replay import Recorded, Replayed, Replaying, ready, replay
from leanloop.traces.trace import TraceCall, TraceRun
from leanloop.traces.whatif_result import Baseline, Change

JUDGED = (
    "memory.keep_observations",
    "memory.keep_turns",
    "memory.summarise",
    "memory.fold",
    "memory.dedupe",
    "memory.truncate_observation",
    "memory.stable_prefix",
    "tools.shortlist",
    "tools.schema_trim",
    "tools.result_cache",
    "stopping.max_steps",
    "stopping.repeat_guard",
    "stopping.no_progress",
    "stopping.token_budget",
    "stopping.usd_budget",
    "stopping.time_budget",
)
"""Levers whose work on a recorded path is known."""
NEEDS_TOOLS = frozenset({"tools.shortlist", "tools.schema_trim"})
CARRIED = "it goes by what earlier tasks taught, which is not recorded"
WHY_NOT = {
    "model.choice": "another model would act otherwise; --model shows its prices on this path",
    "model.route": "another model would act otherwise; --model shows its prices on this path",
    "model.escalate": "another model would act otherwise",
    "model.effort": "the model would answer otherwise",
    "model.max_output": "a shorter answer would be another answer",
    "memory.notes": "nobody knows what the agent would have noted",
    "memory.facts": CARRIED,
    "memory.skills": CARRIED,
    "memory.warm_prefix": "it changes what is cached from task to task; see --shared-caches",
    "planning.plan_cache": CARRIED,
    "tools.protocol": "nobody knows what contracts the tools would have had",
    "tools.projection": "nobody knows which fields the agent would have asked for",
    "tools.program": "nobody knows which calls the agent would have put into a program",
    "tools.parallel": "the recorded calls were made as they were; it changes seconds only",
    "tools.budget_aware": "its effect is in what the agent does",
}
PLANNING = "its effect is in what the agent does"
BEST = 5
"""Levers that are tried in pairs."""
NOTES = {
    "memory.fold": "calls of recall, which the agent may make, are not in it",
    "memory.summarise": "summaries are a stated share of what they summarise",
    "memory.stable_prefix": "it acts on what other levers edit",
}


@dataclass(frozen=True)
class Terms:
    """On what terms to ask.

    Args:
        prices: Prices by model.
        model: Who answered, where the traces do not say.
        read_only: Names of tools that change nothing; by their names where empty.
        summary_ratio: Characters of a summary, as a share of what it summarises.
    """

    prices: TracePrices = field(default_factory=TracePrices)
    model: str = ""
    read_only: frozenset[str] = frozenset()
    summary_ratio: float = 0.1


class WhatIfs:
    """Recorded runs, made ready once and asked many times.

    Args:
        runs: With contents; those without a call are left out.
        terms: On what terms to ask.
    """

    def __init__(self, runs: Iterable[TraceRun], terms: Terms | None = None) -> None:
        self._terms = terms or Terms()
        self._runs: list[Recorded] = []
        for run in runs:
            if any(True for _ in run.acts):
                _check(run)
                self._runs.append(ready(run, self._terms.read_only))
        self._replaying = Replaying(all_levers(), self._terms.read_only, self._terms.summary_ratio)
        self._find = cache(self._terms.prices.find)
        self._by_name: dict[str, None] = {}
        self._base = self._replayed(Configuration(), "")
        self._sample = (
            sample_of(len(self._runs), [r.run.task_id or f"#{i}" for i, r in enumerate(self._runs)])
            if self._runs
            else None
        )

    @property
    def baseline(self) -> Baseline:
        """The runs as they were recorded."""
        runs, base = [r.run for r in self._runs], self._base
        known = [r.success for r in runs if r.success is not None]
        costs = [c.usd for r in runs for c in r.acts]
        recorded = [c for c in costs if c is not None]
        return Baseline(
            runs=len(runs),
            solved=sum(s == 1 for s in known) if len(known) == len(runs) and runs else None,
            input_tokens=sum(b.input_tokens for b in base),
            output_tokens=sum(b.output_tokens for b in base),
            model_calls=sum(b.model_calls for b in base),
            tool_calls=sum(b.tool_calls for b in base),
            usd=_total(base, "cached_usd"),
            usd_uncached=_total(base, "list_usd"),
            recorded_usd=sum(recorded) if recorded and len(recorded) == len(costs) else None,
            reported_runs=sum(r.sizes.reported for r in self._runs),
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What else a reader must know."""
        said = []
        if not self._terms.read_only:
            said.append("tools that only read are told by their names; --read-only states them")
        if self._by_name:
            said.append(f"the model is taken from the file's name: {', '.join(self._by_name)}")
        return tuple(said)

    @property
    def left_out(self) -> dict[str, str]:
        """Levers that cannot be judged on these runs, each with why."""
        found = {n: WHY_NOT.get(n, PLANNING) for n in all_levers() if n not in JUDGED}
        if not any(r.shown for r in self._runs):
            found |= dict.fromkeys(NEEDS_TOOLS, "the traces do not have the tools' schemas")
        return found

    def ask(self, settings: dict[str, Setting], model: str = "") -> Change:
        """What a configuration would have changed.

        Args:
            settings: Lever to setting.
            model: Whose prices to take; those of the recorded one when empty.

        Raises:
            BadInputError: A lever cannot be judged on these runs, or the model has no price.
        """
        for name in settings:
            if name in self.left_out:
                raise BadInputError(f"--set {name}", f"cannot be judged: {self.left_out[name]}")
        if model and self._find(model, "") is None:
            raise BadInputError("--model", f"no price is known of {model!r}; state one in --prices")
        return self._change(settings, model, self._replayed(Configuration(settings), model))

    def all(self) -> Iterator[Change]:
        """Every lever alone at each setting that a search tries, then pairs of the best."""
        alone = list(self._alone())
        yield from alone
        best: dict[str, Change] = {}
        for change in self.ranked(alone):
            (name,) = change.settings
            if change.changed_runs or change.cut_runs:
                best.setdefault(name, change)
        for one, other in combinations(list(best.values())[:BEST], 2):
            yield self.ask({**one.settings, **other.settings})

    def ranked(self, changes: Iterable[Change]) -> tuple[Change, ...]:
        """The cheapest first, over what stays solved at worst; see ``worth``."""
        solved = self.baseline.solved
        return tuple(sorted(changes, key=lambda c: worth(c, solved)))

    def _alone(self) -> Iterator[Change]:
        levers = all_levers()
        for name in JUDGED:
            if name in self.left_out or name == "memory.stable_prefix":
                continue
            for setting in levers[name].card.search:
                yield self.ask({name: setting})

    def _replayed(self, configuration: Configuration, model: str) -> list[Replayed]:
        def priced(call: TraceCall) -> Priced | None:
            return self._find(
                model or call.model or self._named, call.provider if not model else ""
            )

        found = []
        for recorded in self._runs:
            self._named = self._terms.model or self._by_file(recorded.run)
            found.append(replay(recorded, configuration, self._replaying, priced))
        return found

    def _by_file(self, run: TraceRun) -> str:
        """The model that a file is named after, where the run does not name one."""
        if any(c.model for c in run.calls):
            return ""
        stem = PurePath(run.source.removesuffix(".gz")).stem
        if self._find(stem, "") is None:
            return ""
        self._by_name.setdefault(stem)
        return stem

    def _change(
        self, settings: dict[str, Setting], model: str, after: Sequence[Replayed]
    ) -> Change:
        base, sample = self._base, self._sample
        cut = [r.run.success for r, a in zip(self._runs, after, strict=True) if a.cut]
        usd, was = _total(after, "cached_usd"), _total(base, "cached_usd")
        names = ("tokens", "cached_usd", "list_usd", "seconds", "model_calls", "tool_calls")
        ratios = {n: _ratio(after, base, n, sample) for n in names}
        return Change(
            settings,
            model,
            tokens=ratios["tokens"],
            usd=ratios["cached_usd"],
            usd_uncached=ratios["list_usd"],
            seconds=ratios["seconds"],
            model_calls=ratios["model_calls"],
            tool_calls=ratios["tool_calls"],
            usd_saved=None if usd is None or was is None else was - usd,
            tokens_saved=_tokens(base) - _tokens(after),
            cut_runs=len(cut),
            cut_solved=sum(s == 1 for s in cut),
            cut_failed=sum(s is not None and s < 1 for s in cut),
            changed_runs=sum(a.changed for a in after),
            known=known_effects(frozenset(settings)),
            notes=tuple(NOTES[n] for n in settings if n in NOTES),
        )


def _check(run: TraceRun) -> None:
    if any(e.message is None for c in run.acts for e in c.added):
        raise BadInputError(run.source, "has no contents, which a what-if needs")


def worth(change: Change, solved: int | None) -> float:
    """What changes are ranked by: cost over what stays solved at worst, as a ratio.

    A run that a lever would have ended early is taken to be lost if it is recorded as solved.

    Args:
        change: A change.
        solved: Runs recorded as solved; None where traces do not say.
    """
    found = change.usd.mean if change.usd.mean is not None else change.tokens.mean
    cost = 1.0 if found is None else found
    if solved is None:
        return cost
    left = solved - change.cut_solved
    return cost * solved / left if left > 0 else float("inf")


def _tokens(runs: Sequence[Replayed]) -> int:
    return sum(r.input_tokens + r.output_tokens for r in runs)


def _total(runs: Sequence[Replayed], name: str) -> float | None:
    values = [getattr(r, name) for r in runs]
    return None if not values or None in values else float(sum(values))


def _ratio(
    after: Sequence[Replayed], base: Sequence[Replayed], name: str, sample: Sample | None
) -> Interval:
    top, bottom = ([_value(r, name) for r in runs] for runs in (after, base))
    if sample is None or None in top or None in bottom:
        return Interval(None, None, None, len(base))
    if top == bottom:
        known = 1.0 if any(bottom) else None
        return Interval(known, known, known, len(base))
    above, below = (np.array([v], dtype=float) for v in (top, bottom))
    return ratio_intervals(above, below, sample, alike=True)[0]


def _value(run: Replayed, name: str) -> float | None:
    if name == "tokens":
        return float(run.input_tokens + run.output_tokens)
    value = getattr(run, name)
    return None if value is None else float(value)
