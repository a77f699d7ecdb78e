"""OpenTelemetry's OTLP JSON: one export a line, or one document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from leanloop.traces.protocol import Head, ReaderCard, Wanted
from leanloop.traces.readers.genai_spans import GENAI
from leanloop.traces.readers.json_types import mapping, objects, text
from leanloop.traces.readers.openinference_spans import OPENINFERENCE
from leanloop.traces.readers.spans import Convention, ModelSpan, Span, SpanRuns
from leanloop.traces.source import Source
from leanloop.traces.trace import TraceRun

NANO = 1e9
DEEPEST = 20
FAILED = frozenset({2, "STATUS_CODE_ERROR"})


def _either_model(span: Span) -> ModelSpan | None:
    return GENAI.model(span) or OPENINFERENCE.model(span)


def _either_agent(span: Span) -> str | None:
    found = GENAI.agent(span)
    return OPENINFERENCE.agent(span) if found is None else found


EITHER = Convention(
    _either_model,
    _either_agent,
    lambda span: GENAI.tool(span) or OPENINFERENCE.tool(span),
    lambda span: GENAI.session(span) or OPENINFERENCE.session(span),
)


class Otlp:
    """Reads OTLP JSON with spans of OpenTelemetry GenAI or OpenInference conventions.

    An agent's span is a run, an agent within it a run of its own; without one the trace is
    the run. Of spans of one model call within another the inner one counts.
    """

    card = ReaderCard(
        name="otlp",
        summary="OpenTelemetry traces as OTLP JSON (GenAI or OpenInference spans).",
        looks_for="an object with resourceSpans",
        source="https://opentelemetry.io/docs/specs/semconv/gen-ai/, development, 2026-11; "
        "https://github.com/open-telemetry/opentelemetry-proto, JSON encoding.",
    )

    def claims(self, head: Head) -> bool:
        """Whether the first object holds exported spans."""
        if head.lines:
            return any("resourceSpans" in line for line in head.lines[:3])
        return head.starts_with == b"{" and b'"resourceSpans"' in head.data[:4096]

    def read(self, sources: Sequence[Source], wanted: Wanted) -> Iterator[TraceRun]:
        """The runs of each file."""
        for source in sources:
            runs = SpanRuns(source, wanted, Otlp.card.name, EITHER)
            for exported in _exports(source):
                for span in _spans(exported, source):
                    yield from runs.take(span)
            yield from runs.rest()


def _exports(source: Source) -> Iterator[dict[str, Any]]:
    """Each element of ``resourceSpans``."""
    first = next((line for _, line in source.lines()), b"")
    if first.rstrip().endswith(b"}") and b'"resourceSpans"' in first:
        for number, value in source.objects():
            if isinstance(value.get("resourceSpans"), list):
                yield from objects(value["resourceSpans"])
            else:
                source.skip("a line holds no spans", f"line {number}")
        return
    for value in source.items("resourceSpans.item"):
        if isinstance(value, dict):
            yield value


def _spans(exported: dict[str, Any], source: Source) -> Iterator[Span]:
    scopes = exported.get("scopeSpans", exported.get("instrumentationLibrarySpans"))
    for scope in objects(scopes):
        for span in objects(scope.get("spans")):
            trace_id, span_id = text(span.get("traceId")), text(span.get("spanId"))
            if not (trace_id and span_id):
                source.skip("a span has no id")
                continue
            status = mapping(span.get("status")).get("code")
            yield Span(
                trace_id,
                span_id,
                text(span.get("parentSpanId")).strip("0") and text(span.get("parentSpanId")),
                text(span.get("name")),
                _seconds(span.get("startTimeUnixNano")),
                _seconds(span.get("endTimeUnixNano")),
                _attributes(span.get("attributes")),
                isinstance(status, int | str) and status in FAILED,
            )


def _seconds(nanos: Any) -> float | None:  # noqa: ANN401
    if isinstance(nanos, bool) or not isinstance(nanos, int | float | str):
        return None
    try:
        found = float(nanos) / NANO
    except (ValueError, OverflowError):
        return None
    return found if 0 < found < 1e11 else None


def _attributes(pairs: Any) -> dict[str, Any]:  # noqa: ANN401
    return {text(p.get("key")): _value(p.get("value"), 0) for p in objects(pairs)}


def _value(told: Any, depth: int) -> Any:  # noqa: ANN401
    """A typed value: ``{"intValue": "3"}`` is 3."""
    kinds = mapping(told)
    for kind, value in kinds.items():
        if kind == "intValue":
            return _int(value)
        if kind == "arrayValue" and depth < DEEPEST:
            return [_value(v, depth + 1) for v in objects(mapping(value).get("values"))]
        if kind == "kvlistValue" and depth < DEEPEST:
            inner = objects(mapping(value).get("values"))
            return {text(p.get("key")): _value(p.get("value"), depth + 1) for p in inner}
        return value
    return None


def _int(value: Any) -> int | None:  # noqa: ANN401
    try:
        return int(value)
    except (ValueError, TypeError, OverflowError):
        return None


READER = Otlp()
