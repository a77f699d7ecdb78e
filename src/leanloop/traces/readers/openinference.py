"""Spans that Phoenix exported, a span a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from leanloop.traces.protocol import Head, ReaderCard, Wanted
from leanloop.traces.readers.json_types import mapping, number, text, unix_s
from leanloop.traces.readers.openinference_spans import OPENINFERENCE
from leanloop.traces.readers.spans import Span, SpanRuns
from leanloop.traces.source import Source
from leanloop.traces.trace import TraceRun


class OpenInference:
    """Reads a span a line, as Phoenix and OpenTelemetry's ``to_json`` write it.

    Attributes are an object, their names dotted or nested. OTLP JSON with OpenInference spans
    is read by ``otlp``.
    """

    card = ReaderCard(
        name="openinference",
        summary="OpenInference spans, a JSON object a line (Phoenix).",
        looks_for="lines with context.trace_id and attributes of openinference",
        source="https://github.com/Arize-ai/openinference, spec/semantic_conventions.md, 2026-11.",
    )

    def claims(self, head: Head) -> bool:
        """Whether a line is such a span."""
        return any(
            isinstance(x.get("context"), dict) and isinstance(x.get("attributes"), dict)
            for x in head.lines[:5]
        )

    def read(self, sources: Sequence[Source], wanted: Wanted) -> Iterator[TraceRun]:
        """The runs of each file."""
        for source in sources:
            runs = SpanRuns(source, wanted, OpenInference.card.name, OPENINFERENCE)
            for line, value in source.objects():
                span = _span(value)
                if span is None:
                    source.skip("a line is no span", f"line {line}")
                else:
                    yield from runs.take(span)
            yield from runs.rest()


def _span(value: dict[str, Any]) -> Span | None:
    context = mapping(value.get("context"))
    trace_id, span_id = text(context.get("trace_id")), text(context.get("span_id"))
    if not (trace_id and span_id):
        return None
    status = value.get("status_code", mapping(value.get("status")).get("status_code"))
    return Span(
        trace_id,
        span_id,
        text(value.get("parent_id")),
        text(value.get("name")),
        _when(value.get("start_time")),
        _when(value.get("end_time")),
        _flat(mapping(value.get("attributes")), "", 0),
        status == "ERROR",
    )


def _when(value: Any) -> float | None:  # noqa: ANN401
    return unix_s(value) if isinstance(value, str) else number(value)


def _flat(value: dict[str, Any], before: str, depth: int) -> dict[str, Any]:
    """Attributes by dotted name, whichever way they were written."""
    found: dict[str, Any] = {}
    for key, inner in value.items():
        name = f"{before}{key}"
        if isinstance(inner, list) and depth < 12:
            inner = dict(zip(map(str, range(len(inner))), inner, strict=True))  # noqa: PLW2901
        if isinstance(inner, dict) and depth < 12:
            found |= _flat(inner, f"{name}.", depth + 1)
        else:
            found[name] = inner
    return found


READER = OpenInference()
