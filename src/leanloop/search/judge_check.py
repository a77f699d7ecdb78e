"""Tries a judge on labelled answers before a study trusts it; kept and paid like any run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

import msgspec
import numpy as np

from leanloop.core.configuration import Configuration
from leanloop.core.errors import OutageError
from leanloop.core.message import Request, Response
from leanloop.core.run import ModelCall, Run, RunKey, Status
from leanloop.core.task import Task
from leanloop.models.protocol import Model
from leanloop.pricing.cost import PriceBook
from leanloop.search.ledger import Ledger, Terms
from leanloop.search.protocol import Observer
from leanloop.search.task_report import Agreement, say_agreement
from leanloop.stats.interval import proportion_interval
from leanloop.store.protocol import Store, StudyRecord
from leanloop.suites.judge import JudgingSuite

WHOLE = Configuration()
"""What the runs are kept under: a judge has no levers."""


@dataclass(frozen=True)
class JudgeRunner:
    """Judges labelled answers.

    Args:
        suite: Whose judge.
        models: The study's models by name.
        check: Raises SpentError once nothing may be spent any more.
        pay: Takes what a call cost.
        price: Dollars of a call.
    """

    suite: JudgingSuite
    models: Mapping[str, Model]
    price: Callable[[ModelCall], Decimal | None]
    check: Callable[[], None] = lambda: None
    pay: Callable[[Decimal | None], None] = lambda _: None

    @property
    def concurrency(self) -> int:
        """As many at once as the judge takes requests."""
        return min(self.models[name].concurrency for name in self.suite.models)

    def paying(
        self, check: Callable[[], None], pay: Callable[[Decimal | None], None]
    ) -> JudgeRunner:
        """The same, its calls paid from somewhere."""
        return replace(self, check=check, pay=pay)

    async def run(self, configuration: Configuration, task: Task) -> Run:
        """Judge one answer."""
        calls: list[ModelCall] = []
        started_at, start = time.time(), time.perf_counter()
        success: float | None = None
        status, reason = Status.FINISHED, ""

        async def ask(request: Request) -> Response:
            self.check()
            asked_at = time.time()
            response = await self.models[request.model].complete(request)
            ref = response.model_ref or self.models[request.model].ref
            call = ModelCall(
                request.model, ref, "judge", response.tokens, response.latency_s, asked_at
            )
            calls.append(call)
            self.pay(self.price(call))
            return response

        try:
            success = await self.suite.judged(task, ask)
        except OutageError as error:
            status, reason = Status.OUTAGE, str(error)
        wall_s = time.perf_counter() - start
        return Run(
            key=RunKey(configuration.id, task.task_id),
            split=task.split,
            status=status,
            success=success,
            steps=(),
            wall_s=wall_s,
            critical_path_s=wall_s,
            started_at=started_at,
            reason=reason,
            test_calls=tuple(calls),
        )


@dataclass(frozen=True)
class JudgeTrial:
    """What trying a judge needs.

    Args:
        record: The study's; the trial is kept beside it, as ``NAME's judge``.
        store: Where.
        prices: Prices its calls.
        observer: Told of the outcome.
        max_usd: The study's cap; None for none.
    """

    record: StudyRecord
    store: Store
    prices: PriceBook
    observer: Observer
    max_usd: float | None

    async def run(
        self, suite: JudgingSuite, models: Mapping[str, Model]
    ) -> tuple[Agreement | None, float | None]:
        """Judge every labelled answer that was not judged before.

        Returns:
            How far they agree, None without labels; and the dollars that it took, None when
            unknown.
        """
        tasks = suite.labelled()
        if not tasks:
            return None, 0.0
        record = msgspec.structs.replace(self.record, name=f"{self.record.name}'s judge")
        self.store.open_study(record)
        runner = JudgeRunner(suite, models, self.prices.call_usd)
        ledger = Ledger(
            record.name, runner, self.prices, self.store, self.observer, Terms(self.max_usd)
        )
        # Into the study's own purse, so that its cap holds over both.
        ledger.purse.keep = partial(self.store.pay, self.record.name)
        async with ledger.open():
            runs = await ledger.make([(WHOLE, tasks)])
        agreement = agreement_of(suite, tasks, runs)
        self.observer.note(say_agreement(agreement))
        usd = self.prices.test_usd(runs)
        return agreement, None if usd is None else float(usd)


def agreement_of(suite: JudgingSuite, tasks: Sequence[Task], runs: Sequence[Run]) -> Agreement:
    """How far a judge agrees with the labels.

    Args:
        suite: Whose judge and labels.
        tasks: The labelled answers.
        runs: What the judge made of each, in their order.
    """
    pairs = [
        (suite.label(t).success, r.success == 1)
        for t, r in zip(tasks, runs, strict=True)
        if r.success is not None
    ]
    labels = np.array([label for label, _ in pairs], dtype=np.bool_)
    said = np.array([verdict for _, verdict in pairs], dtype=np.bool_)
    return Agreement(
        model=suite.models[0],
        share=proportion_interval((labels == said).astype(np.float64)),
        kappa=_kappa(labels, said),
        false_right=float(said[~labels].mean()) if (~labels).any() else None,
        false_wrong=float((~said[labels]).mean()) if labels.any() else None,
        unjudged=len(tasks) - len(pairs),
    )


def _kappa(labels: np.ndarray, said: np.ndarray) -> float | None:
    if not len(labels):
        return None
    p, q = float(labels.mean()), float(said.mean())
    chance = p * q + (1 - p) * (1 - q)
    return None if chance == 1 else (float((labels == said).mean()) - chance) / (1 - chance)
