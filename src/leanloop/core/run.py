"""A run, its steps, and what they used."""

from __future__ import annotations

import enum
from collections.abc import Iterator

import msgspec

from leanloop.core.memory import MemoryChange
from leanloop.core.task import Split
from leanloop.core.tokens import Tokens, sum_tokens


class Status(enum.StrEnum):
    """How a run ended."""

    FINISHED = "finished"
    """The agent gave an answer."""
    STOPPED = "stopped"
    """A lever or the study's step limit ended it without an answer."""
    ERROR = "error"
    """The agent, a tool or the verifier raised: a failure with its cost counted."""
    TIMEOUT = "timeout"
    """Over the study's time limit: a failure with its cost counted."""
    OUTAGE = "outage"
    """The provider stayed away: missing data, not a failure."""


class Evidence(enum.StrEnum):
    """Where a figure comes from."""

    REPORTED = "reported"
    MODELLED = "modelled"
    ESTIMATED = "estimated"


class ModelCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """One query to a model and what it used.

    Attributes:
        model: The study's name for the model.
        model_ref: ``provider:model`` that really answered.
        purpose: ``act``, or the lever that asked for the call.
        tokens: Tokens by class.
        latency_s: Wall seconds.
        started_at: Unix seconds; prices can depend on it.
        evidence: Whether the tokens were reported, modelled or estimated.
    """

    model: str
    model_ref: str
    purpose: str
    tokens: Tokens
    latency_s: float
    started_at: float
    evidence: Evidence = Evidence.REPORTED


class ToolUse(msgspec.Struct, frozen=True, omit_defaults=True):
    """One tool call and who answered it.

    Attributes:
        name: The tool's name.
        arguments_json: The arguments as the model gave them.
        latency_s: Wall seconds that the tool took.
        answered_by: ``tool``, or the lever that answered in its place; only
            ``tool`` counts as a tool call.
        is_error: Whether the result was an error.
        observation: What the model was shown.
    """

    name: str
    arguments_json: str
    latency_s: float
    answered_by: str = "tool"
    is_error: bool = False
    observation: str = ""


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One turn of the loop: the model's calls and the tool calls they led to."""

    model_calls: tuple[ModelCall, ...] = ()
    tool_uses: tuple[ToolUse, ...] = ()
    text: str = ""


class Usage(msgspec.Struct, frozen=True):
    """What a run used. Dollars are not here: they are computed when read.

    Attributes:
        tokens: Summed over every model call, those of levers included.
        model_calls: Queries to any model.
        tool_calls: Calls that reached a tool.
        steps: Turns of the loop.
        wall_s: Wall seconds from start to end.
        critical_path_s: Seconds of the longest chain of calls that had to wait
            for each other.
    """

    tokens: Tokens
    model_calls: int
    tool_calls: int
    steps: int
    wall_s: float
    critical_path_s: float


class RunKey(msgspec.Struct, frozen=True, order=True):
    """What a run is a run of: at most one finished run a key in a study."""

    configuration_id: str
    task_id: str
    seed: int = 0


class RecordedCost(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a run cost where somebody else recorded it; None is unknown."""

    usd: float | None = None
    latency_s: float | None = None
    tokens: float | None = None
    tool_calls: float | None = None


class Run(msgspec.Struct, frozen=True, omit_defaults=True):
    """One configuration on one task with one seed.

    Attributes:
        key: Configuration, task and seed.
        split: The split of the task.
        status: How it ended.
        success: 0 to 1 by the verifier; None only for an outage.
        steps: In order.
        wall_s: Wall seconds, without waits in this process for a model's turn.
        critical_path_s: Seconds of the longest chain of dependent calls.
        started_at: Unix seconds.
        answer: The agent's answer, None when it gave none.
        reason: Why it ended, when not by an answer.
        family: The task's family.
        cluster: The task's cluster.
        stream: The stream that the task belongs to; None when it stands alone.
        position: Where it stands in the stream, from 0; None when it stands alone.
        memory: What the run changed in what the agent keeps for later tasks.
        recorded: What it cost, where that was recorded elsewhere and there are no
            steps; None for a run that leanloop made.
        test_calls: Queries of the test itself: a modelled user, a judge. They are paid for,
            and no part of what the agent cost.
    """

    key: RunKey
    split: Split
    status: Status
    success: float | None
    steps: tuple[Step, ...]
    wall_s: float
    critical_path_s: float
    started_at: float
    answer: str | None = None
    reason: str = ""
    family: str = ""
    cluster: str | None = None
    stream: str | None = None
    position: int | None = None
    memory: tuple[MemoryChange, ...] = ()
    recorded: RecordedCost | None = None
    test_calls: tuple[ModelCall, ...] = ()

    @property
    def model_calls(self) -> Iterator[ModelCall]:
        """Every model call of the agent and its levers, in order."""
        return (call for step in self.steps for call in step.model_calls)

    @property
    def usage(self) -> Usage:
        """What the run used in all."""
        calls = list(self.model_calls)
        return Usage(
            tokens=sum_tokens(call.tokens for call in calls),
            model_calls=len(calls),
            tool_calls=sum(u.answered_by == "tool" for s in self.steps for u in s.tool_uses),
            steps=len(self.steps),
            wall_s=self.wall_s,
            critical_path_s=self.critical_path_s,
        )
