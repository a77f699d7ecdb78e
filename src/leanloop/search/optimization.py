"""One pass of a study: the race, the holdout, the result."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import msgspec

from leanloop.core.configuration import Configuration, Setting
from leanloop.core.errors import StoppedError
from leanloop.core.run import Run
from leanloop.core.task import Split, Task
from leanloop.pricing.cost import PriceBook
from leanloop.search import doomed
from leanloop.search.builtin import PROPOSERS
from leanloop.search.constraints import Constraints, read_constraint
from leanloop.search.dropping import Dropped
from leanloop.search.holdout import Holdout
from leanloop.search.ledger import Ledger
from leanloop.search.protocol import Jobs, Observer
from leanloop.search.question import Question
from leanloop.search.race import FEWEST, Race, Standing
from leanloop.search.recommend import break_even, by_cost_per_solved, recommend
from leanloop.search.recorded import NAME, RECORDED_EVIDENCE, RecordedOnly, RecordedRuns
from leanloop.search.result import (
    DroppedMember,
    Figures,
    LeverEffect,
    Member,
    Optimism,
    Result,
    Rule,
    figures,
    optimism,
    settings_of,
    verdict,
)
from leanloop.search.runtable import RunTable
from leanloop.search.snapshot import Judged, Phase, Snapshot, Snapshots
from leanloop.search.spec import StudySpec
from leanloop.search.steps import cost_by_step
from leanloop.search.stream_figures import AlongStream, along_stream
from leanloop.search.task_report import (
    Agreement,
    TaskReport,
    copies_in_holdout,
    report_tasks,
    say_tasks,
)
from leanloop.search.transfer import TransferProposer
from leanloop.search.universe import Universe

EVIDENCE = {
    "tokens": "reported by the model's server",
    "latency_s": "measured here",
    "usd": "computed from the prices named under prices",
    "success": "the suite's verifier",
}

UNLIKELY = 0.05
"""Probability of being on the frontier below which nothing is run on a recorded holdout."""


class Tasks(Protocol):
    """What has tasks in two splits."""

    def tasks(self, split: Split) -> Sequence[Task]:
        """Tasks of a split."""


class Subject(Protocol):
    """What is optimised: a study."""

    spec: StudySpec
    prices: PriceBook
    recorded: RecordedRuns | None
    tasks: Tasks
    judge: Agreement | None
    judge_usd: float | None

    def space(self) -> dict[str, tuple[Setting, ...]]:
        """Lever to the settings to try."""

    def configuration(self, settings: Mapping[str, Any], where: str) -> Configuration:
        """Lever settings as a configuration."""

    def price_labels(self) -> dict[str, str]:
        """What each model is and where its price comes from."""


@dataclass
class Optimization:
    """One pass of a study.

    Args:
        study: It.
        ledger: Makes the runs.
        observer: Watches.
        earlier: Configurations to look at first; those outside the space are left out.
    """

    study: Subject
    ledger: Ledger
    observer: Observer
    earlier: Sequence[Configuration] = ()

    def __post_init__(self) -> None:
        study, spec = self.study, self.study.spec
        self.spec = spec
        self.baseline = study.configuration(spec.baseline, "baseline")
        self.table, self.fresh = RunTable(study.prices), RunTable(study.prices)
        self.search_tasks = list(study.tasks.tasks(Split.SEARCH))
        self.references = {
            name: self.baseline.changed(study.configuration(changes, f"references.{name}"))
            for name, changes in spec.references.items()
        }
        self.holdout = Holdout(
            spec,
            self.ledger,
            self.table,
            self.fresh,
            list(study.tasks.tasks(Split.HOLDOUT)),
            self.baseline,
            self.references,
            self._offer,
        )
        self.snapshots = Snapshots(self.ledger.save_standing)
        every = [read_constraint(text, "constraints") for text in spec.constraints]
        self.constraints = Constraints(every, self.baseline) if every else None
        costs = [name for name in spec.objectives if name != "success"]
        # What was recorded has names of tasks and no words to compare.
        words = study.recorded is None
        self.copies = copies_in_holdout(self.search_tasks, self.holdout.tasks) if words else []
        self.rule = Rule(spec.margin, costs[0] if costs else "usd")
        self.lesson = doomed.DoomLesson(spec.seed)
        self.universe = self._universe()
        self.contest = Race(
            self._make, self.table, self.universe, spec.plan, self._question(), self._refuse
        )

    async def run(self) -> Result:
        """The race, the holdout, the result."""
        self._look_at_tasks()
        try:
            return await self._run()
        except StoppedError:
            self.show("stopped")
            raise

    async def _run(self) -> Result:
        self.show("search")
        await self._race()
        standing = self.contest.standing()
        self.snapshots.judged = self._judged(standing)
        finalists = self._finalists(standing)
        self.show("holdout")
        await self.holdout.run(finalists, self.observer)
        return self._result(standing, finalists)

    def _look_at_tasks(self) -> None:
        """Say before anything is spent that the holdout is not what it should be."""
        if self.copies:
            report = TaskReport(holdout=len(self.holdout.tasks), copies=len(self.copies))
            report = msgspec.structs.replace(report, overlaps=tuple(self.copies[:1]))
            self.observer.note(" ".join(say_tasks(report)))

    def show(self, phase: Phase) -> None:
        """Save how the study stands, for those who watch it."""
        self.snapshots.save(partial(self._snapshot, phase))

    def _offer(self) -> None:
        """Save how the study stands, if that takes little of its time."""
        phase: Phase = "holdout" if self.ledger.phase == "holdout" else "search"
        judge = self._judge if phase == "search" else self._as_judged
        self.snapshots.offer(partial(self._snapshot, phase), judge)

    def _judge(self) -> Judged:
        return self._judged(self.contest.standing())

    def _as_judged(self) -> Judged:
        return self.snapshots.judged or self._judge()

    def _judged(self, standing: Standing) -> Judged:
        chances = {c.id: _known(p) for c, p in standing.chances.items()}
        return Judged(
            runs=len(self.ledger.runs),
            members=tuple(c.id for c in standing.members),
            chances=chances,
            p_wrong=_known(standing.wrong),
            p_helps=_known(standing.helps),
            levers=tuple(self._effects()),
        )

    def _snapshot(self, phase: Phase, judged: Judged | None) -> Snapshot:
        ledger, contest = self.ledger, self.contest
        out = [d.configuration for d in contest.dropped]
        every = [self.baseline, *contest.alive, *out, *self.references.values()]
        return Snapshot(
            phase=phase,
            saved_at=time.time(),
            owner=ledger.owner,
            baseline=self.baseline.id,
            references={name: c.id for name, c in self.references.items()},
            settings={c.id: settings_of(c) for c in every},
            alive=tuple(c.id for c in contest.alive),
            dropped=tuple(map(_dropped, contest.dropped)),
            runs=len(ledger.runs),
            search_runs=sum(r.split is Split.SEARCH for r in ledger.runs.values()),
            spent_usd=None if ledger.purse.unknown_calls else float(ledger.purse.spent_usd),
            elapsed_s=ledger.elapsed_s,
            left_s=ledger.left_s,
            max_usd=ledger.orders.max_usd(),
            max_runs=ledger.orders.max_runs(),
            max_wall_s=self.spec.budget.max_wall_s,
            stopped_because=contest.stopped_because,
            judged=judged,
        )

    async def _race(self) -> None:
        make = PROPOSERS[self.spec.plan.propose]
        proposer = make(self.universe, self.spec.objectives, self.spec.seed)
        if self.study.recorded is not None:
            for note in self.study.recorded.notes:
                self.observer.note(note)
            proposer = RecordedOnly(proposer, self.study.recorded.has)
        if self.earlier:
            inside = [c for c in self.earlier if self.universe.has(c)]
            self.observer.note(
                f"{len(inside)} configurations of study {self.spec.plan.transfer!r} come first"
            )
            proposer = TransferProposer(proposer, inside)
        await self.contest.run(proposer, self.search_tasks, self._opening())
        self.observer.note(f"search ended: {self.contest.stopped_because}")

    def _universe(self) -> Universe:
        recorded, space = self.study.recorded, self.study.space()
        if recorded is None:
            return Universe(self.baseline, space)
        return Universe(self.baseline, space, recorded.configurations, unrelated=[NAME])

    def _opening(self) -> int:
        """Configurations to begin with: each lever alone and some more, for half the runs at most.

        A few beyond each lever alone are there to tell how levers combine.
        """
        wanted = max(FEWEST, 4 * self.universe.alone)
        cap = self.spec.max_runs
        return wanted if cap is None else max(2, min(wanted, cap // (2 * self.spec.plan.block)))

    def _question(self) -> Question:
        spec, budget = self.spec, self.spec.budget
        currency = "runs" if budget.max_wall_s is None else "latency_s"
        # Recorded tasks are all that there are; a suite's stand for those to come.
        known = len(self.search_tasks) + len(self.holdout.tasks)
        return Question(
            spec.objectives,
            (spec.margin, spec.plan.cost_margin),
            currency if budget.max_usd is None else "usd",
            None if self.study.recorded is None else known,
            spec.seed,
            self.constraints,
        )

    async def _make(self, jobs: Jobs) -> None:
        self.ledger.alive = len(self.contest.alive)
        self.ledger.dropped = len(self.contest.dropped)
        self._learn()
        for run in await self.ledger.make(jobs):
            self.table.add(run)
        self._offer()

    def _learn(self) -> None:
        """Teach the lever that ends doomed runs, once enough has been seen."""
        if doomed.LEVER not in self.study.space():
            return
        runs = [r for r in self.ledger.runs.values() if r.split is Split.SEARCH]
        learned = self.lesson.learn(runs)
        if learned is not None:
            self.ledger.teach(learned)
            self.observer.note(f"{doomed.LEVER} was learned from {len(runs)} runs")

    def _refuse(self, jobs: Jobs) -> str | None:
        return self.holdout.refuse(jobs, self.contest.alive)

    def _finalists(self, standing: Standing) -> list[Configuration]:
        """Members of the frontier by what a solved task costs, then others that look good."""
        count = self.spec.plan.finalists
        ranked = self._ranked(standing.members)
        likely = [c for c in self.contest.alive if (standing.chances.get(c) or 0) >= UNLIKELY]
        every = list(dict.fromkeys([*ranked, *self._ranked(likely)]))
        # A look-up takes no time: everything that may be on the frontier has its holdout.
        return every[:count] if self.study.recorded is None else every

    def _ranked(self, some: Iterable[Configuration]) -> list[Configuration]:
        ranked = by_cost_per_solved(self.table, some, self.baseline, self.rule)
        if self.constraints is None:
            return ranked
        return [c for c in ranked if self.constraints.looks_kept(self.table, c)]

    def _result(self, standing: Standing, finalists: Sequence[Configuration]) -> Result:
        on = standing.members
        alive = [c for c in self.contest.alive if c not in on]
        alive.sort(key=lambda c: -(standing.chances.get(c) or 0.0))
        members = {c: self._member(c, standing) for c in [*on, *alive]}
        chosen, why = recommend(members, finalists, self.rule)
        usd = None if self.ledger.purse.unknown_calls else float(self.ledger.purse.spent_usd)
        base = self._member(self.baseline, standing)
        return Result(
            study=self.spec.name,
            runs=len(self.ledger.runs),
            configurations=len({k.configuration_id for k in self.ledger.runs}),
            baseline=base,
            frontier=tuple(members[c] for c in on),
            recommended=chosen.id if chosen else None,
            recommendation=why,
            references={n: self._member(c, standing) for n, c in self.references.items()},
            levers=tuple(self._effects()),
            # One that got no more runs, being within the margins of a rival, may be as good.
            dropped=tuple(_dropped(d) for d in self.contest.dropped if d.configuration not in on),
            steps=cost_by_step(self._runs_of(self.baseline), self.study.prices),
            prices=self.study.price_labels(),
            search_usd=usd,
            break_even_tasks=break_even(usd, base, chosen),
            elapsed_s=self.ledger.elapsed_s,
            stopped_because=self.contest.stopped_because,
            margin=self.spec.margin,
            objectives={n: str(d) for n, d in self.spec.objectives.items()},
            evidence=EVIDENCE if self.study.recorded is None else RECORDED_EVIDENCE,
            runs_used=sum(r.split is Split.SEARCH for r in self.ledger.runs.values()),
            others=tuple(members[c] for c in alive),
            p_wrong=standing.wrong,
            p_helps=standing.helps,
            constraints=self.spec.constraints,
            streams=tuple(self._along_streams(dict.fromkeys([*on, *finalists]))),
            tasks=self._task_report(),
        )

    def _task_report(self) -> TaskReport:
        runs = list(self.ledger.runs.values())
        usd, judge_usd = self.study.prices.test_usd(runs), self.study.judge_usd
        found = report_tasks(self.search_tasks, self.holdout.tasks, runs, self.copies)
        remarks, unknown = found.remarks, self.ledger.purse.unknown_calls
        if unknown and self.spec.budget.max_usd is not None:
            said = "have no known price, so the cap in dollars could not count them; name a price"
            remarks = (*remarks, f"{unknown} calls {said}.")
        return msgspec.structs.replace(
            found,
            remarks=remarks,
            judge=self.study.judge,
            test_usd=None if usd is None or judge_usd is None else float(usd) + judge_usd,
        )

    def _along_streams(self, some: Iterable[Configuration]) -> Iterable[AlongStream]:
        streams = self.ledger.streams
        tasks = {Split.SEARCH: self.search_tasks, Split.HOLDOUT: self.holdout.tasks}
        for configuration in some:
            if streams.carries(configuration) and any(t.stream for t in self.search_tasks):
                entries = sum(map(len, streams.memories(configuration).values()))
                pair = self.baseline, configuration
                yield along_stream((self.table, self.fresh), pair, tasks, entries)

    def _member(self, configuration: Configuration, standing: Standing) -> Member:
        ran = bool(self.fresh.count(configuration))
        other = configuration != self.baseline
        table = self.fresh if ran else self.table
        search = figures(self.table, configuration)
        holdout = figures(self.fresh, configuration) if ran else None
        chance = standing.chances.get(configuration)
        return Member(
            id=configuration.id,
            settings=settings_of(configuration),
            p_frontier=_known(chance),
            search=search,
            holdout=holdout,
            verdict=verdict(self.fresh, self.baseline, configuration, self.rule)
            if ran and other
            else None,
            search_verdict=verdict(self.table, self.baseline, configuration, self.rule)
            if other
            else None,
            constraints=()
            if self.constraints is None
            else self.constraints.check(table, configuration, "holdout" if ran else "search"),
            optimism=None if holdout is None else self._optimism(search, holdout),
        )

    def _optimism(self, search: Figures, holdout: Figures) -> Optimism | None:
        fresh = self.fresh.count(self.baseline)
        after = figures(self.fresh, self.baseline) if fresh else None
        return optimism(
            search, holdout, (figures(self.table, self.baseline), after), self.rule.cost
        )

    def _effects(self) -> Iterable[LeverEffect]:
        for name, settings in self.study.space().items():
            for setting in settings:
                alone = self.baseline.changed({name: setting})
                if alone != self.baseline and self.table.count(alone):
                    found = verdict(self.table, self.baseline, alone, self.rule)
                    yield LeverEffect(name, setting, found)

    def _runs_of(self, configuration: Configuration) -> list[Run]:
        return [
            r
            for k, r in self.ledger.runs.items()
            if k.configuration_id == configuration.id and r.split is Split.SEARCH
        ]


def _known(chance: float | None) -> float | None:
    return None if chance is None or math.isnan(chance) else chance


def _dropped(dropped: Dropped) -> DroppedMember:
    settings = settings_of(dropped.configuration)
    rival = None if dropped.rival is None else dropped.rival.id
    return DroppedMember(
        dropped.configuration.id, settings, rival, dropped.probability, dropped.n, dropped.breaks
    )
