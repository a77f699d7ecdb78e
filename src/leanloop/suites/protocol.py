"""What a suite and an environment must do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from leanloop.core.message import ToolCall, ToolMessage, ToolSpec
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
