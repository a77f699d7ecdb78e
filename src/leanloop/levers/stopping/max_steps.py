"""Stop after a number of steps."""

from __future__ import annotations

from leanloop.core.configuration import Setting
from leanloop.core.domain import IntRange
from leanloop.core.run import Step
from leanloop.levers.protocol import GO, Answer, Card, RunContext, SimpleLever, Stage, Stop, Verdict


class MaxSteps(Stage):
    """Asks for the answer in the last step that is allowed.

    Args:
        limit: Steps, the answering one included.
    """

    def __init__(self, limit: int) -> None:
        self._left = limit

    def after_step(self, step: Step) -> Verdict:
        """Count down."""
        del step
        self._left -= 1
        if self._left <= 0:
            return Stop("max_steps")
        return Answer("max_steps") if self._left == 1 else GO


def _make(setting: Setting, context: RunContext) -> Stage:
    del context
    return MaxSteps(int(setting))


LEVER = SimpleLever(
    Card(
        name="stopping.max_steps",
        summary="Take at most N steps; the last one must answer.",
        domain=IntRange(2, 10_000),
        search=(4, 6, 8),
        acts_on=("step",),
        source="OPPO on GAIA: 12, 8, 4 steps give 53.3, 52.7, 41.8% (not reproduced here).",
    ),
    _make,
)
