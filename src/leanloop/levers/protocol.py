"""What a lever is, and the hooks of the one pipeline that it acts through."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from leanloop.core.configuration import Setting
from leanloop.core.domain import Domain
from leanloop.core.errors import BadInputError
from leanloop.core.memory import Entry, Kind
from leanloop.core.message import Request, Response, ToolCall, ToolMessage, ToolSpec
from leanloop.core.run import ModelCall, Status, Step
from leanloop.core.task import Example, Task


@dataclass(frozen=True)
class Card:
    """What is known of a lever.

    Args:
        name: ``component.lever``.
        summary: What it does, in one sentence.
        domain: The settings it accepts besides ``off``.
        search: The settings that a search tries when the study names none.
        acts_on: Hooks it uses: request, edit, query, response, calls, tool call, tool
            result, step, end.
        source: Where the idea comes from, with what its authors report.
        needs: What it asks for beside the hooks: ``model`` when it queries one itself,
            ``tools`` when it makes tool calls itself, ``prices`` when it goes by
            dollars, ``memory`` when it keeps something for later tasks. A place that
            cannot give it cannot have the lever.
    """

    name: str
    summary: str
    domain: Domain
    search: tuple[Setting, ...]
    acts_on: tuple[str, ...]
    source: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Go:
    """Take another step."""


@dataclass(frozen=True)
class Answer:
    """Take one last step in which no tool can be called.

    Args:
        reason: Why, for the record.
    """

    reason: str


@dataclass(frozen=True)
class Stop:
    """End the run now, without an answer.

    Args:
        reason: Why, for the record.
    """

    reason: str


Verdict = Go | Answer | Stop
GO = Go()


class Complete(Protocol):
    """Queries a model of the study on a lever's behalf; its cost is the run's."""

    def __call__(self, request: Request, purpose: str) -> Awaitable[Response]:
        """Send the request; ``purpose`` is the lever's name, for the record."""


class MakeCalls(Protocol):
    """Makes tool calls on a lever's behalf, all at once; they are the run's like any other.

    They pass the hooks of every lever, and count as tool calls where a tool answers.
    """

    def __call__(self, calls: Sequence[ToolCall]) -> Awaitable[Sequence[ToolMessage]]:
        """Their results, in the order of the calls; what fails is an error result."""


async def no_calls(calls: Sequence[ToolCall]) -> Sequence[ToolMessage]:
    """Refuses every call: for places where a lever cannot reach the tools."""
    return [ToolMessage(c.call_id, c.name, "tools cannot be reached here", True) for c in calls]


async def no_model(request: Request, purpose: str) -> Response:
    """Answers nothing: for places where a lever cannot query a model."""
    del request
    raise BadInputError(f"levers.{purpose}", "no model can be queried here")


def no_price(call: ModelCall) -> Decimal | None:
    """Knows no price."""
    del call
    return None


class Doom(Protocol):
    """Says how likely a run is to fail, learned from runs of the same study."""

    def threshold(self, level: float) -> float | None:
        """The least chance at which a run is to be ended.

        Args:
            level: Of the runs that are ended, the share that would have failed, 0 to 1.

        Returns:
            None when no chance is that sure.
        """

    def chance(self, features: Sequence[float]) -> float:
        """The probability of failure, 0 to 1, of a run with these features."""


@dataclass(frozen=True)
class Ended:
    """How a run ended, for levers that learn from it.

    Args:
        status: How.
        success: 0 to 1 by the verifier; None when nobody verified it.
        answer: The agent's answer; None when it gave none.
        steps: In order.
    """

    status: Status
    success: float | None
    answer: str | None
    steps: Sequence[Step]


