"""A Responses request body, read for levers and written back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.message import (
    AssistantMessage,
    Json,
    Message,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from leanloop.core.tokens import Tokens
from leanloop.models.body_tools import BodyTools, ToolForm, read_tools
from leanloop.models.originals import NO_LIMIT, Originals, patched, same_objects, with_fields
from leanloop.models.tool_arguments import read_arguments

UNREADABLE = "is not as the Responses API has it; send the body on as it is, without levers"
TEXTS = frozenset({"input_text", "output_text", "text"})


@dataclass(frozen=True)
class Piece:
    """A message as it was read from a body.

    Args:
        message: What levers see.
        items: The items that it was read from; none for the body's ``instructions``.
    """

    message: Message
    items: list[Json]


@dataclass(frozen=True)
class ResponsesRequest:
    """A body and the request that levers see of it; make it with ``read_request``.

    Args:
        body: As it came; never changed.
        request: What levers see.
        tools: The body's tools.
        pieces: The request's messages, with the items that they were read from.
        originals: The request's messages.
    """

    body: dict[str, Json]
    request: Request
    tools: BodyTools
    pieces: tuple[Piece, ...]
    originals: Originals

    def write(self, request: Request) -> dict[str, Json]:
        """The body of a request that levers made of this one.

        What no lever changed is the very object that came: an item, a tool, the list
        of either, the body. The seed is left out, as the API knows none.

        Args:
            request: Made from ``self.request``, or a lever's own question.
        """
        if request is self.request:
            return self.body
        changes = {**self._settings(request), **self._tools(request)}
        if request.messages is not self.request.messages:
            changes |= self._input(request.messages)
        return with_fields(self.body, changes)

    def _settings(self, request: Request) -> dict[str, Json]:
        was, changes = self.request, dict[str, Json]()
        if request.model != was.model:
            changes["model"] = request.model
        if request.max_output_tokens != was.max_output_tokens:
            changes["max_output_tokens"] = request.max_output_tokens
        if request.temperature != was.temperature:
            changes["temperature"] = request.temperature
        if request.effort != was.effort:
            reasoning = self.body.get("reasoning") or {}
            effort = {"effort": request.effort or None}
            changes["reasoning"] = with_fields(reasoning, effort) or None
        return changes

    def _tools(self, request: Request) -> dict[str, Json]:
        changes: dict[str, Json] = {}
        tools = self.tools.written(request.tools)
        if tools is not self.tools.sent:
            changes["tools"] = tools or None
        if not tools and self.tools.sent:
            changes |= {"tool_choice": None, "parallel_tool_calls": None}
        elif tools and request.tools_allowed != self.request.tools_allowed:
            changes["tool_choice"] = None if request.tools_allowed else "none"
        return changes

    def _input(self, messages: Sequence[Message]) -> dict[str, Json]:
        found = self.originals.find(messages)
        items: list[Json] = []
        changes: dict[str, Json] = {}
        kept = False
        for message, index in zip(messages, found, strict=True):
            if index is not None and not self.pieces[index].items:
                kept = message == self.pieces[index].message
                if not kept:
                    changes["instructions"], kept = message.text, True
                continue
            items += self._items(message, index)
        if not kept and self.body.get("instructions"):
            changes["instructions"] = None
        sent = self.body.get("input")
        if not isinstance(sent, list) or not same_objects(items, sent):
            changes["input"] = items
        return changes

    def _items(self, message: Message, index: int | None) -> list[Json]:
        if index is None:
            return response_items(message)
        piece = self.pieces[index]
        was = piece.message
        if message is was:
            return piece.items
        if isinstance(message, AssistantMessage) and isinstance(was, AssistantMessage):
            signed = any(i.get("type") == "reasoning" for i in piece.items)
            if message.verbatim is not None or signed:  # kept whole
                return piece.items
            bare = msgspec.structs.replace(was, verbatim=None)
            return piece.items if bare == message else response_items(message)
        old, new = response_items(was), response_items(message)
        return [patched(*three) for three in zip(piece.items, old, new, strict=True)]


def read_request(body: dict[str, Json]) -> ResponsesRequest:
    """Read a body for levers; the body is kept and not changed.

    What the model made in one go, reasoning included, is one assistant message. Only text
    is shown of what has other parts. Whether a tool's result is an error is not on the
    wire, so none is. A conversation that the provider keeps (``previous_response_id``,
    ``conversation``) is not here and not seen.

    Raises:
        BadInputError: The API would not know what the body is; send it on as it is, and
            let the endpoint say what is wrong with it.
    """
    tools = read_tools(body, FORM)
    pieces = tuple(_read_pieces(body))
    messages = tuple(p.message for p in pieces)
    request = Request(
        model=body.get("model") or "",
        messages=messages,
        tools=tools.seen,
        tools_allowed=body.get("tool_choice") != "none",
        max_output_tokens=body.get("max_output_tokens") or NO_LIMIT,
        temperature=body.get("temperature"),
        effort=(body.get("reasoning") or {}).get("effort") or "",
    )
    return ResponsesRequest(body, request, tools, pieces, Originals(messages))


def response_items(message: Message) -> list[Json]:
    """A message as items of the wire format."""
    match message:
        case SystemMessage():
            return [{"role": "system", "content": message.text}]
        case UserMessage():
            return [{"role": "user", "content": message.text}]
        case ToolMessage():
            kind = "function_call_output"
            return [{"type": kind, "call_id": message.call_id, "output": message.text}]
        case AssistantMessage(verbatim={"items": list(sent)}):
            return sent
        case AssistantMessage():
            said = [{"role": "assistant", "content": message.text}] if message.text else []
            return [*said, *map(_call_item, message.tool_calls)]
        case _:
            raise TypeError(type(message).__name__)


def response_tool(tool: ToolSpec) -> dict[str, Json]:
    """A tool in the wire format."""
    about = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", **about}


def read_message(items: list[Json]) -> AssistantMessage:
    """What the model made in one go.

    Args:
        items: Of an answer's ``output``, or of a request's ``input``.
    """
    texts = [_text(i.get("content")) for i in items if i.get("type", "message") == "message"]
    calls = tuple(_read_call(i) for i in items if i.get("type") in {"function_call", CUSTOM})
    return AssistantMessage("".join(texts), calls, {"items": items})


CUSTOM = "custom_tool_call"


def read_usage(usage: Json) -> Tokens:
    """Tokens by class from a usage object; all unknown when there is none.

    Cached tokens are part of ``input_tokens``, reasoning is part of ``output_tokens``
    (openai SDK 3.54, 2026-11).
    """
    if not isinstance(usage, dict) or not usage.get("input_tokens"):
        return Tokens()
    details = usage.get("input_tokens_details") or {}
    read, written = details.get("cached_tokens") or 0, details.get("cache_write_tokens") or 0
    sent, output = usage["input_tokens"], usage.get("output_tokens") or 0
    reasoning = (usage.get("output_tokens_details") or {}).get("reasoning_tokens") or 0
    reasoning = min(reasoning, output)
    fresh = max(sent - read - written, 0)
    return Tokens(fresh, read, written, 0, output - reasoning, reasoning)


def _call_item(call: ToolCall) -> dict[str, Json]:
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    about = {"call_id": call.call_id, "name": call.name, "arguments": arguments}
    return {"type": "function_call", **about}


def _read_call(item: dict[str, Json]) -> ToolCall:
    if item["type"] == CUSTOM:
        return ToolCall(item["call_id"], item["name"], {"input": item["input"]})
    return ToolCall(item["call_id"], item["name"], read_arguments(item["arguments"]))


def _read_tool(tool: Json) -> ToolSpec | None:
    if tool.get("type") != "function":
        return None
    return ToolSpec(tool["name"], tool.get("description") or "", tool.get("parameters") or {})


def _forced(choice: Json) -> list[str]:
    if not isinstance(choice, dict):
        return []
    return [c["name"] for c in choice.get("tools") or [choice] if "name" in c]


FORM = ToolForm(_read_tool, _forced, response_tool, UNREADABLE)


def _read_pieces(body: dict[str, Json]) -> Iterator[Piece]:
    if isinstance(body.get("instructions"), str):
        yield Piece(SystemMessage(body["instructions"]), [])
    sent = body.get("input")
    if isinstance(sent, str):
        yield Piece(UserMessage(sent), [{"role": "user", "content": sent}])
        return
    if not isinstance(sent, list):
        raise BadInputError("input", UNREADABLE)
    names: dict[str, str] = {}
    made: list[Json] = []
    for place, item in enumerate(sent):
        try:
            if _is_made(item):
                made.append(item)
                continue
            yield from _made(made, names)
            made = []
            yield Piece(_read_given(item, names), [item])
        except (LookupError, TypeError, AttributeError):
            raise BadInputError(f"input[{place}]", UNREADABLE) from None
    yield from _made(made, names)


def _made(items: list[Json], names: dict[str, str]) -> Iterator[Piece]:
    if not items:
        return
    try:
        message = read_message(items)
    except (LookupError, TypeError, AttributeError):
        raise BadInputError("input", UNREADABLE) from None
    names |= {c.call_id: c.name for c in message.tool_calls}
    yield Piece(message, items)


def _is_made(item: dict[str, Json]) -> bool:
    """Whether the model made the item."""
    kind = item.get("type") or "message"
    return item["role"] == "assistant" if kind == "message" else not kind.endswith("_output")


def _read_given(item: dict[str, Json], names: dict[str, str]) -> Message:
    if (item.get("type") or "message") != "message":
        call_id = item.get("call_id") or ""
        return ToolMessage(call_id, names.get(call_id, ""), _text(item.get("output")))
    role, text = item["role"], _text(item["content"])
    if role in {"system", "developer"}:
        return SystemMessage(text)
    if role == "user":
        return UserMessage(text)
    raise LookupError(role)


def _text(content: Json) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    return "".join(p.get("text") or p.get("refusal") or "" for p in parts if _is_text(p))


def _is_text(part: dict[str, Json]) -> bool:
    return part.get("type") in TEXTS or part.get("type") == "refusal"
