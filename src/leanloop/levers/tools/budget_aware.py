"""Tell the model what it has left."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from leanloop.core.configuration import Setting
from leanloop.core.domain import Choice
from leanloop.core.message import Request, UserMessage, with_messages
from leanloop.core.run import ModelCall, Step
from leanloop.levers.protocol import GO, Card, RunContext, SimpleLever, Stage, Verdict


class BudgetAware(Stage):
    """Ends each request with the steps that are left and what the run has used.

    What is not known is not said: no steps left without a limit, no dollars once the
    price of one call is unknown, and then the tokens, as long as all are reported. The
    message stands last and is made anew for each request, so what precedes it is the
    same from step to step. No message goes with the request for the final answer,
    which the loop asks for in words of its own.

    Args:
        max_steps: Steps that the run may not pass; None when there is no such limit.
        price: Dollars of a model call; None when they are unknown.
    """

    def __init__(self, max_steps: int | None, price: Callable[[ModelCall], Decimal | None]) -> None:
        self._left = max_steps
        self._price = price
        self._cost_usd: Decimal | None = Decimal(0)
        self._tokens: int | None = 0
        self._has_used = False

    async def on_request(self, request: Request) -> Request:
        """Add the message."""
        said = [part for part in (self._steps_left(), self._used()) if part]
        if not said or not request.tools_allowed:
            return request
        return with_messages(request, (*request.messages, UserMessage(" ".join(said))))

    def after_step(self, step: Step) -> Verdict:
        """Count the step and what its model calls used, those of levers included."""
        if self._left is not None:
            self._left -= 1
        for call in step.model_calls:
            self._has_used = True
            self._add(self._price(call), call.tokens.total_tokens)
        return GO

    def _add(self, cost_usd: Decimal | None, tokens: int | None) -> None:
        if self._cost_usd is not None:
            self._cost_usd = None if cost_usd is None else self._cost_usd + cost_usd
        if self._tokens is not None:
            self._tokens = None if tokens is None else self._tokens + tokens

    def _steps_left(self) -> str:
        if self._left is None:
            return ""
        if self._left <= 1:
            return "This is the last step: answer now."
        return f"At most {self._left} steps are left, this one included."

    def _used(self) -> str:
        if not self._has_used:
            return ""
        if self._cost_usd is not None:
            return f"Used so far: ${self._cost_usd:.4f}."
        return "" if self._tokens is None else f"Used so far: {self._tokens} tokens."


def _make(setting: Setting, context: RunContext) -> Stage:
    del setting
    return BudgetAware(context.max_steps, context.price)


LEVER = SimpleLever(
    Card(
        name="tools.budget_aware",
        summary="Tell the model at each step how many are left and what it has used.",
        domain=Choice(("on",)),
        search=("on",),
        acts_on=("request", "step"),
        source="Budget-Aware Tool-Use, arXiv 2511.17006, whose tracker counts tool calls; better "
        "success at the same cost on web search (not reproduced here).",
    ),
    _make,
)
