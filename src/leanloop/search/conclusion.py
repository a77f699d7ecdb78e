"""What a pass of a study found, put together once its runs are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from leanloop.core.configuration import Configuration
from leanloop.core.run import Run
from leanloop.core.task import Split, Task
from leanloop.search.ledger import Ledger
from leanloop.search.members import Members, dropped_member
from leanloop.search.race import Race, Standing
from leanloop.search.recommend import break_even, recommend
from leanloop.search.recorded import RECORDED_EVIDENCE
from leanloop.search.result import Member, Result
from leanloop.search.steps import cost_by_step
from leanloop.search.stream_figures import AlongStream, along_stream
from leanloop.search.subject import Subject
from leanloop.search.task_report import TaskReport, report_tasks
from leanloop.suites.contamination import Overlap

EVIDENCE = {
    "tokens": "reported by the model's server",
    "latency_s": "measured here",
    "usd": "computed from the prices named under prices",
    "success": "the suite's verifier",
}


@dataclass(frozen=True)
class Conclusion:
    """Puts the result together.

    Args:
        study: What was optimised.
        ledger: Has the runs.
        contest: The race.
        members: Says what the runs of a configuration show.
        references: What else was asked about.
        search_tasks: Tasks of the search split.
        holdout_tasks: Tasks of the holdout.
        copies: Near copies among them, as ``copies_in_holdout`` gives them.
    """

    study: Subject
    ledger: Ledger
    contest: Race
    members: Members
    references: Mapping[str, Configuration]
    search_tasks: Sequence[Task]
    holdout_tasks: Sequence[Task]
    copies: Sequence[Overlap]

    def result(self, standing: Standing, finalists: Sequence[Configuration]) -> Result:
        """The result.

        Args:
            standing: Of the race at its end.
            finalists: Those that were taken to the holdout, the best first.
        """
        spec, members = self.study.spec, self.members
        on = standing.members
        alive = [c for c in self.contest.alive if c not in on]
        alive.sort(key=lambda c: -(standing.chances.get(c) or 0.0))
        known = {c: self._member(c, standing) for c in [*on, *alive]}
        chosen, why = recommend(known, finalists, members.rule)
        usd = None if self.ledger.purse.unknown_calls else float(self.ledger.purse.spent_usd)
        base = self._member(members.baseline, standing)
        return Result(
            study=spec.name,
            runs=len(self.ledger.runs),
            configurations=len({k.configuration_id for k in self.ledger.runs}),
            baseline=base,
            frontier=tuple(known[c] for c in on),
            recommended=chosen.id if chosen else None,
            recommendation=why,
            references={n: self._member(c, standing) for n, c in self.references.items()},
            levers=tuple(members.effects(self.study.space())),
            # One that got no more runs, being within the margins of a rival, may be as good.
            dropped=tuple(
                dropped_member(d) for d in self.contest.dropped if d.configuration not in on
            ),
            steps=cost_by_step(self._baseline_runs(), self.study.prices),
            prices=self.study.price_labels(),
            search_usd=usd,
            break_even_tasks=break_even(usd, base, chosen),
            elapsed_s=self.ledger.elapsed_s,
            stopped_because=self.contest.stopped_because,
            margin=spec.margin,
            objectives={n: str(d) for n, d in spec.objectives.items()},
            evidence=EVIDENCE if self.study.recorded is None else RECORDED_EVIDENCE,
            runs_used=sum(r.split is Split.SEARCH for r in self.ledger.runs.values()),
            others=tuple(known[c] for c in alive),
            p_wrong=standing.wrong,
            p_helps=standing.helps,
            constraints=spec.constraints,
            streams=tuple(self._along_streams(dict.fromkeys([*on, *finalists]))),
            tasks=self._task_report(),
        )

    def _task_report(self) -> TaskReport:
        runs = list(self.ledger.runs.values())
        usd, judge_usd = self.study.prices.test_usd(runs), self.study.judge_usd
        found = report_tasks(self.search_tasks, self.holdout_tasks, runs, self.copies)
        remarks, unknown = found.remarks, self.ledger.purse.unknown_calls
        if unknown and self.study.spec.budget.max_usd is not None:
            said = "have no known price, so the cap in dollars could not count them; name a price"
            remarks = (*remarks, f"{unknown} calls {said}.")
        return msgspec.structs.replace(
            found,
            remarks=remarks,
            judge=self.study.judge,
            test_usd=None if usd is None or judge_usd is None else float(usd) + judge_usd,
        )

    def _along_streams(self, some: Iterable[Configuration]) -> Iterable[AlongStream]:
        streams, members = self.ledger.streams, self.members
        tasks = {Split.SEARCH: self.search_tasks, Split.HOLDOUT: self.holdout_tasks}
        for configuration in some:
            if streams.carries(configuration) and any(t.stream for t in self.search_tasks):
                held, pair = streams.held(configuration), (members.baseline, configuration)
                yield along_stream((members.table, members.fresh), pair, tasks, held)

    def _member(self, configuration: Configuration, standing: Standing) -> Member:
        return self.members.member(configuration, standing.chances.get(configuration))

    def _baseline_runs(self) -> list[Run]:
        return [
            r
            for k, r in self.ledger.runs.items()
            if k.configuration_id == self.members.baseline.id and r.split is Split.SEARCH
        ]
