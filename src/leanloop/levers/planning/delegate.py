"""Hand a part of the task to a helper with a context of its own."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.domain import Choice
from leanloop.core.message import (
    Message,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage

NAME = "planning.delegate"
MAX_STEPS = 6
LAST_STEP = "No tool can be called any more. Answer now with what you have found."
TOOL = ToolSpec(
    "delegate",
    "Hand a part of the task to a helper. It has the same tools, sees nothing of this "
    "conversation, and returns its answer alone.",
    {
        "type": "object",
        "properties": {
            "task": {"type": "string", "description": "all that the helper needs to know"}
        },
        "required": ["task"],
    },
)


class Delegate(Stage):
    """Adds the tool ``delegate``, and answers its calls by a loop of their own.

    What the helper reads on its way stays out of the conversation: only its answer
    comes back. It cannot delegate. The lever is off where there is no tool to hand
    on, or one of that name already.

    Args:
        context: The run.
    """

    def __init__(self, context: RunContext) -> None:
        self._complete = context.complete
        self._make_calls = context.make_calls
        self._taken = any(t.name == TOOL.name for t in context.tools)
        self._request: Request | None = None

    async def on_request(self, request: Request) -> Request:
        """Show the tool behind the others."""
        off = self._taken or not request.tools or any(t.name == TOOL.name for t in request.tools)
        self._request = None if off else request
        return request if off else msgspec.structs.replace(request, tools=(*request.tools, TOOL))

    async def on_tool_call(self, call: ToolCall) -> ToolCall | ToolMessage:
        """Have the helper answer a call of the tool."""
        if self._request is None or call.name != TOOL.name:
            return call
        task = call.arguments.get("task")
        if not isinstance(task, str) or not task.strip():
            return _refused(call, "task is missing: say in words what the helper is to find out")
        answer = await self._solve(self._request, task)
        if not answer.strip():
            return _refused(call, "the helper found no answer")
        return ToolMessage(call.call_id, call.name, answer)

    async def _solve(self, request: Request, task: str) -> str:
        messages: list[Message] = [m for m in request.messages if isinstance(m, SystemMessage)]
        messages.append(UserMessage(task))
        for _ in range(MAX_STEPS - 1):
            asked = msgspec.structs.replace(request, messages=tuple(messages), tools_allowed=True)
            reply = (await self._complete(asked, NAME)).message
            if not reply.tool_calls:
                return reply.text
            messages += (reply, *await self._results(reply.tool_calls))
        messages.append(UserMessage(LAST_STEP))
        asked = msgspec.structs.replace(request, messages=tuple(messages), tools_allowed=False)
        return (await self._complete(asked, NAME)).message.text

    async def _results(self, calls: Sequence[ToolCall]) -> list[ToolMessage]:
        results: list[ToolMessage] = []
        for call in calls:
            if call.name == TOOL.name:
                results.append(_refused(call, "a helper cannot delegate"))
            else:
                results += await self._make_calls([call])
        return results


def _refused(call: ToolCall, why: str) -> ToolMessage:
    return ToolMessage(call.call_id, call.name, why, is_error=True)


def _make(setting: Setting, context: RunContext) -> Stage:
    del setting
    return Delegate(context)


LEVER = SimpleLever(
    Card(
        name=NAME,
        summary="A tool hands parts of the task to a helper with a context of its own.",
        domain=Choice(("on",)),
        search=("on",),
        acts_on=("request", "tool call"),
        source="ADaPT, arXiv 2311.05772, which hands on the parts that prove too hard, to any "
        "depth; here to a depth of one, as the model asks for it.",
        needs=("model", "tools"),
    ),
    _make,
)
