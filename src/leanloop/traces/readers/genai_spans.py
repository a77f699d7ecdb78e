"""Spans after OpenTelemetry's conventions for generative AI, older names included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from leanloop.core.message import (
    AssistantMessage,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from leanloop.models.tool_arguments import read_arguments
from leanloop.traces.readers.chat_wire import ChatWire, tools_of
from leanloop.traces.readers.json_types import count, decoded, objects, text
from leanloop.traces.readers.spans import Convention, ModelSpan, Span
from leanloop.traces.trace import Counts, inclusive

CALLS = frozenset({"chat", "text_completion", "generate_content", "completion"})
READ = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.details.cache_read_tokens",
    "gen_ai.usage.details.cached_tokens",
)
WRITTEN = (
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.details.cache_write_tokens",
)
THOUGHT = ("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.details.reasoning_tokens")


def model_of(span: Span) -> ModelSpan | None:
    """A model call; cached tokens are within input, reasoning within output."""
    a = span.attributes
    if text(a.get("gen_ai.operation.name")) not in CALLS:
        return None
    request = [*_instructions(a), *_messages(a)]
    return ModelSpan(
        text(a.get("gen_ai.response.model")) or text(a.get("gen_ai.request.model")),
        text(a.get("gen_ai.provider.name")) or text(a.get("gen_ai.system")),
        request,
        _answer(a),
        _counts(a),
        tools_of(decoded(a.get("gen_ai.tool.definitions"))) or None,
    )


def agent_of(span: Span) -> str | None:
    """The name of an agent at work."""
    if text(span.attributes.get("gen_ai.operation.name")) not in {"invoke_agent", "create_agent"}:
        return None
    return text(span.attributes.get("gen_ai.agent.name")) or span.name


def tool_of(span: Span) -> str | None:
    """The call that a tool's span carries out."""
    a = span.attributes
    if a.get("gen_ai.operation.name") != "execute_tool" and "gen_ai.tool.call.id" not in a:
        return None
    return text(a.get("gen_ai.tool.call.id")) or None


def session_of(span: Span) -> str:
    """The conversation that a span belongs to."""
    return text(span.attributes.get("gen_ai.conversation.id"))


GENAI = Convention(model_of, agent_of, tool_of, session_of)


def _counts(a: dict[str, Any]) -> Counts:
    sent = _first(a, ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"))
    out = _first(a, ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"))
    read, written = _first(a, READ), _first(a, WRITTEN)
    known = read is not None or written is not None
    cached = (read or 0, written or 0, 0) if known else (None, None, None)
    return inclusive(sent, out, cached=cached, reasoning=_first(a, THOUGHT))


def _first(a: dict[str, Any], names: tuple[str, ...]) -> int | None:
    found = (count(a.get(n)) for n in names)
    return next((n for n in found if n is not None), None)


def _instructions(a: dict[str, Any]) -> Iterator[tuple[Message, int]]:
    parts = list(objects(decoded(a.get("gen_ai.system_instructions"))))
    words = "".join(text(p.get("content")) for p in parts)
    if words:
        yield SystemMessage(words), 0


def _messages(a: dict[str, Any]) -> Iterator[tuple[Message, int]]:
    names: dict[str, str] = {}
    wire = ChatWire()
    told = a.get("gen_ai.input.messages", a.get("gen_ai.prompt"))
    for sent in objects(decoded(told)):
        if isinstance(sent.get("parts"), list):
            yield from _of_parts(sent, names)
        elif (read := wire.message(sent)) is not None:
            yield read


def _of_parts(sent: dict[str, Any], names: dict[str, str]) -> Iterator[tuple[Message, int]]:
    parts = list(objects(sent.get("parts")))
    written = (p for p in parts if text(p.get("type")) in {"text", "reasoning"})
    words = "".join(text(p.get("content")) for p in written)
    known = {"text", "reasoning", "tool_call", "tool_call_response", "thinking"}
    others = sum(text(p.get("type")) not in known for p in parts)
    role = sent.get("role")
    for part in parts:
        if part.get("type") == "tool_call_response":
            call_id = text(part.get("id"))
            result = part.get("response", part.get("result"))
            said = result if isinstance(result, str) else msgspec.json.encode(result).decode()
            yield ToolMessage(call_id, names.get(call_id, text(part.get("name"))), text(said)), 0
    if role == "assistant":
        calls = tuple(_calls(parts))
        names.update({c.call_id: c.name for c in calls})
        yield AssistantMessage(words, calls), others
    elif words or others:
        yield (SystemMessage(words) if role == "system" else UserMessage(words)), others


def _calls(parts: list[dict[str, Any]]) -> Iterator[ToolCall]:
    for part in parts:
        if part.get("type") == "tool_call":
            arguments = read_arguments(part.get("arguments"))
            yield ToolCall(text(part.get("id")), text(part.get("name")), arguments)


def _answer(a: dict[str, Any]) -> AssistantMessage | None:
    told = a.get("gen_ai.output.messages", a.get("gen_ai.completion"))
    for sent in objects(decoded(told)):
        if isinstance(sent.get("parts"), list):
            made = [m for m, _ in _of_parts({**sent, "role": "assistant"}, {})]
            return next((m for m in made if isinstance(m, AssistantMessage)), None)
        read = ChatWire().message({"role": "assistant", **sent})
        return read[0] if read and isinstance(read[0], AssistantMessage) else None
    return None
