"""A study: search, then baseline and finalists again on tasks that the search never saw."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import msgspec

from leanloop.core.configuration import Configuration, Setting
from leanloop.core.errors import SpentError
from leanloop.core.run import Run
from leanloop.core.task import Split, Task
from leanloop.judging.reading import Selection
from leanloop.levers.builtin import all_levers
from leanloop.loop.agent import Agent, Limits
from leanloop.models.builtin import build_model
from leanloop.models.protocol import Model
from leanloop.models.weights import Progress as FetchProgress
from leanloop.search.ledger import Ledger, Terms, names_of
from leanloop.search.propose import OptunaProposer
from leanloop.search.protocol import Observer, Proposer, Runner
from leanloop.search.race import Dropped, Race
from leanloop.search.recorded import NAME, RECORDED_EVIDENCE, RecordedOnly, RecordedRuns
from leanloop.search.result import (
    DroppedMember,
    LeverEffect,
    Member,
    Result,
    Rule,
    figures,
    settings_of,
    verdict,
)
from leanloop.search.runtable import RunTable
from leanloop.search.spec import SearchPlan, StudySpec, check_study, read_study
from leanloop.search.steps import cost_by_step
from leanloop.stats.interval import Interval
from leanloop.store.protocol import Store, StudyRecord
from leanloop.suites.builtin import build_suite
from leanloop.suites.protocol import Suite

EVIDENCE = {
    "tokens": "reported by the model's server",
    "latency_s": "measured here",
    "usd": "computed from the prices named under prices",
    "success": "the suite's verifier",
}

SAFETY = 1.1
"""What is kept for the holdout, over what it is expected to take."""


class Tasks(Protocol):
    """What has tasks in two splits."""

    def tasks(self, split: Split) -> Sequence[Task]:
        """Tasks of a split."""


class Silent:
    """An observer that looks away."""

    def run_done(self, configuration: Configuration, run: Run, progress: object) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


class Study:
    """A study in Python: the same as its TOML file, and any suite or model object.

    Args:
        spec: What is studied.
        suite: The tasks; built from the description when None.
        models: Models by the study's names; built from the description when None.

    Raises:
        BadInputError: The description is wrong.
    """

    def __init__(
        self,
        spec: StudySpec,
        *,
        suite: Suite | None = None,
        models: Mapping[str, Model] | None = None,
    ) -> None:
        check_study(spec)
        self.spec = spec
        self.prices = spec.price_book()
        self.recorded = _recorded(spec)
        self.suite: Tasks = self.recorded or suite or _suite(spec)
        self._models = dict(models) if models is not None else {}

    @classmethod
    def from_toml(cls, path: Path) -> Study:
        """The study that a file describes.

        Raises:
            BadInputError: The file or a field of it is wrong.
        """
        return cls(read_study(path))

    def load_models(self, progress: FetchProgress | None = None) -> None:
        """Build the models, fetching weights where they are missing.

        Raises:
            BadInputError: A model cannot be had.
        """
        for alias, spec in self.spec.models.items():
            if alias not in self._models:
                self._models[alias] = build_model(alias, spec, progress)

    def runner(self) -> Runner:
        """What makes runs: leanloop's own agent, or the look-up of recorded ones."""
        if self.recorded is not None:
            return self.recorded
        self.load_models()
        limits = self.spec.limits
        return Agent(
            cast(Suite, self.suite),
            self._models,
            self.spec.default_model,
            all_levers(),
            Limits(limits.max_steps, limits.timeout_s, limits.max_output_tokens),
        )

    def space(self) -> dict[str, tuple[Setting, ...]]:
        """Lever to the settings to try."""
        return self.spec.space() if self.recorded is None else self.recorded.space()

    def configuration(self, settings: Mapping[str, Any], where: str) -> Configuration:
        """Lever settings as a configuration of this study.

        Raises:
            BadInputError: A lever or a setting is unknown, or was not recorded.
        """
        if self.recorded is None:
            return self.spec.configuration(settings, where)
        return self.recorded.configuration(settings, where)

    def record(self) -> StudyRecord:
        """The study as a store keeps it."""
        text = msgspec.json.encode(self.spec).decode()
        return StudyRecord(self.spec.name, text, self.spec.fingerprint())

    async def close(self) -> None:
        """Close the models."""
        for model in self._models.values():
            await model.close()

    async def run_one(
        self, configuration: Configuration, split: Split, store: Store, observer: Observer
    ) -> Member:
        """Run one configuration on a split; runs that the store has are not made again."""
        store.open_study(self.record())
        ledger = self._ledger(store, observer)
        table = RunTable(self.prices)
        ledger.phase, ledger.alive = str(split), 1
        for run in await ledger.make(configuration, self.suite.tasks(split)):
            table.add(run)
        found = figures(table, configuration)
        empty = RunTable(self.prices)
        return Member(
            id=configuration.id,
            settings=settings_of(configuration),
            p_frontier=None,
            search=found if split is Split.SEARCH else figures(empty, configuration),
            holdout=found if split is Split.HOLDOUT else None,
        )

    async def optimize(self, store: Store, observer: Observer | None = None) -> Result:
        """Run the study, or go on with it, to its result."""
        watching = observer or Silent()
        store.open_study(self.record())
        search = _Search(self, self._ledger(store, watching), watching)
        await search.race()
        await search.holdout()
        return search.result()

    def _ledger(self, store: Store, observer: Observer) -> Ledger:
        spec = self.spec
        embedded = any(m.provider == "embedded" for m in spec.models.values())
        terms = Terms(spec.budget.max_usd, warm_up=embedded)
        return Ledger(spec.name, self.runner(), self.prices, store, observer, terms)

    def price_labels(self) -> dict[str, str]:
        """The study's name for each model, to what it is and where its price comes from."""
        labels = self.prices.labels()
        return {a: f"{ref}, {labels[a]}" for a, ref in names_of(self._models).items()}


