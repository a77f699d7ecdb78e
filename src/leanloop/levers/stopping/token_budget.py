"""Stop at a number of tokens."""

from __future__ import annotations

from leanloop.core.configuration import Setting
from leanloop.core.domain import IntRange
from leanloop.core.run import Step
from leanloop.levers.protocol import GO, Answer, Card, RunContext, SimpleLever, Stage, Verdict


class TokenBudget(Stage):
    """Asks for the answer once the run's calls have used the budget.

    Counts what providers reported; a call with unknown tokens counts as none.
    The budget is passed by at most the step in which it is reached and the
    answering step.

    Args:
        budget_tokens: Input and output of all calls, cached input included.
    """

    def __init__(self, budget_tokens: int) -> None:
        self._left = budget_tokens

    def after_step(self, step: Step) -> Verdict:
        """Count the tokens of the step."""
        self._left -= sum(c.tokens.total_tokens or 0 for c in step.model_calls)
        return Answer("token_budget") if self._left <= 0 else GO


def _make(setting: Setting, context: RunContext) -> Stage:
    del context
    return TokenBudget(int(setting))


LEVER = SimpleLever(
    Card(
        name="stopping.token_budget",
        summary="Ask for the answer once the run has used N tokens.",
        domain=IntRange(1, 1_000_000_000),
        search=(4000, 8000),
        acts_on=("step",),
        source="Budget awareness, arXiv 2511.17006: cost -31% (not reproduced here).",
    ),
    _make,
)
