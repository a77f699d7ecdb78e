"""A Messages request body, read for levers and written back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from leanloop.core.errors import BadInputError
from leanloop.core.message import (
    Json,
    Request,
    SystemMessage,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from leanloop.models.body_tools import BodyTools, ToolForm, read_tools
from leanloop.models.body_turns import INSTRUCTIONS, Piece, Turns
from leanloop.models.message_blocks import read_message, text_blocks, tool_schemas
from leanloop.models.originals import NO_LIMIT, with_fields

UNREADABLE = "is not as the Messages API has it; send the body on as it is, without levers"


@dataclass(frozen=True)
class MessagesRequest:
    """A body and the request that levers see of it; make it with ``read_request``.

    Args:
        body: As it came; never changed.
        request: What levers see.
        tools: The body's tools.
        turns: The body's system text and turns.
    """

    body: dict[str, Json]
    request: Request
    tools: BodyTools
    turns: Turns

    def write(self, request: Request) -> dict[str, Json]:
        """The body of a request that levers made of this one.

        What no lever changed is the very object that came: a turn, a block of a
        turn that did change, a tool, the list of either, the body. The seed is left
        out, as the API knows none.

        Args:
            request: Made from ``self.request``, or a lever's own question.
        """
        if request is self.request:
            return self.body
        changes = {**self._settings(request), **self._tools(request)}
        if request.messages is not self.request.messages:
            changes |= self.turns.written(request.messages)
        return with_fields(self.body, changes)

    def _settings(self, request: Request) -> dict[str, Json]:
        was, changes = self.request, dict[str, Json]()
        if request.model != was.model:
            changes["model"] = request.model
        if request.max_output_tokens != was.max_output_tokens:
            changes["max_tokens"] = request.max_output_tokens + self._thinking(request)
        if request.temperature != was.temperature:
            changes["temperature"] = request.temperature
        if request.effort != was.effort:
            output = with_fields(
                self.body.get("output_config") or {}, {"effort": request.effort or None}
            )
            changes["output_config"] = output or None
        return changes

    def _thinking(self, request: Request) -> int:
        """Tokens for thinking, where the bound would leave no room: the API refuses that."""
        budget = (self.body.get("thinking") or {}).get("budget_tokens") or 0
        return budget if budget >= request.max_output_tokens else 0

    def _tools(self, request: Request) -> dict[str, Json]:
        changes: dict[str, Json] = {}
        tools = self.tools.written(request.tools)
        if tools is not self.tools.sent:
            changes["tools"] = tools or None
        if not tools and self.tools.sent:  # refused where there are no tools
            changes["tool_choice"] = None
        elif tools and request.tools_allowed != self.request.tools_allowed:
            changes["tool_choice"] = None if request.tools_allowed else {"type": "none"}
        return changes


def read_request(body: dict[str, Json], ref: str = "") -> MessagesRequest:
    """Read a body for levers; the body is kept and not changed.

    A user turn is one message for each tool result in it and one for the rest;
    neighbouring assistant turns, which the API joins, are one. A ``system`` turn in
    the conversation is system text. Only text is shown of what has other blocks.

    Args:
        body: The body's JSON.
        ref: ``provider:model`` that it goes to, kept beside assistant messages.

    Raises:
        BadInputError: The API would not know what the body is; send it on as it
            is, and let the endpoint say what is wrong with it.
    """
    tools = read_tools(body, FORM)
    pieces = [*_read_system(body), *_read_turns(body, ref)]
    output, choice = body.get("output_config") or {}, body.get("tool_choice") or {}
    request = Request(
        model=body.get("model") or "",
        messages=tuple(p.message for p in pieces),
        tools=tools.seen,
        tools_allowed=choice.get("type") != "none",
        max_output_tokens=body.get("max_tokens") or NO_LIMIT,
        temperature=body.get("temperature"),
        effort=output.get("effort") or "",
    )
    return MessagesRequest(body, request, tools, Turns(body, tuple(pieces), ref))


def _read_tool(tool: dict[str, Json]) -> ToolSpec | None:
    if "input_schema" not in tool:
        return None
    return ToolSpec(tool["name"], tool.get("description") or "", tool["input_schema"])


def _forced(choice: Json) -> list[str]:
    return [choice["name"]] if choice and choice.get("type") == "tool" else []


def _write_tool(tool: ToolSpec) -> dict[str, Json]:
    return tool_schemas([tool])[0]


FORM = ToolForm(_read_tool, _forced, _write_tool, UNREADABLE)


def _read_system(body: dict[str, Json]) -> Iterator[Piece]:
    try:
        for block in _blocks(body.get("system")):
            yield Piece(SystemMessage(block["text"]), INSTRUCTIONS, 0, 0, [block])
    except (LookupError, TypeError, AttributeError):
        raise BadInputError("system", UNREADABLE) from None


def _read_turns(body: dict[str, Json], ref: str) -> Iterator[Piece]:
    turns = body.get("messages")
    if not isinstance(turns, list):
        raise BadInputError("messages", UNREADABLE)
    names: dict[str, str] = {}
    start = 0
    for _, run in groupby(turns, lambda t: t.get("role") if isinstance(t, dict) else None):
        end = start + len(list(run))
        try:
            yield from _read_run(turns, start, end, ref, names)
        except (LookupError, TypeError, AttributeError):
            raise BadInputError(f"messages[{start}]", UNREADABLE) from None
        start = end


def _read_run(
    turns: list[Json], start: int, end: int, ref: str, names: dict[str, str]
) -> Iterator[Piece]:
    role = turns[start]["role"]
    if role == "assistant":
        said = [b for t in turns[start:end] for b in _blocks(t["content"])]
        message = read_message(said, ref, tools_allowed=True)
        names |= {c.call_id: c.name for c in message.tool_calls}
        yield Piece(message, role, start, end, said)
        return
    for at in range(start, end):
        blocks = _blocks(turns[at]["content"])
        if role == "system":
            yield Piece(SystemMessage(_text(blocks)), role, at, at + 1, blocks)
        elif role == "user":
            yield from _read_user(blocks, at, names)
        else:
            raise LookupError(role)


def _read_user(blocks: list[Json], at: int, names: dict[str, str]) -> Iterator[Piece]:
    results = [b for b in blocks if b["type"] == "tool_result"]
    for block in results:
        yield Piece(_read_result(block, names), "user", at, at + 1, [block])
    rest = [b for b in blocks if b["type"] != "tool_result"]
    if rest or not results:
        yield Piece(UserMessage(_text(rest)), "user", at, at + 1, rest)


def _read_result(block: dict[str, Json], names: dict[str, str]) -> ToolMessage:
    call_id, text = block["tool_use_id"], _text(_blocks(block.get("content")))
    return ToolMessage(call_id, names.get(call_id, ""), text, bool(block.get("is_error")))


def _blocks(content: Json) -> list[Json]:
    return text_blocks(content) if isinstance(content, str) else list(content or ())


def _text(blocks: list[Json]) -> str:
    return "\n".join(b["text"] for b in blocks if b["type"] == "text")
