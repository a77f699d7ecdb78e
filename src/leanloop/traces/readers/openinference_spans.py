"""Spans after OpenInference's conventions, whose messages are spread over numbered names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from leanloop.core.message import AssistantMessage, Message, ToolSpec
from leanloop.traces.readers.chat_wire import ChatWire, tools_of
from leanloop.traces.readers.json_types import amount, count, mapping, objects, text
from leanloop.traces.readers.spans import Convention, ModelSpan, Span
from leanloop.traces.trace import Counts, inclusive

KIND = "openinference.span.kind"
MOST = 10_000
"""Messages of a request; a larger number in a name is damage."""


def nested(attributes: dict[str, Any]) -> dict[str, Any]:
    """Attributes by their dotted names taken apart, numbers as places of a list."""
    root: dict[str, Any] = {}
    for name, value in attributes.items():
        at = root
        *path, last = str(name).split(".")[:12]
        for key in path:
            inner = at.get(key)
            if not isinstance(inner, dict):
                inner = at[key] = {}
            at = inner
        at[last] = value
    return root


def listed(value: Any) -> list[Any]:  # noqa: ANN401
    """A list, or the values of an object whose names are numbers, in order."""
    if isinstance(value, list):
        return value
    numbered = [(int(k), v) for k, v in mapping(value).items() if k.isdecimal() and len(k) < 6]
    return [v for k, v in sorted(numbered, key=lambda x: x[0]) if k < MOST]


def model_of(span: Span) -> ModelSpan | None:
    """A model call; cached tokens are within the prompt's, reasoning within the completion's."""
    tree = nested(span.attributes)
    if text(_at(tree, "openinference", "span", "kind")).upper() != "LLM":
        return None
    llm = mapping(tree.get("llm"))
    wire = ChatWire()
    request = [r for m in listed(llm.get("input_messages")) if (r := _message(m, wire))]
    answers = [r for m in listed(llm.get("output_messages")) if (r := _message(m, wire))]
    said = [m for m, _ in answers if isinstance(m, AssistantMessage)]
    return ModelSpan(
        text(llm.get("model_name")),
        text(llm.get("provider")) or text(llm.get("system")),
        request,
        said[0] if said else None,
        _counts(mapping(llm.get("token_count"))),
        _tools(llm),
        amount(_at(llm, "cost", "total")),
    )


def agent_of(span: Span) -> str | None:
    """The name of an agent at work."""
    if text(span.attributes.get(KIND)).upper() != "AGENT":
        return None
    return text(span.attributes.get("agent.name")) or span.name


def tool_of(span: Span) -> str | None:
    """The call that a tool's span carries out."""
    if text(span.attributes.get(KIND)).upper() != "TOOL":
        return None
    for name in ("tool_call.id", "tool.id", "tool.call.id"):
        if text(span.attributes.get(name)):
            return text(span.attributes[name])
    return None


def session_of(span: Span) -> str:
    """The session that a span belongs to."""
    return text(span.attributes.get("session.id"))


OPENINFERENCE = Convention(model_of, agent_of, tool_of, session_of)


def _at(value: Any, *path: str) -> Any:  # noqa: ANN401
    for key in path:
        value = mapping(value).get(key)
    return value


def _message(value: Any, wire: ChatWire) -> tuple[Message, int] | None:  # noqa: ANN401
    message = mapping(mapping(value).get("message"))
    parts = [mapping(mapping(p).get("message_content")) for p in listed(message.get("contents"))]
    content: Any = text(message.get("content"))
    if parts and not content:
        content = [{"type": text(p.get("type")), "text": p.get("text")} for p in parts]
    calls = []
    for each in listed(message.get("tool_calls")):
        made = mapping(mapping(each).get("tool_call"))
        calls.append({"id": made.get("id"), "function": mapping(made.get("function"))})
    return wire.message(
        {
            "role": text(message.get("role")) or "user",
            "content": content,
            "tool_calls": calls,
            "tool_call_id": message.get("tool_call_id"),
            "name": message.get("name"),
        }
    )


def _counts(told: dict[str, Any]) -> Counts:
    details = mapping(told.get("prompt_details"))
    read, written = count(details.get("cache_read")), count(details.get("cache_write"))
    known = read is not None or written is not None
    cached = (read or 0, written or 0, 0) if known else (None, None, None)
    return inclusive(
        count(told.get("prompt")),
        count(told.get("completion")),
        cached=cached,
        reasoning=count(_at(told, "completion_details", "reasoning")),
    )


def _tools(llm: dict[str, Any]) -> tuple[ToolSpec, ...] | None:
    return tools_of(list(_schemas(llm))) or None


def _schemas(llm: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for each in listed(llm.get("tools")):
        schema = _at(each, "tool", "json_schema")
        if isinstance(schema, str):
            try:
                schema = msgspec.json.decode(schema)
            except (msgspec.DecodeError, RecursionError):
                continue
        yield from objects([schema])
