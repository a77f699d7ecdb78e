"""Stop at a number of seconds."""

from __future__ import annotations

import math

from leanloop.core.configuration import Setting
from leanloop.core.domain import Positive
from leanloop.core.run import Step
from leanloop.levers.protocol import GO, Answer, Card, RunContext, SimpleLever, Stage, Verdict


def step_latency_s(step: Step) -> float:
    """Seconds of a step's model calls and of the tools that answered, one after the other.

    What a lever did to answer a call in a tool's place is counted by its own
    model and tool calls. Calls that were made at once count as if they had been
    made in turn: a step does not say which were.
    """
    models_s = (call.latency_s for call in step.model_calls)
    tools_s = (use.latency_s for use in step.tool_uses if use.answered_by == "tool")
    return math.fsum((*models_s, *tools_s))


class TimeBudget(Stage):
    """Asks for the answer once the run's calls have taken the budget.

    Goes by the recorded latencies and by no clock, so that the same steps give
    the same verdict. The budget is passed by at most the step in which it is
    reached and the answering step.

    Args:
        budget_s: Seconds, as ``step_latency_s`` counts them.
    """

    def __init__(self, budget_s: float) -> None:
        self._left_s = budget_s

    def after_step(self, step: Step) -> Verdict:
        """Count the seconds of the step."""
        self._left_s -= step_latency_s(step)
        return Answer("time_budget") if self._left_s <= 0 else GO


def _make(setting: Setting, context: RunContext) -> Stage:
    del context
    return TimeBudget(float(setting))


LEVER = SimpleLever(
    Card(
        name="stopping.time_budget",
        summary="Ask for the answer once the run's model and tool calls have taken N seconds.",
        domain=Positive("seconds"),
        search=(),
        acts_on=("step",),
        source="Budget awareness, arXiv 2511.17006, for tokens and tool calls; here for time.",
    ),
    _make,
)
