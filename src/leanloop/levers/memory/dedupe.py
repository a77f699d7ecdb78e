"""Show an observation that repeats an earlier one as a reference to it."""

from __future__ import annotations

import json

from leanloop.core.configuration import Setting
from leanloop.core.domain import Choice
from leanloop.core.message import (
    AssistantMessage,
    Message,
    Request,
    ToolCall,
    ToolMessage,
    with_messages,
)
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage

SHORTEST = len("[same as the result of  above]")


class Dedupe(Stage):
    """Sends the first of equal observations whole and a reference for each later one.

    Equal is word for word, errors among errors. The reference names the call whose
    result it repeats, with its arguments, and stands only where it is shorter. The
    first copy is looked for in the request as the levers before this one left it: what
    they masked or left out is no copy.
    """

    def __init__(self) -> None:
        self._references: dict[tuple[ToolMessage, str], ToolMessage] = {}

    async def on_request(self, request: Request) -> Request:
        """Put references in the place of repeated observations."""
        first: dict[tuple[str, bool], ToolMessage] = {}
        calls: dict[str, ToolCall] = {}
        messages: list[Message] = []
        changed = False
        for message in request.messages:
            shown: Message = message
            if isinstance(message, AssistantMessage):
                calls |= {c.call_id: c for c in message.tool_calls}
            elif isinstance(message, ToolMessage) and len(message.text) > SHORTEST:
                earlier = first.setdefault((message.text, message.is_error), message)
                if earlier is not message:
                    shown = self._reference(message, calls[earlier.call_id])
            changed = changed or shown is not message
            messages.append(shown)
        return with_messages(request, messages) if changed else request

    def _reference(self, message: ToolMessage, earlier: ToolCall) -> ToolMessage:
        """The reference, or the message itself where that is not longer."""
        key = message, earlier.call_id
        shown = self._references.get(key)
        if shown is None:
            text = f"[same as the result of {_name(earlier)} above]"
            shown = message
            if len(text) < len(message.text):
                shown = ToolMessage(message.call_id, message.name, text, message.is_error)
            self._references[key] = shown
        return shown


def _name(call: ToolCall) -> str:
    if not call.arguments:
        return call.name
    return f"{call.name}({json.dumps(call.arguments, ensure_ascii=False)})"


def _make(setting: Setting, context: RunContext) -> Stage:
    del setting, context
    return Dedupe()


LEVER = SimpleLever(
    Card(
        name="memory.dedupe",
        summary="Show an observation that repeats an earlier one as a reference to it.",
        domain=Choice(("on",)),
        search=("on",),
        acts_on=("request",),
        source="leanloop; in recorded runs up to 64% of calls were repeats, most in few runs.",
    ),
    _make,
)
