"""Stop at a number of dollars."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from leanloop.core.configuration import Setting
from leanloop.core.domain import Positive
from leanloop.core.run import ModelCall, Step
from leanloop.levers.protocol import GO, Answer, Card, RunContext, SimpleLever, Stage, Verdict


class UsdBudget(Stage):
    """Asks for the answer once the run's model calls have cost the budget.

    The calls of levers count as the acting model's do; a call of unknown price
    counts as none. The budget is passed by at most the step in which it is
    reached and the answering step.

    Args:
        budget_usd: US dollars.
        price: Dollars of a model call; None when they are unknown.
    """

    def __init__(self, budget_usd: Decimal, price: Callable[[ModelCall], Decimal | None]) -> None:
        self._left_usd = budget_usd
        self._price = price

    def after_step(self, step: Step) -> Verdict:
        """Count the dollars of the step."""
        for call in step.model_calls:
            self._left_usd -= self._price(call) or 0
        return Answer("usd_budget") if self._left_usd <= 0 else GO


def _make(setting: Setting, context: RunContext) -> Stage:
    # By way of its digits: a tenth of a dollar is no binary fraction.
    return UsdBudget(Decimal(str(setting)), context.price)


LEVER = SimpleLever(
    Card(
        name="stopping.usd_budget",
        summary="Ask for the answer once the run has cost N dollars; a call of unknown price "
        "counts as none.",
        domain=Positive("dollars"),
        search=(),
        acts_on=("step",),
        source="Budget awareness, arXiv 2511.17006: cost -31%, counted in tokens and tool calls "
        "(not reproduced here).",
        needs=("prices",),
    ),
    _make,
)
