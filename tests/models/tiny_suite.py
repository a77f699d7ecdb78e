"""The smallest suite that needs a tool: one order, one question."""

from __future__ import annotations

from collections.abc import Sequence

from leanloop.core.message import ToolCall, ToolMessage, ToolSpec
from leanloop.core.task import Example, Split, Task
from tests.models.conformance import GET_ORDER

TASK = Task("t1", "What is the status of order A-17?", Split.SEARCH)


class TinyEnvironment:
    """Knows that A-17 is shipped."""

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        return (GET_ORDER,)

    async def call(self, call: ToolCall) -> ToolMessage:
        if set(call.arguments) != {"order_id"}:
            return ToolMessage(call.call_id, call.name, "argument order_id is missing", True)
        status = "shipped" if call.arguments["order_id"] == "A-17" else "unknown"
        return ToolMessage(call.call_id, call.name, status)

    def verify(self, answer: str | None) -> float:
        return float(answer is not None and "shipped" in answer)

    def close(self) -> None:
        pass


class TinySuite:
    """One task."""

    name = "tiny"
    instructions = "You answer questions about orders."
    examples: tuple[Example, ...] = ()

    def tasks(self, split: Split) -> Sequence[Task]:
        return [TASK] if split is Split.SEARCH else []

    def open(self, task: Task) -> TinyEnvironment:
        return TinyEnvironment()
