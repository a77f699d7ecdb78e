"""End a run that is almost sure to fail."""

from __future__ import annotations

import math

from leanloop.core.configuration import Setting
from leanloop.core.domain import NumberRange
from leanloop.core.run import Run, Step
from leanloop.levers.protocol import (
    GO,
    Card,
    Doom,
    RunContext,
    SimpleLever,
    Stage,
    Stop,
    Verdict,
)
from leanloop.levers.stopping.no_progress import digest
from leanloop.levers.stopping.time_budget import step_latency_s

REASON = "abort_doomed"
FEATURES = (
    "steps",
    "log_tokens",
    "errors",
    "repeated_calls",
    "repeated_observations",
    "log_seconds",
)
"""What a run is judged by, each from its start on; logarithms are natural ones of 1 + x."""


class RunSoFar:
    """What is known of a run after each of its steps; work goes by the step alone."""

    def __init__(self) -> None:
        self._steps = self._tokens = self._errors = 0
        self._repeated_calls = self._repeated_observations = 0
        self._latency_s = 0.0
        self._calls: set[bytes] = set()
        self._observations: set[bytes] = set()

    def after(self, step: Step) -> tuple[float, ...]:
        """Take a step in.

        Returns:
            The run's features, in the order of ``FEATURES``. A model call with
            unknown tokens counts as none.
        """
        self._steps += 1
        self._tokens += sum(c.tokens.total_tokens or 0 for c in step.model_calls)
        self._latency_s += step_latency_s(step)
        for use in step.tool_uses:
            call, observation = digest(use.name, use.arguments_json), digest(use.observation)
            self._errors += use.is_error
            self._repeated_calls += call in self._calls
            self._repeated_observations += observation in self._observations
            self._calls.add(call)
            self._observations.add(observation)
        return (
            float(self._steps),
            math.log1p(self._tokens),
            float(self._errors),
            float(self._repeated_calls),
            float(self._repeated_observations),
            math.log1p(self._latency_s),
        )


def run_features(run: Run) -> list[tuple[float, ...]]:
    """A recorded run's features after each step at which it could have been ended.

    After its last step there was nothing left to spare, so that step has none. A
    run that says nothing of how runs end has none at all: one lost to an outage,
    one recorded without steps, and one that this lever ended, of which nobody
    knows whether it would have failed.
    """
    if run.success is None or run.reason == REASON:
        return []
    so_far = RunSoFar()
    return [so_far.after(step) for step in run.steps[:-1]]


class AbortDoomed(Stage):
    """Ends a run whose chance to fail has reached the threshold.

    Does nothing while there is no model, and where no threshold is sure enough.

    Args:
        doom: Knows runs that fail; None while too little is known.
        level: Of the runs that are ended, the share that would have failed.
    """

    def __init__(self, doom: Doom | None, level: float) -> None:
        self._doom = doom
        self._threshold = None if doom is None else doom.threshold(level)
        self._so_far = RunSoFar()

    def after_step(self, step: Step) -> Verdict:
        """Judge the run by what it has done so far."""
        if self._doom is None or self._threshold is None:
            return GO
        chance = self._doom.chance(self._so_far.after(step))
        return Stop(REASON) if chance >= self._threshold else GO


def _make(setting: Setting, context: RunContext) -> Stage:
    return AbortDoomed(context.doom, float(setting))


LEVER = SimpleLever(
    Card(
        name="stopping.abort_doomed",
        summary="End a run that, by the study's own runs, fails with at least that probability.",
        domain=NumberRange(0.5, 0.999),
        search=(),
        acts_on=("step",),
        source="leanloop; in recorded sets failed runs cost 1.6 to 4.3 times as much as solved "
        "ones.",
    ),
    _make,
)