class Memory(Protocol):
    """What earlier tasks left, as one run sees it.

    What a run puts or forgets is kept once it has ended; it does not see it itself.
    """

    def find(self, kind: Kind, text: str, k: int) -> Sequence[Entry]:
        """Up to ``k`` entries whose cue is most like the text, best first.

        An entry that was demoted is not found.
        """

    def get(self, kind: Kind, key: str) -> Entry | None:
        """The entry of that kind about that key, demoted or not."""

    def use(self, entry: Entry) -> bool:
        """Say that the run will have the entry.

        Returns:
            False when it is withheld from this run, drawn by lot, to learn whether
            it helps; the lever then goes without it.
        """

    def put(self, entry: Entry) -> None:
        """Keep an entry; where it comes from is filled in."""

    def forget(self, entry: Entry, reason: str) -> None:
        """Let go of an entry that is not true any more."""

    def may_learn(self, ended: Ended) -> bool:
        """Whether a run that ended so may be learned from: as a rule, if it was solved."""


@dataclass(frozen=True)
class RunContext:
    """What a lever may know of the run that it is part of.

    Args:
        task: The task.
        tools: Every tool of the task, before any lever.
        examples: The suite's worked examples, in the suite's order.
        model: The study's name for the model in use when no lever says otherwise.
        complete: Queries a model.
        seed: The run's seed.
        make_calls: Makes tool calls.
        price: Dollars of a model call; None when they are unknown.
        max_steps: Steps that no run may pass; None when there is no such limit.
        doom: Knows runs that fail; None while too little is known.
        memory: What earlier tasks left; None where nothing is carried over.
    """

    task: Task
    tools: tuple[ToolSpec, ...]
    examples: tuple[Example, ...]
    model: str
    complete: Complete
    seed: int = 0
    make_calls: MakeCalls = no_calls
    price: Callable[[ModelCall], Decimal | None] = no_price
    max_steps: int | None = None
    doom: Doom | None = None
    memory: Memory | None = None


class Stage:
    """A lever at work in one run; every hook passes through what it is given.

    A stage is made for a run and dies with it, so it may keep state. It is
    deterministic given its input and seed, and its work in a step does not
    grow with the steps already done, except through what it sends.
    """

    async def on_request(self, request: Request) -> Request:
        """Change what is sent. Must keep system and user text, and pairs of call and result."""
        return request

    def on_edit(self, before: Request, after: Request) -> Request:
        """Accept or undo what the levers before this one made of the request.

        Args:
            before: The request as it came to the pipeline.
            after: As the levers before this one left it.
        """
        del before
        return after

    async def on_query(self, request: Request) -> Response | None:
        """Answer in the model's place, so that it is not queried; None to let it be queried.

        Args:
            request: As it would be sent.
        """
        del request
        return None

    async def on_response(self, request: Request, response: Response) -> Response:
        """Change what came back, or ask again."""
        del request
        return response

    def on_calls(self, calls: Sequence[ToolCall]) -> Sequence[Sequence[ToolCall]]:
        """Group a response's calls: those of a group are made at once, groups one by one.

        Every call must be in exactly one group, in the order in which they came.
        """
        return [[call] for call in calls]

    async def on_tool_call(self, call: ToolCall) -> ToolCall | ToolMessage:
        """Change a call before it is made, or answer it so that it is not made."""
        return call

    def on_tool_result(self, call: ToolCall, result: ToolMessage) -> ToolMessage:
        """Change an observation before the model sees it; ``call`` is the model's own."""
        del call
        return result

    def after_step(self, step: Step) -> Verdict:
        """Say whether the run goes on."""
        del step
        return GO

    async def on_end(self, ended: Ended) -> None:
        """Learn from the run, which has ended and been verified."""


class Lever(Protocol):
    """A lever: a card, and a stage for each run that has it on."""

    @property
    def card(self) -> Card:
        """What is known of it."""

    def stage(self, setting: Setting, context: RunContext) -> Stage:
        """The lever at work; never called with ``off``."""


@dataclass(frozen=True)
class SimpleLever:
    """A lever whose stage is made by one function.

    Args:
        card: What is known of it.
        make: Makes the stage from a setting and the run's context.
    """

    card: Card
    make: Callable[[Setting, RunContext], Stage]

    def stage(self, setting: Setting, context: RunContext) -> Stage:
        """The lever at work."""
        return self.make(setting, context)
