"""Spans of a trace, as runs: model calls of an agent, its tools, and agents within agents."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from leanloop.core.message import AssistantMessage, Message, ToolSpec
from leanloop.traces.protocol import Wanted
from leanloop.traces.source import Source
from leanloop.traces.thread import Thread
from leanloop.traces.trace import ACT, Counts, Entry, ToolTime, TraceCall, TraceRun

MOST_CLOSING = 64
"""Traces whose root has come that are held for spans that come late."""
MOST_OPEN = 4096
"""Traces that are held until their root comes."""


@dataclass(frozen=True)
class Span:
    """A span as its exporter wrote it.

    Args:
        trace_id: The trace.
        span_id: Unique in it.
        parent_id: The span that it is part of; empty for a root.
        name: What its maker called it.
        start_s: Unix seconds; None when unknown.
        end_s: The same.
        attributes: By name.
        is_error: Whether it failed.
    """

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    start_s: float | None
    end_s: float | None
    attributes: dict[str, Any]
    is_error: bool = False

    @property
    def latency_s(self) -> float | None:
        """How long it took."""
        if self.start_s is None or self.end_s is None or self.end_s < self.start_s:
            return None
        return self.end_s - self.start_s


@dataclass(frozen=True)
class ModelSpan:
    """What a span says of a model call.

    Args:
        model: Who answered.
        provider: As the span names it.
        request: What was sent, where it was recorded.
        response: What came back, where it was recorded.
        counts: Tokens.
        tools: What the model was shown; None where that was not recorded.
        usd: Dollars, where they were recorded.
    """

    model: str
    provider: str
    request: list[tuple[Message, int]]
    response: AssistantMessage | None
    counts: Counts
    tools: tuple[ToolSpec, ...] | None = None
    usd: float | None = None


@dataclass(frozen=True)
class Convention:
    """How to read spans.

    Args:
        model: What a span says of a model call; None when it is of none.
        agent: The agent's name where a span is of one at work; None else.
        tool: The call that a span carries out; None when it is of none.
        session: What a span says of the conversation that it belongs to.
    """

    model: Callable[[Span], ModelSpan | None]
    agent: Callable[[Span], str | None]
    tool: Callable[[Span], str | None]
    session: Callable[[Span], str]


@dataclass
class _Trace:
    spans: dict[str, Span] = field(default_factory=dict)


class SpanRuns:
    """Takes spans in any order and gives runs once their traces are whole.

    A trace is taken to be whole some traces after its root came, since a root ends last. A
    span of a model call within another is the client's record of the same call: the inner
    one counts.

    Args:
        source: The file.
        wanted: How to read.
        format: The reader's name.
        convention: How to read spans.
    """

    def __init__(
        self,
        source: Source,
        wanted: Wanted,
        format: str,  # noqa: A002
        convention: Convention,
    ) -> None:
        self._source = source
        self._wanted = wanted
        self._format = format
        self._convention = convention
        self._open: OrderedDict[str, _Trace] = OrderedDict()
        self._closing: OrderedDict[str, _Trace] = OrderedDict()

    def take(self, span: Span) -> Iterator[TraceRun]:
        """One span; the runs of traces that are whole by now."""
        held = self._closing.get(span.trace_id) or self._open.get(span.trace_id)
        if held is None:
            held = self._open[span.trace_id] = _Trace()
        held.spans[span.span_id] = span
        if not span.parent_id and span.trace_id in self._open:
            self._closing[span.trace_id] = self._open.pop(span.trace_id)
        if len(self._closing) > MOST_CLOSING:
            yield from self._runs(*self._closing.popitem(last=False))
        if len(self._open) > MOST_OPEN:
            yield from self._runs(*self._open.popitem(last=False))

    def rest(self) -> Iterator[TraceRun]:
        """The runs that are left at the end of the file."""
        for traces in (self._closing, self._open):
            for trace_id, trace in traces.items():
                yield from self._runs(trace_id, trace)
            traces.clear()

    def _runs(self, trace_id: str, trace: _Trace) -> Iterator[TraceRun]:
        spans = trace.spans
        calls = {i: m for i, s in spans.items() if (m := self._convention.model(s)) is not None}
        outer = {a for i in calls for a in _ancestors(spans, i) if a in calls}
        agents: dict[str, list[str]] = {}
        for span_id in sorted(calls.keys() - outer, key=lambda i: (spans[i].start_s or 0.0, i)):
            agents.setdefault(self._agent_of(spans, span_id), []).append(span_id)
        for agent, members in agents.items():
            yield self._run(trace_id, spans, agent, [(spans[i], calls[i]) for i in members])

    def _agent_of(self, spans: dict[str, Span], span_id: str) -> str:
        """The innermost agent at work; empty for the trace itself."""
        found = (
            a for a in _ancestors(spans, span_id) if self._convention.agent(spans[a]) is not None
        )
        return next(found, "")

    def _run(
        self,
        trace_id: str,
        spans: dict[str, Span],
        agent: str,
        members: list[tuple[Span, ModelSpan]],
    ) -> TraceRun:
        thread = Thread(keep=self._wanted.contents)
        calls = tuple(_call(thread, span, made) for span, made in members)
        parent = self._agent_of(spans, agent) if agent else ""
        name = self._source.name
        whole = spans[agent] if agent else None
        starts = [s.start_s for s, _ in members if s.start_s is not None]
        ends = [s.end_s for s, _ in members if s.end_s is not None]
        session = next((s for m, _ in members if (s := self._convention.session(m))), "")
        return TraceRun(
            run_id=f"{name}:{trace_id}/{agent}" if agent else f"{name}:{trace_id}",
            source=name,
            format=self._format,
            calls=calls,
            parent_id=f"{name}:{trace_id}/{parent}" if parent else "",
            session_id=session,
            started_at=whole.start_s if whole else min(starts, default=None),
            ended_at=whole.end_s if whole else max(ends, default=None),
            tool_times=self._tool_times(spans, agent),
        )

    def _tool_times(self, spans: dict[str, Span], agent: str) -> dict[str, ToolTime]:
        found = {}
        for span_id, span in spans.items():
            call_id = self._convention.tool(span)
            if call_id and span.latency_s is not None and self._agent_of(spans, span_id) == agent:
                found[call_id] = ToolTime(span.latency_s, span.start_s)
        return found


def _call(thread: Thread, span: Span, made: ModelSpan) -> TraceCall:
    request: list[Entry] = [thread.entry(*m) for m in made.request]
    response = None if made.response is None else thread.entry(made.response)
    return TraceCall(
        *thread.whole(request, response),
        response,
        model=made.model,
        provider=made.provider,
        counts=made.counts,
        usd=made.usd,
        latency_s=span.latency_s,
        started_at=span.start_s,
        tools=made.tools,
        purpose=ACT,
        error="the call failed" if span.is_error else "",
    )


def _ancestors(spans: dict[str, Span], span_id: str) -> Iterator[str]:
    """The spans that a span is part of, innermost first."""
    seen = {span_id}
    at = spans[span_id].parent_id
    while at in spans and at not in seen:
        yield at
        seen.add(at)
        at = spans[at].parent_id
