"""Trajectories in Harbor's Agent Trajectory Interchange Format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from leanloop.core.message import (
    AssistantMessage,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from leanloop.models.tool_arguments import read_arguments
from leanloop.traces.protocol import Head, ReaderCard, Wanted
from leanloop.traces.readers.chat_wire import content_of, tools_of
from leanloop.traces.readers.json_types import amount, count, mapping, objects, text, unix_s
from leanloop.traces.source import Source
from leanloop.traces.thread import Thread
from leanloop.traces.trace import Counts, Totals, TraceCall, TraceRun, inclusive


class Atif:
    """Reads ATIF documents.

    A step of the agent is a call. ``final_metrics`` are the sum of the steps and are used
    only where no step has metrics. Steps copied from an earlier context are conversation and no
    spend. Cached tokens are within the prompt's. The format has no field for success. A
    trajectory of a sub-agent that stands within is a run of its own.
    """

    card = ReaderCard(
        name="atif",
        summary="Trajectories in the Agent Trajectory Interchange Format (Harbor).",
        looks_for='an object with a schema_version that starts with "ATIF"',
        source="https://github.com/laude-institute/harbor, docs/rfcs/0001-trajectory-format.md, "
        "1.4 to 1.7, read 2026-11; tested on a document built from it, not on a run of our own.",
    )

    def claims(self, head: Head) -> bool:
        """Whether it names the format's version."""
        return head.starts_with == b"{" and b'"ATIF-v' in head.data

    def read(self, sources: Sequence[Source], wanted: Wanted) -> Iterator[TraceRun]:
        """The trajectory of each file, then those within it."""
        for source in sources:
            found = False
            for document in source.items(""):
                if isinstance(document, dict) and isinstance(document.get("steps"), list):
                    found = True
                    yield from _trajectories(document, source, wanted, "", 0)
            if not found:
                source.skip("the document has no steps")


def _trajectories(
    document: dict[str, Any], source: Source, wanted: Wanted, parent: str, depth: int
) -> Iterator[TraceRun]:
    own = text(document.get("trajectory_id")) or text(document.get("session_id"))
    run_id = f"{source.name}:{own}" if depth == 0 else f"{parent}/{own or depth}"
    yield _Trajectory(document, wanted).run(source, run_id, parent)
    if depth < 8:
        for place, inner in enumerate(objects(document.get("subagent_trajectories"))):
            if isinstance(inner.get("steps"), list):
                named = (
                    inner if inner.get("trajectory_id") else {**inner, "trajectory_id": f"{place}"}
                )
                yield from _trajectories(named, source, wanted, run_id, depth + 1)


class _Trajectory:
    def __init__(self, document: dict[str, Any], wanted: Wanted) -> None:
        self._document = document
        self._thread = Thread(keep=wanted.contents)
        self._calls: list[TraceCall] = []
        agent = mapping(document.get("agent"))
        self._model = text(agent.get("model_name"))
        self._tools = tools_of(agent.get("tool_definitions")) or None
        self._last: float | None = None

    def run(self, source: Source, run_id: str, parent: str) -> TraceRun:
        times = []
        for step in objects(self._document["steps"]):
            self._step(step)
            self._last = unix_s(step.get("timestamp")) or self._last
            times.append(self._last)
        known = [t for t in times if t is not None]
        return TraceRun(
            run_id=run_id,
            source=source.name,
            format=Atif.card.name,
            calls=tuple(self._calls),
            parent_id=parent,
            session_id=text(self._document.get("session_id")),
            started_at=min(known, default=None),
            ended_at=max(known, default=None),
            tail=self._thread.tail,
            totals=self._totals(),
        )

    def _step(self, step: dict[str, Any]) -> None:
        said, others = content_of(step.get("message"))
        origin = step.get("source")
        if origin == "agent":
            self._agent(step, said, others)
        elif said or others:
            message = SystemMessage(said) if origin == "system" else UserMessage(said)
            self._thread.wait(self._thread.entry(message, others))
        for result in objects(mapping(step.get("observation")).get("results")):
            self._result(step, result)

    def _agent(self, step: dict[str, Any], said: str, others: int) -> None:
        calls = tuple(
            ToolCall(
                text(c.get("tool_call_id")),
                text(c.get("function_name")),
                read_arguments(c.get("arguments")),
            )
            for c in objects(step.get("tool_calls"))
        )
        message = AssistantMessage(text(step.get("reasoning_content")) + said, calls)
        entry = self._thread.entry(message, others)
        if step.get("is_copied_context") is True:
            self._thread.wait(entry)
            return
        metrics, at = mapping(step.get("metrics")), unix_s(step.get("timestamp"))
        counts, usd = _counts(metrics), amount(metrics.get("cost_usd"))
        self._calls.append(
            TraceCall(
                *self._thread.next(entry),
                entry,
                model=text(step.get("model_name")) or self._model,
                counts=counts,
                usd=None if not usd and counts.input_tokens else usd,
                started_at=self._last if self._last is not None else at,
                tools=self._tools,
            )
        )

    def _result(self, step: dict[str, Any], result: dict[str, Any]) -> None:
        call_id = text(result.get("source_call_id"))
        named = {text(c.get("tool_call_id")): c for c in objects(step.get("tool_calls"))}
        name = text(mapping(named.get(call_id)).get("function_name"))
        said, others = content_of(result.get("content"))
        self._thread.wait(self._thread.entry(ToolMessage(call_id, name, said), others))

    def _totals(self) -> Totals | None:
        final = mapping(self._document.get("final_metrics"))
        if not final or any(c.counts.input_tokens is not None for c in self._calls):
            return None
        named = {k.removeprefix("total_"): v for k, v in final.items()}
        return Totals(_counts(named), amount(named.get("cost_usd")) or None, len(self._calls))


def _counts(metrics: dict[str, Any]) -> Counts:
    read = count(metrics.get("cached_tokens"))
    known = 0 if read is not None else None
    return inclusive(
        count(metrics.get("prompt_tokens")),
        count(metrics.get("completion_tokens")),
        cached=(read, known, known),
    )


READER = Atif()
