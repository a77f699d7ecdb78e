"""The holdout: baseline, finalists and references on tasks that the search never saw."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from leanloop.core.configuration import Configuration
from leanloop.core.errors import SpentError
from leanloop.core.task import Task
from leanloop.search.ledger import Ledger
from leanloop.search.protocol import Jobs, Observer
from leanloop.search.runtable import RunTable
from leanloop.search.spec import StudySpec

KEPT = "what is left of the budget is kept for the holdout"
SAFETY = 1.1
"""What is kept for the holdout, over what it is expected to take."""
MOST = 0.5
"""Share of a dollar cap that is kept for the holdout at most."""


@dataclass
class Holdout:
    """Runs the holdout, and says how much of the budget the search has to leave for it.

    Args:
        spec: The study.
        ledger: Makes the runs.
        table: Runs of the search.
        fresh: Where runs of the holdout go.
        tasks: Tasks of the holdout.
        baseline: The configuration to beat.
        references: What else was asked about.
        after: Is called when some of its runs are made.
    """

    spec: StudySpec
    ledger: Ledger
    table: RunTable
    fresh: RunTable
    tasks: Sequence[Task]
    baseline: Configuration
    references: Mapping[str, Configuration]
    after: Callable[[], None] = lambda: None

    async def run(self, finalists: Sequence[Configuration], observer: Observer) -> None:
        """Make the runs; the best finalist and the baseline come first, in case money runs out.

        Under a dollar cap these two take turns, so that what was paid can be compared.
        """
        self.ledger.phase = "holdout"
        jobs: list[tuple[Configuration, Sequence[Task]]]
        first = [*finalists[:1], self.baseline]
        jobs = [(c, some) for some in self._parts() for c in first]
        jobs += [(c, self._some()) for c in self.references.values()]
        needed = len(jobs)
        jobs += [(c, self.tasks) for c in finalists[1:]]
        try:
            for i, (configuration, todo) in enumerate(jobs):
                self.ledger.left_s = self._expected(jobs[i:] if i >= needed else jobs[:needed])
                expected = self._expected([(configuration, todo)])
                made = not self.ledger.unmade(configuration, todo)
                if i >= needed and not made and not self._in_time(expected):
                    observer.note(f"no time for {configuration.id} on the holdout")
                    continue
                for run in await self.ledger.make([(configuration, todo)]):
                    self.fresh.add(run)
                self.after()
        except SpentError as error:
            observer.note(f"the holdout is not complete: {error}")

    def refuse(self, jobs: Jobs, alive: Sequence[Configuration]) -> str | None:
        """Why these runs of the search do not fit the budget; None when they do.

        Args:
            jobs: What is to be run.
            alive: Configurations that may come to be finalists.
        """
        more = [(c, self.ledger.unmade(c, tasks)) for c, tasks in jobs]
        if not any(count for _, count in more):
            # What an earlier session made is there for the asking.
            return None
        # Counted as in the session that made them, or a replay would find room for others.
        ahead = sum(self.ledger.ahead(c, tasks) for c, tasks in jobs)
        cap = self._run_cap(len(self.ledger.runs) + ahead)
        if cap is not None:
            return f"the cap of {cap:,} runs leaves no room for another block"
        self.ledger.left_s = self._kept(alive, "latency_s")
        seconds = sum(self._mean(c, "latency_s") * n for c, n in more)
        if not self._in_time(seconds + SAFETY * self.ledger.left_s):
            return f"{KEPT}: the cap of {self.spec.budget.max_wall_s:g} s"
        if not self._affordable(sum(self._mean(c, "usd") * n for c, n in more), alive):
            return f"{KEPT}: the cap of ${self.ledger.orders.max_usd():g}"
        return None

    def _run_cap(self, runs: int) -> int | None:
        """The cap that so many runs would pass; None where there is room."""
        for now in (False, True):
            cap = self.ledger.orders.max_runs(now=now)
            if cap is None or runs <= cap:
                return None
        return cap

    def _parts(self) -> Sequence[Sequence[Task]]:
        if self.spec.budget.max_usd is None:
            return [self.tasks]
        size = self.spec.plan.block
        return [self.tasks[i : i + size] for i in range(0, len(self.tasks), size)]

    def _some(self) -> Sequence[Task]:
        return self.tasks[: self.spec.plan.reference_tasks]

    def _kept(self, alive: Sequence[Configuration], axis: str) -> float:
        """What the holdout is expected to take on an axis, no finalist dearer than the baseline."""
        some = self._some()
        jobs = [(self.baseline, self.tasks), *((c, some) for c in self.references.values())]
        dearest = self._mean(self.baseline, axis)
        means = sorted(self._mean(c, axis) for c in alive if c != self.baseline)
        finalists = sum(min(m, dearest) for m in means[: self.spec.plan.finalists])
        return self._expected(jobs, axis) + finalists * len(self.tasks)

    def _affordable(self, usd: float, alive: Sequence[Configuration]) -> bool:
        for now in (False, True):
            cap = self.ledger.orders.max_usd(now=now)
            if cap is None:
                return True
            kept = min(SAFETY * self._kept(alive, "usd"), MOST * cap)
            if self.ledger.purse.spent_usd + Decimal(kept + usd) <= Decimal(cap):
                return True
        return False

    def _in_time(self, more_s: float) -> bool:
        cap = self.spec.budget.max_wall_s
        return cap is None or self.ledger.elapsed_s + more_s < cap

    def _mean(self, configuration: Configuration, axis: str) -> float:
        """Mean cost of a run; the baseline's where it has not been run, nothing when unknown."""
        for known in (configuration, self.baseline):
            mean = self.table.means(known)[axis]
            if not math.isnan(mean):
                return mean
        return 0.0

    def _expected(self, jobs: Jobs, axis: str = "latency_s") -> float:
        found = 0.0
        for configuration, tasks in jobs:
            ran = set(self.fresh.tasks(configuration))
            found += self._mean(configuration, axis) * sum(t.task_id not in ran for t in tasks)
        return found
