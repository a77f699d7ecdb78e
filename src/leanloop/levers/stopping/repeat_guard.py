"""Stop an agent that repeats itself."""

from __future__ import annotations

from collections import Counter

from leanloop.core.configuration import Setting
from leanloop.core.domain import IntRange
from leanloop.core.run import Step
from leanloop.levers.protocol import GO, Answer, Card, RunContext, SimpleLever, Stage, Verdict


class RepeatGuard(Stage):
    """Asks for the answer once the same call has been made ``limit`` times.

    A call that gave an error is not counted and starts its count again: the
    next one is a retry. A call of a tool that is not marked read-only may have
    changed what the others return, so it starts the count of every other call
    again.

    Args:
        limit: How often the same call may be made.
        read_only: Names of the tools marked read-only.
    """

    def __init__(self, limit: int, read_only: frozenset[str]) -> None:
        self._limit = limit
        self._read_only = read_only
        self._seen: Counter[tuple[str, str]] = Counter()

    def after_step(self, step: Step) -> Verdict:
        """Count the calls of the step."""
        worst = 0
        for use in step.tool_uses:
            key = (use.name, use.arguments_json)
            if use.is_error:
                self._seen.pop(key, None)
                continue
            count = self._seen[key] + 1
            if use.name not in self._read_only:
                self._seen.clear()
            self._seen[key] = count
            worst = max(worst, self._seen[key])
        return Answer("repeat_guard") if worst >= self._limit else GO


def _make(setting: Setting, context: RunContext) -> Stage:
    return RepeatGuard(int(setting), frozenset(t.name for t in context.tools if t.read_only))


LEVER = SimpleLever(
    Card(
        name="stopping.repeat_guard",
        summary="Ask for the answer once the same call has been made N times to no effect.",
        domain=IntRange(2, 100),
        search=(2, 3),
        acts_on=("step",),
        source="leanloop; in one recorded set 5 of 40 runs looped to their step limit.",
    ),
    _make,
)
