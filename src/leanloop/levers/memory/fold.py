"""Put long observations away, to be recalled in parts."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.domain import IntRange
from leanloop.core.message import Json, Message, Request, ToolCall, ToolMessage, ToolSpec
from leanloop.levers.planning.examples import example_step
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage

HEAD = 200
"""Characters of a folded observation that are still shown."""
AROUND = 100
"""Characters of the same line that are shown on either side of a text that was found."""
TOOL = ToolSpec(
    "recall",
    "Read more of a long observation of which only the beginning is shown.",
    {
        "type": "object",
        "properties": {
            "handle": {"type": "string", "description": "as the observation gives it: obs-1"},
            "find": {"type": "string", "description": "show only the places with this text"},
            "part": {"type": "integer", "minimum": 1, "description": "which part, from 1"},
        },
        "required": ["handle"],
    },
    read_only=True,
)


class Fold(Stage):
    """Shows the head of an observation longer than ``limit`` and keeps the rest for ``recall``.

    The tool ``recall`` returns what was kept in parts of ``limit`` characters, or the
    places in it that hold a text. What it returns is not folded; nor are errors and
    worked examples. Equal observations have one handle. The lever is off where the
    model is shown no tool, or one named ``recall`` already.

    Args:
        limit: Characters that an observation may have, and of a part; 400 or more, so
            that a head is always shorter.
        context: The run.
    """

    def __init__(self, limit: int, context: RunContext) -> None:
        self._limit = limit
        self._examples = context.examples
        self._taken = any(t.name == TOOL.name for t in context.tools)
        self._on = False
        self._kept: dict[str, str] = {}
        self._handles: dict[str, str] = {}
        self._heads: dict[ToolMessage, ToolMessage] = {}

    async def on_request(self, request: Request) -> Request:
        """Fold what is long, and show the tool behind the others."""
        taken = self._taken or any(t.name == TOOL.name for t in request.tools)
        self._on = bool(request.tools) and not taken
        if not self._on:
            return request
        messages = tuple(self._shown(m) for m in request.messages)
        return msgspec.structs.replace(request, messages=messages, tools=(*request.tools, TOOL))

    async def on_tool_call(self, call: ToolCall) -> ToolCall | ToolMessage:
        """Answer a call of the tool."""
        if not self._on or call.name != TOOL.name:
            return call
        try:
            return ToolMessage(call.call_id, call.name, self._recall(call.arguments))
        except LookupError as problem:
            return ToolMessage(call.call_id, call.name, str(problem.args[0]), is_error=True)

    def _shown(self, message: Message) -> Message:
        if not isinstance(message, ToolMessage) or len(message.text) <= self._limit:
            return message
        if message.is_error or message.name == TOOL.name:
            return message
        head = self._heads.get(message)
        if head is None:
            head = self._heads[message] = self._fold(message)
        return head

    def _fold(self, message: ToolMessage) -> ToolMessage:
        if example_step(self._examples, message.call_id) is not None:
            return message
        text = message.text
        handle = self._handles.setdefault(text, f"obs-{len(self._handles) + 1}")
        self._kept[handle] = text
        more = f"[{HEAD} of {len(text)} characters; {TOOL.name} shows the rest of {handle}]"
        return ToolMessage(message.call_id, message.name, f"{text[:HEAD]}\n{more}")

    def _recall(self, arguments: dict[str, Json]) -> str:
        handle, find = arguments.get("handle"), arguments.get("find") or ""
        text = self._kept.get(handle) if isinstance(handle, str) else None
        if text is None:
            raise LookupError(f"no observation {handle!r}; handles so far: {self._known()}")
        if not isinstance(find, str):
            raise LookupError("find is one text to look for")
        what = str(handle)
        if find:
            places = list(places_of(text, find))
            if not places:
                return f"[{handle} does not contain {find!r}]"
            text = "\n".join(places)
            what += f", the places with {find!r}"
        count = -(-len(text) // self._limit)
        part = _part(arguments.get("part"), count)
        start = (part - 1) * self._limit
        return f"[{what}, part {part} of {count}]\n{text[start : start + self._limit]}"

    def _known(self) -> str:
        return ", ".join(list(self._kept)[-20:]) or "none"


def places_of(text: str, find: str) -> Iterator[str]:
    """The places in a text that hold another, in any case, each with what is around it.

    A place ends with its line, or 100 characters from what was found; places that
    overlap are one.
    """
    begin = end = -1
    for match in re.finditer(re.escape(find), text, re.IGNORECASE):
        left = max(match.start() - AROUND, 0)
        left = max(left, text.rfind("\n", left, match.start()) + 1)
        right = min(match.end() + AROUND, len(text))
        newline = text.find("\n", match.end(), right)
        right = right if newline < 0 else newline
        if begin >= 0 and left <= end:
            end = max(end, right)
            continue
        if begin >= 0:
            yield text[begin:end]
        begin, end = left, right
    if begin >= 0:
        yield text[begin:end]


def _part(wanted: Json, count: int) -> int:
    """The part that is wanted, the first when none is named; models write numbers as text too."""
    if wanted is None:
        return 1
    number = int(wanted) if re.fullmatch(r"[0-9]{1,9}", str(wanted)) else 0
    if not 1 <= number <= count:
        raise LookupError(f"no part {wanted!r}: parts are 1 to {count}")
    return number


def _make(setting: Setting, context: RunContext) -> Stage:
    return Fold(int(setting), context)


LEVER = SimpleLever(
    Card(
        name="memory.fold",
        summary="Show the head of an observation longer than N characters, and a tool that "
        "recalls the rest.",
        domain=IntRange(2 * HEAD, 10_000_000),
        search=(1000, 4000),
        acts_on=("request", "tool call"),
        source="MemGPT, arXiv 2310.08560, which moves text between the prompt and a store that "
        "the model searches by calls.",
    ),
    _make,
)