@dataclass
class _Search:
    """One pass of a study: the race, the holdout, the result."""

    study: Study
    ledger: Ledger
    observer: Observer

    def __post_init__(self) -> None:
        spec = self.study.spec
        self.spec = spec
        self.baseline = self.study.configuration(spec.baseline, "baseline")
        self.table = RunTable(self.study.prices)
        self.fresh = RunTable(self.study.prices)
        self.holdout_tasks = list(self.study.suite.tasks(Split.HOLDOUT))
        self.search_tasks = list(self.study.suite.tasks(Split.SEARCH))
        self.references = {
            name: self.baseline.changed(self.study.configuration(changes, f"references.{name}"))
            for name, changes in spec.references.items()
        }
        self.finalists: list[Configuration] = []
        costs = [name for name in spec.objectives if name != "success"]
        self.rule = Rule(spec.margin, costs[0] if costs else "usd")
        self.contest = Race(
            self.ledger, self.table, self._plan(), spec.objectives, self.baseline, self._refuse
        )
        self.contest.margins = (spec.margin, spec.plan.cost_margin)

    def _plan(self) -> SearchPlan:
        """The plan; every configuration of recorded runs that has no levers may be proposed."""
        plan, recorded = self.spec.plan, self.study.recorded
        if recorded is None or list(recorded.space()) != [NAME]:
            return plan
        count = max(plan.proposals, len(recorded.configurations))
        return msgspec.structs.replace(plan, proposals=count)

    async def race(self) -> None:
        """The search."""
        space, objectives = self.study.space(), self.spec.objectives
        proposer: Proposer = OptunaProposer(space, self.baseline, objectives, self.spec.seed)
        if self.study.recorded is not None:
            for note in self.study.recorded.notes:
                self.observer.note(note)
            proposer = RecordedOnly(proposer, self.study.recorded.has)
        await self.contest.run(proposer, self.search_tasks)
        self.finalists = self._rank()[: self.spec.plan.finalists]
        if self.study.recorded is not None:
            # A look-up takes no time: everything that may be on the frontier has its holdout.
            chances = self.contest.contenders()
            likely = [c for c in self._rank() if chances[c] >= 1 - self.spec.plan.drop_at]
            self.finalists = list(dict.fromkeys([*self.finalists, *likely]))
        self.observer.note(f"search ended: {self.contest.stopped_because}")

    async def holdout(self) -> None:
        """Baseline, finalists and references on tasks that the search never saw."""
        self.ledger.phase = "holdout"
        tasks = self.holdout_tasks
        some = tasks[: self.spec.plan.reference_tasks]
        jobs = [(c, tasks) for c in [*self.finalists[:1], self.baseline]]
        jobs += [(c, some) for c in self.references.values()]
        needed = len(jobs)
        jobs += [(c, tasks) for c in self.finalists[1:]]
        try:
            for i, (configuration, todo) in enumerate(jobs):
                self.ledger.left_s = self._expected_s(jobs[i:] if i >= needed else jobs[:needed])
                expected = self._expected_s([(configuration, todo)])
                made = not self.ledger.unmade(configuration, todo)
                if i >= needed and not made and not self._fits(expected):
                    self.observer.note(f"no time for {configuration.id} on the holdout")
                    continue
                for run in await self.ledger.make(configuration, todo):
                    self.fresh.add(run)
        except SpentError as error:
            self.observer.note(f"the holdout is not complete: {error}")

    def result(self) -> Result:
        """What was found."""
        contenders = self.contest.contenders() if self.contest.alive else {}
        ordered = sorted(contenders, key=lambda c: -contenders[c])
        members = {c: self._member(c, contenders[c]) for c in ordered}
        recommended, why = self._recommend(members)
        usd = None if self.ledger.purse.unknown_calls else float(self.ledger.purse.spent_usd)
        base = self._member(self.baseline, contenders.get(self.baseline))
        return Result(
            study=self.spec.name,
            runs=len(self.ledger.runs),
            configurations=len({k.configuration_id for k in self.ledger.runs}),
            baseline=base,
            frontier=tuple(members.values()),
            recommended=recommended.id if recommended else None,
            recommendation=why,
            references={n: self._member(c, contenders.get(c)) for n, c in self.references.items()},
            levers=tuple(self._effects()),
            dropped=tuple(_dropped(d) for d in self.contest.dropped),
            steps=cost_by_step(self._runs_of(self.baseline, self.search_tasks), self.study.prices),
            prices=self.study.price_labels(),
            search_usd=usd,
            break_even_tasks=_break_even(usd, base, recommended),
            elapsed_s=self.ledger.elapsed_s,
            stopped_because=self.contest.stopped_because,
            margin=self.spec.margin,
            objectives={n: str(d) for n, d in self.spec.objectives.items()},
            evidence=EVIDENCE if self.study.recorded is None else RECORDED_EVIDENCE,
            runs_used=sum(r.split is Split.SEARCH for r in self.ledger.runs.values()),
        )

    def _member(self, configuration: Configuration, chance: float | None) -> Member:
        ran = bool(self.fresh.tasks(configuration))
        other = configuration != self.baseline
        return Member(
            id=configuration.id,
            settings=settings_of(configuration),
            p_frontier=None if chance is None or math.isnan(chance) else chance,
            search=figures(self.table, configuration),
            holdout=figures(self.fresh, configuration) if ran else None,
            verdict=verdict(self.fresh, self.baseline, configuration, self.rule)
            if ran and other
            else None,
            search_verdict=verdict(self.table, self.baseline, configuration, self.rule)
            if other
            else None,
        )

    def _effects(self) -> Iterable[LeverEffect]:
        for name, settings in self.study.space().items():
            for setting in settings:
                alone = self.baseline.changed({name: setting})
                if alone != self.baseline and self.table.tasks(alone):
                    found = verdict(self.table, self.baseline, alone, self.rule)
                    yield LeverEffect(name, setting, found)

    def _rank(self) -> list[Configuration]:
        """Contenders by what they pay for a solved task, those that look worse last."""
        floor = self.table.means(self.baseline)["success"] - self.spec.margin
        others = [c for c in self.contest.alive if c != self.baseline]
        return sorted(others, key=lambda c: self._rank_key(c, floor))

    def _rank_key(self, configuration: Configuration, floor: float) -> tuple[bool, float]:
        means = self.table.means(configuration)
        n = len(self.table.tasks(configuration))
        solved = means["success"] * n + 0.5
        cost = 1.0 if math.isnan(means[self.rule.cost]) else means[self.rule.cost]
        return means["success"] < floor, cost * n / solved

    def _recommend(self, members: Mapping[Configuration, Member]) -> tuple[Member | None, str]:
        """Of the finalists that the holdout confirms, the one that pays least for a solved task."""
        confirmed = [
            m
            for m in map(members.get, self.finalists)
            if m and m.verdict and m.verdict.worth_it and _solves(m)
        ]
        if not confirmed:
            return None, "no configuration was shown to be cheaper and not worse: keep the baseline"
        best = min(confirmed, key=lambda m: _per_solved(m, self.rule.cost))
        n = best.holdout.success.n if best.holdout else 0
        return best, f"{best.verdict.sentence if best.verdict else ''} on {n} holdout tasks"

    def _refuse(self, configuration: Configuration, tasks: Sequence[Task]) -> str | None:
        """Why these runs do not fit the budget; None when they do."""
        more = self.ledger.unmade(configuration, tasks)
        if not more:
            # What an earlier session made is there for the asking.
            return None
        budget = self.spec.budget
        if budget.max_runs is not None and len(self.ledger.runs) + more > budget.max_runs:
            return f"the cap of {budget.max_runs:,} runs leaves no room for another block"
        if budget.max_wall_s is None:
            return None
        some = self.holdout_tasks[: self.spec.plan.reference_tasks]
        self.ledger.left_s = self._expected_s(
            [(self.baseline, self.holdout_tasks), *((c, some) for c in self.references.values())]
        ) + self._finalists_s() * len(self.holdout_tasks)
        if self._fits(self._mean_s(configuration) * more + SAFETY * self.ledger.left_s):
            return None
        return "what is left of the budget is kept for the holdout"

    def _finalists_s(self) -> float:
        """Seconds of a task on all finalists that there may be, none slower than the baseline."""
        slowest = self._mean_s(self.baseline)
        means = sorted(self._mean_s(c) for c in self.contest.alive if c != self.baseline)
        return sum(min(m, slowest) for m in means[: self.spec.plan.finalists])

    def _fits(self, more_s: float) -> bool:
        cap = self.spec.budget.max_wall_s
        return cap is None or self.ledger.elapsed_s + more_s < cap

    def _mean_s(self, configuration: Configuration) -> float:
        """Mean seconds of a run; the baseline's where it has not been run."""
        for known in (configuration, self.baseline):
            mean = self.table.means(known)["latency_s"]
            if not math.isnan(mean):
                return mean
        return 0.0

    def _expected_s(self, jobs: Sequence[tuple[Configuration, Sequence[Task]]]) -> float:
        return sum(
            self._mean_s(c) * sum(t.task_id not in self.fresh.tasks(c) for t in tasks)
            for c, tasks in jobs
        )

    def _runs_of(self, configuration: Configuration, tasks: Sequence[Task]) -> list[Run]:
        ids = {t.task_id for t in tasks}
        return [
            r
            for k, r in self.ledger.runs.items()
            if k.configuration_id == configuration.id and k.task_id in ids
        ]


def _recorded(spec: StudySpec) -> RecordedRuns | None:
    suite = spec.suite
    if suite.recorded is None:
        return None
    selection = Selection(suite.select, suite.where)
    return RecordedRuns(suite.recorded, selection, suite.holdout, spec.seed)


def _suite(spec: StudySpec) -> Suite:
    return build_suite(spec.suite.name, spec.suite.options)


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


def _dropped(dropped: Dropped) -> DroppedMember:
    settings = settings_of(dropped.configuration)
    return DroppedMember(
        dropped.configuration.id, settings, dropped.rival.id, dropped.probability, dropped.n
    )


def _break_even(usd: float | None, baseline: Member, recommended: Member | None) -> int | None:
    """Tasks after which what the study cost is saved, by the holdout's means."""
    if usd is None or recommended is None or not (baseline.holdout and recommended.holdout):
        return None
    before, after = baseline.holdout.usd.mean, recommended.holdout.usd.mean
    if before is None or after is None or before <= after:
        return None
    return math.ceil(usd / (before - after))
