"""Spend logs of LiteLLM: one request a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from leanloop.core.message import AssistantMessage
from leanloop.core.tokens import NO_TOKENS
from leanloop.traces.protocol import Head, ReaderCard, Wanted
from leanloop.traces.readers.chat_wire import ChatWire, counts_of, tools_of
from leanloop.traces.readers.json_types import (
    amount,
    count,
    decoded,
    mapping,
    number,
    objects,
    text,
    unix_s,
)
from leanloop.traces.readers.spans import Convention, ModelSpan, Span, SpanRuns
from leanloop.traces.source import Source
from leanloop.traces.trace import Counts, TraceRun, exclusive


class LiteLLM:
    """Reads rows of the table LiteLLM_SpendLogs, or standard logging payloads.

    Rows of one session, or else of one trace, are a run; a row without either is one of its
    own. A hit of LiteLLM's own cache cost nothing. A spend of 0 beside tokens is a price
    that LiteLLM did not know.
    """

    card = ReaderCard(
        name="litellm",
        summary="LiteLLM spend logs, or logged payloads, JSON or JSON lines.",
        looks_for="objects with startTime, spend or response_cost, and prompt_tokens",
        source="https://docs.litellm.ai/docs/proxy/logging_spec, 2026-11; tested on payloads of "
        "LiteLLM 1.83.0. Rows of the proxy's database are built from that page.",
    )

    def claims(self, head: Head) -> bool:
        """Whether it holds rows of requests with their spend."""
        data = head.data[:16384]
        priced = b'"spend"' in data or b'"response_cost"' in data
        return priced and b'"startTime"' in data and b'"traceId"' not in data

    def read(self, sources: Sequence[Source], wanted: Wanted) -> Iterator[TraceRun]:
        """The runs of each file."""
        for source in sources:
            runs = SpanRuns(source, wanted, LiteLLM.card.name, LITELLM)
            for place, value in enumerate(_rows(source)):
                span = _span(value, place) if isinstance(value, dict) else None
                if span is None:
                    source.skip("an element is no request")
                else:
                    yield from runs.take(span)
            yield from runs.rest()


def _rows(source: Source) -> Iterator[Any]:
    if source.head().removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"[":
        yield from source.items("item")
    else:
        yield from (value for _, value in source.objects())


def _span(value: dict[str, Any], place: int) -> Span | None:
    own = text(value.get("request_id")) or text(value.get("id"))
    if not own or not ({"spend", "response_cost"} & value.keys()):
        return None
    session = text(value.get("session_id")) or text(value.get("trace_id"))
    failed = text(value.get("status")) == "failure"
    # Requests of one session have no root: a parent that never comes holds them together.
    return Span(
        session or own,
        f"{own}#{place}",
        "session" if session else "",
        "",
        _when(value.get("startTime")),
        _when(value.get("endTime")),
        value,
        failed,
    )


def _when(value: Any) -> float | None:  # noqa: ANN401
    return unix_s(value) if isinstance(value, str) else number(value)


def _model(span: Span) -> ModelSpan:
    value = span.attributes
    hit = text(value.get("cache_hit")).lower() == "true" or value.get("cache_hit") is True
    wire = ChatWire()
    request = [r for m in objects(decoded(value.get("messages"))) if (r := wire.message(m))]
    response = mapping(decoded(value.get("response")))
    choices = list(objects(response.get("choices")))
    said = wire.message(
        {"role": "assistant", **mapping(choices[0].get("message"))} if choices else {}
    )
    counts = exclusive(NO_TOKENS) if hit else _counts(value, response)
    usd = amount(value.get("spend", value.get("response_cost")))
    sent = mapping(decoded(value.get("proxy_server_request")) or value.get("model_parameters"))
    return ModelSpan(
        text(value.get("model")),
        text(value.get("custom_llm_provider")),
        request,
        said[0] if said and isinstance(said[0], AssistantMessage) else None,
        counts,
        tools_of(sent.get("tools")) or None,
        0.0 if hit else None if not usd and counts.input_tokens else usd,
    )


LITELLM = Convention(_model, lambda _: None, lambda _: None, lambda s: _session(s.attributes))


def _session(value: dict[str, Any]) -> str:
    return text(value.get("session_id")) or text(value.get("trace_id"))


def _counts(value: dict[str, Any], response: dict[str, Any]) -> Counts:
    metadata = mapping(decoded(value.get("metadata")))
    for usage in (metadata.get("usage_object"), response.get("usage")):
        if count(mapping(usage).get("prompt_tokens")) is not None:
            return counts_of(usage)
    return Counts(count(value.get("prompt_tokens")), count(value.get("completion_tokens")))


READER = LiteLLM()
