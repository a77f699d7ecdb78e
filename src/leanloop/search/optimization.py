"""One pass of a study: the race, the holdout, the result."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from leanloop.core.configuration import Configuration
from leanloop.core.errors import StoppedError
from leanloop.core.task import Split
from leanloop.search import doomed
from leanloop.search.builtin import PROPOSERS
from leanloop.search.conclusion import Conclusion
from leanloop.search.constraints import Constraints, read_constraint
from leanloop.search.holdout import Holdout
from leanloop.search.ledger import Ledger
from leanloop.search.members import Members, dropped_member, known_chance
from leanloop.search.protocol import Jobs, Observer
from leanloop.search.question import Question
from leanloop.search.race import FEWEST, Race, Standing
from leanloop.search.recommend import by_cost_per_solved
from leanloop.search.recorded import NAME, RecordedOnly
from leanloop.search.result import Result, Rule, settings_of
from leanloop.search.runtable import RunTable
from leanloop.search.snapshot import Judged, Phase, Snapshot, Snapshots
from leanloop.search.subject import Subject
from leanloop.search.task_report import TaskReport, copies_in_holdout, say_tasks
from leanloop.search.transfer import TransferProposer
from leanloop.search.universe import Universe

UNLIKELY = 0.05
"""Probability of being on the frontier below which nothing is run on a recorded holdout."""


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
        self.members = Members(self.table, self.fresh, self.baseline, self.rule, self.constraints)
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
        conclusion = Conclusion(
            self.study,
            self.ledger,
            self.contest,
            self.members,
            self.references,
            self.search_tasks,
            self.holdout.tasks,
            self.copies,
        )
        return conclusion.result(standing, finalists)

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
        chances = {c.id: known_chance(p) for c, p in standing.chances.items()}
        return Judged(
            runs=len(self.ledger.runs),
            members=tuple(c.id for c in standing.members),
            chances=chances,
            p_wrong=known_chance(standing.wrong),
            p_helps=known_chance(standing.helps),
            levers=tuple(self.members.effects(self.study.space())),
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
            dropped=tuple(map(dropped_member, contest.dropped)),
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
