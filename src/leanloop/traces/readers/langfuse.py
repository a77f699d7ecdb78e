"""Observations that Langfuse exported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from leanloop.core.message import AssistantMessage, Message, ToolSpec, UserMessage
from leanloop.core.tokens import Tokens
from leanloop.traces.protocol import Head, ReaderCard, Wanted
from leanloop.traces.readers.chat_wire import ChatWire, content_of, tools_of
from leanloop.traces.readers.json_types import amount, count, mapping, objects, text, unix_s
from leanloop.traces.readers.spans import Convention, ModelSpan, Span, SpanRuns
from leanloop.traces.source import Source
from leanloop.traces.trace import Counts, TraceRun, exclusive

READ = ("input_cached_tokens", "cache_read_input_tokens", "input_cache_read", "cached_tokens")
WRITTEN = ("cache_creation_input_tokens", "input_cache_creation", "input_cache_write")
THOUGHT = ("output_reasoning_tokens", "reasoning_tokens", "output_reasoning")


class Langfuse:
    """Reads observations: a list, an object with ``observations`` or ``data``, or one a line.

    A generation is a call. Emitters disagree whether ``input`` holds what was cached: where
    ``total`` is the sum of all classes it does not, else it does. ``total`` itself is not
    added. Scores are not part of the export, so success is unknown.
    """

    card = ReaderCard(
        name="langfuse",
        summary="Observations exported from Langfuse, JSON or JSON lines.",
        looks_for="objects with traceId, type and startTime",
        source="https://api.reference.langfuse.com, observations, 2026-11; tested on observations "
        "built from it, not on an export of our own.",
    )

    def claims(self, head: Head) -> bool:
        """Whether it holds observations."""
        data = head.data[:8192]
        named = b'"traceId"' in data and b'"startTime"' in data
        return named and b'"resourceSpans"' not in data

    def read(self, sources: Sequence[Source], wanted: Wanted) -> Iterator[TraceRun]:
        """The runs of each file."""
        for source in sources:
            runs = SpanRuns(source, wanted, Langfuse.card.name, LANGFUSE)
            for value in _observations(source):
                span = _span(value) if isinstance(value, dict) else None
                if span is None:
                    source.skip("an element is no observation")
                else:
                    yield from runs.take(span)
            yield from runs.rest()


def _observations(source: Source) -> Iterator[Any]:
    head = source.head().removeprefix(b"\xef\xbb\xbf").lstrip()
    if head[:1] == b"[":
        yield from source.items("item")
        return
    first = next((line for _, line in source.lines()), b"")
    if b'"traceId"' in first and first.rstrip().endswith(b"}"):
        yield from (value for _, value in source.objects())
        return
    for place in ("observations.item", "data.item"):
        if f'"{place.partition(".")[0]}"'.encode() in head:
            yield from source.items(place)
            return


def _span(value: dict[str, Any]) -> Span | None:
    trace_id, span_id = text(value.get("traceId")), text(value.get("id"))
    if not (trace_id and span_id):
        return None
    return Span(
        trace_id,
        span_id,
        text(value.get("parentObservationId")),
        text(value.get("name")),
        unix_s(value.get("startTime")),
        unix_s(value.get("endTime")),
        value,
        value.get("level") == "ERROR",
    )


def _model(span: Span) -> ModelSpan | None:
    value = span.attributes
    if text(value.get("type")).upper() != "GENERATION":
        return None
    request, tools = _request(_json(value.get("input")))
    cost = mapping(value.get("costDetails"))
    counts, usd = _counts(value), amount(cost.get("total", value.get("calculatedTotalCost")))
    return ModelSpan(
        text(value.get("model")),
        "",
        request,
        _answer(_json(value.get("output"))),
        counts,
        tools,
        None if not usd and counts.input_tokens else usd,
    )


def _agent(span: Span) -> str | None:
    return span.name if text(span.attributes.get("type")).upper() == "AGENT" else None


def _tool(span: Span) -> str | None:
    if text(span.attributes.get("type")).upper() != "TOOL":
        return None
    metadata = mapping(_json(span.attributes.get("metadata")))
    return text(metadata.get("tool_call_id")) or None


LANGFUSE = Convention(_model, _agent, _tool, lambda s: text(s.attributes.get("sessionId")))


def _counts(value: dict[str, Any]) -> Counts:
    told = mapping(value.get("usageDetails")) or mapping(value.get("usage"))
    sent, out = count(told.get("input")), count(told.get("output"))
    read, written, thought = (_first(told, names) for names in (READ, WRITTEN, THOUGHT))
    total = count(told.get("total"))
    if sent is None or out is None:
        return Counts(sent, out)
    if read is None and written is None and thought is None:
        return Counts(sent, out)
    read, written, thought = read or 0, written or 0, thought or 0
    apart = total == sent + out + read + written + thought and total != sent + out
    if not apart:
        sent, out = max(sent - read - written, 0), max(out - thought, 0)
    return exclusive(Tokens(sent, read, written, 0, out, thought))


def _first(told: dict[str, Any], names: tuple[str, ...]) -> int | None:
    return next((n for name in names if (n := count(told.get(name))) is not None), None)


def _json(value: Any) -> Any:  # noqa: ANN401
    if not isinstance(value, str) or value[:1] not in {"[", "{"}:
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return value


def _request(told: Any) -> tuple[list[tuple[Message, int]], tuple[ToolSpec, ...] | None]:  # noqa: ANN401
    tools = tools_of(mapping(told).get("tools")) or None
    messages = mapping(told).get("messages") if isinstance(told, dict) else told
    if isinstance(messages, str):
        return [(UserMessage(text(messages)), 0)], tools
    wire = ChatWire()
    return [r for m in objects(messages) if (r := wire.message(m)) is not None], tools


def _answer(told: Any) -> AssistantMessage | None:  # noqa: ANN401
    if isinstance(told, str):
        return AssistantMessage(text(told))
    if isinstance(told, list):
        told = next(objects(told), None)
    if not isinstance(told, dict):
        return None
    read = ChatWire().message({"role": "assistant", **told, "content": told.get("content")})
    if read is None or not isinstance(read[0], AssistantMessage):
        return AssistantMessage(content_of(told.get("content"))[0])
    return read[0]


READER = Langfuse()
