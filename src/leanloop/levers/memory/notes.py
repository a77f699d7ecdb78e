"""Let the agent keep notes outside the history."""

from __future__ import annotations

import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.domain import Choice
from leanloop.core.message import Message, Request, ToolCall, ToolMessage, ToolSpec, UserMessage
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage

HEADING = "Your notes so far:"
NOTED = "noted"
TOOL = ToolSpec(
    "note",
    "Write down what you will need later. Your notes stay in sight when older steps do not.",
    {
        "type": "object",
        "properties": {"text": {"type": "string", "description": "short, with its value"}},
        "required": ["text"],
    },
    read_only=False,
)


class Notes(Stage):
    """Adds the tool ``note`` and ends each request with what was noted.

    Notes are one user message behind everything else, made anew for each request, so
    what precedes them is the same from step to step; a note made twice stands once. The
    lever is off where the model is shown no tool, or one named ``note`` already.

    Args:
        context: The run.
    """

    def __init__(self, context: RunContext) -> None:
        self._taken = any(t.name == TOOL.name for t in context.tools)
        self._on = False
        self._notes: dict[str, None] = {}

    async def on_request(self, request: Request) -> Request:
        """Show the tool behind the others, and the notes at the end."""
        taken = self._taken or any(t.name == TOOL.name for t in request.tools)
        self._on = bool(request.tools) and not taken
        if not self._on:
            return request
        messages: tuple[Message, ...] = request.messages
        if self._notes:
            lines = (HEADING, *(f"- {note}" for note in self._notes))
            messages = (*messages, UserMessage("\n".join(lines)))
        return msgspec.structs.replace(request, messages=messages, tools=(*request.tools, TOOL))

    async def on_tool_call(self, call: ToolCall) -> ToolCall | ToolMessage:
        """Take a note."""
        if not self._on or call.name != TOOL.name:
            return call
        text = call.arguments.get("text")
        if not isinstance(text, str) or not text.strip():
            why = "text is missing: say in words what to write down"
            return ToolMessage(call.call_id, call.name, why, is_error=True)
        self._notes[text.strip()] = None
        return ToolMessage(call.call_id, call.name, NOTED)


def _make(setting: Setting, context: RunContext) -> Stage:
    del setting
    return Notes(context)


LEVER = SimpleLever(
    Card(
        name="memory.notes",
        summary="A tool takes notes, which are shown at the end of every request.",
        domain=Choice(("on",)),
        search=("on",),
        acts_on=("request", "tool call"),
        source="MemGPT, arXiv 2310.08560: working context that the model writes by calls.",
    ),
    _make,
)
