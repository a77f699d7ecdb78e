"""OpenTelemetry spans of a gateway's calls, with the extra ``otel``."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

from leanloop.traces.call_record import CallRecord

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
NANO = 1_000_000_000


class Spans:
    """A span for each call, by the GenAI conventions (OpenTelemetry 1.45, 2026-11); no contents.

    Args:
        provider: A tracer provider of the SDK; it is shut down with the gateway.
    """

    def __init__(self, provider: Any) -> None:  # noqa: ANN401 - the extra's type
        self._provider = provider
        self._tracer = provider.get_tracer("leanloop.gateway")

    def heard(self, record: CallRecord) -> None:
        """Make the span of a call that has ended."""
        trace = record.trace
        start = round((trace.started_at or 0.0) * NANO)
        span = self._tracer.start_span(
            f"chat {trace.model}", start_time=start, attributes=_attributes(record)
        )
        span.end(end_time=start + round((trace.latency_s or 0.0) * NANO))

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def _attributes(record: CallRecord) -> dict[str, str | int | float]:
    trace, tokens = record.trace, record.trace.counts.tokens
    known: dict[str, str | int | float | None] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.response.model": trace.model,
        "gen_ai.conversation.id": record.session_id,
        "gen_ai.usage.input_tokens": trace.counts.input_tokens,
        "gen_ai.usage.output_tokens": trace.counts.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": tokens.cache_read_tokens,
        "leanloop.configuration": record.configuration_id,
        "leanloop.purpose": trace.purpose,
        "leanloop.task": record.task or None,
        "leanloop.usd": trace.usd,
        "leanloop.evidence": str(trace.evidence),
        "error.type": trace.error or None,
    }
    return {k: v for k, v in known.items() if v is not None}


def spans() -> Spans | None:
    """Spans that go where the environment says; None without that, or without the extra."""
    if not any(os.environ.get(name) for name in ENDPOINTS):
        return None
    if find_spec("opentelemetry.sdk") is None:
        return None
    # An extra, all of it.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({"service.name": "leanloop-gateway"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Spans(provider)
