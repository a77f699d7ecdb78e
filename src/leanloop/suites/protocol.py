"""What a suite and an environment must do."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Protocol, runtime_checkable

from leanloop.core.message import Request, Response, ToolCall, ToolMessage, ToolSpec
from leanloop.core.task import Example, Split, Task


class Environment(Protocol):
    """The tools and the state of one run; made fresh for it."""

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """The tools that the agent may call."""

    async def call(self, call: ToolCall) -> ToolMessage:
        """Carry out a call. What the agent got wrong is an error result, not an exception."""

    def verify(self, answer: str | None) -> float:
        """Score the answer and the end state from 0 to 1."""

    def close(self) -> None:
        """Release what it holds."""


class Ask(Protocol):
    """Queries a model of the study for the test: paid for, and no part of the agent's cost."""

    def __call__(self, request: Request) -> Awaitable[Response]:
        """Send the request."""


@runtime_checkable
class Prepared(Protocol):
    """An environment that takes time to set up."""

    async def prepare(self) -> None:
        """Set it up, before anything else is done with it.

        Raises:
            BadInputError: It cannot be set up, which is no failure of the agent.
        """


@runtime_checkable
class Conversing(Protocol):
    """An environment whose user may go on talking once the agent has answered."""

    async def reply(self, answer: str, ask: Ask) -> str | None:
        """What the user says to the answer; None when there is nothing more to say.

        Args:
            answer: What the agent said.
            ask: Queries a model, for a user who is one.
        """


@runtime_checkable
class Judged(Protocol):
    """An environment whose verdict takes a model. It stands in the place of ``verify``."""

    async def judge(self, answer: str | None, ask: Ask) -> float:
        """Score the answer and the end state from 0 to 1.

        Args:
            answer: The agent's last; None when it gave none.
            ask: Queries a model.
        """


@runtime_checkable
class Modelled(Protocol):
    """A suite that queries models of the study itself."""

    @property
    def models(self) -> tuple[str, ...]:
        """The study's names for them."""


class Suite(Protocol):
    """Tasks in two splits, the search split and the holdout."""

    @property
    def name(self) -> str:
        """The suite's name."""

    @property
    def instructions(self) -> str:
        """The system text that every task shares."""

    @property
    def examples(self) -> tuple[Example, ...]:
        """Worked examples that share no entity with any task."""

    def tasks(self, split: Split) -> Sequence[Task]:
        """The tasks of a split, in a fixed order."""

    def open(self, task: Task) -> Environment:
        """A fresh environment for one run of the task."""
