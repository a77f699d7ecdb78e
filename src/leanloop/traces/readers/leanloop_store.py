"""leanloop's own store: runs of studies and calls of gateways in a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

import msgspec

from leanloop.core.message import AssistantMessage, ToolCall, ToolMessage
from leanloop.core.run import ModelCall, Run, Step
from leanloop.models.tool_arguments import read_arguments
from leanloop.pricing.cost import PriceBook
from leanloop.traces.call_record import DECODER, CallRecord
from leanloop.traces.protocol import Head, ReaderCard, Wanted
from leanloop.traces.source import Source
from leanloop.traces.study_prices import book_of_study
from leanloop.traces.thread import Thread
from leanloop.traces.trace import ACT, Entry, ToolTime, Totals, TraceCall, TraceRun, exclusive
from leanloop.traces.writing import without_contents

SQLITE = b"SQLite format 3\x00"
QUERY = "SELECT study, run_json FROM runs ORDER BY number"
STUDIES = "SELECT name, spec_json FROM studies"
CALLS = "SELECT gateway, session_id, call_json FROM calls ORDER BY gateway, session_id, number"
OUTCOMES = "SELECT gateway, session_id, success FROM outcomes"
TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"


class LeanloopStore:
    """Reads the runs of a store, without changing it.

    A step's calls by the agent and those that a lever asked for are kept apart by their
    purpose. The system text, the task's text and the tools' schemas are not in a store, and
    what levers cut from a request is not marked: a request is shown as all that was said before.
    Dollars are those of the study's own prices, where it states some. A gateway's session is a
    run of its own, with its requests as they went upstream.
    """

    card = ReaderCard(
        name="leanloop-store",
        summary="The SQLite file of leanloop's own studies and gateways.",
        looks_for="a SQLite file with the table runs",
        source="leanloop.store.tables.",
    )

    def claims(self, head: Head) -> bool:
        """Whether it is a SQLite file with our tables."""
        return head.data.startswith(SQLITE) and b"run_json" in head.data

    def read(self, sources: Sequence[Source], wanted: Wanted) -> Iterator[TraceRun]:
        """The runs, in the order in which they were recorded."""
        for source in sources:
            try:
                yield from _runs(source, wanted)
                yield from _sessions(source, wanted)
            except sqlite3.DatabaseError:
                source.skip("the database is damaged or is no store")


def _runs(source: Source, wanted: Wanted) -> Iterator[TraceRun]:
    decoder = msgspec.json.Decoder(Run)
    connection = sqlite3.connect(f"{source.path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        books = {name: book_of_study(spec) for name, spec in connection.execute(STUDIES)}
        for place, (study, raw) in enumerate(connection.execute(QUERY), start=1):
            try:
                run = decoder.decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError, TypeError):
                source.skip("a row is no run", f"row {place}")
                continue
            yield _Steps(wanted, books.get(study)).trace(run, str(study), source)
    finally:
        connection.close()


def _sessions(source: Source, wanted: Wanted) -> Iterator[TraceRun]:
    connection = sqlite3.connect(f"{source.path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        if ("calls",) not in set(connection.execute(TABLES)):
            return  # made before there were gateways
        outcomes = {(g, s): success for g, s, success in connection.execute(OUTCOMES)}
        rows = groupby(connection.execute(CALLS), key=itemgetter(0, 1))
        for (gateway, session), calls in rows:
            records = list(_records(source, (raw for *_, raw in calls)))
            if records:
                success = outcomes.get((gateway, session))
                yield _session(source, f"{gateway}/{session}", records, success, wanted)
    finally:
        connection.close()


def _records(source: Source, rows: Iterable[bytes]) -> Iterator[CallRecord]:
    for raw in rows:
        try:
            yield DECODER.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, TypeError):
            source.skip("a row is no call")


def _session(
    source: Source, name: str, records: list[CallRecord], success: float | None, wanted: Wanted
) -> TraceRun:
    tools = None
    calls = []
    for record in records:
        call = record.trace
        tools = call.tools if call.tools is not None else tools
        calls.append(msgspec.structs.replace(call, tools=tools))
    run = TraceRun(
        run_id=f"{source.name}:{name}",
        source=source.name,
        format=LeanloopStore.card.name,
        calls=tuple(calls),
        session_id=name,
        task_id=records[-1].task or None,
        success=success,
        ended=calls[-1].error,
        started_at=calls[0].started_at,
        ended_at=(calls[-1].started_at or 0.0) + (calls[-1].latency_s or 0.0),
    )
    return run if wanted.contents else without_contents(run)


class _Steps:
    def __init__(self, wanted: Wanted, book: PriceBook | None) -> None:
        self._book = book
        self._thread = Thread(keep=wanted.contents)
        self._calls: list[TraceCall] = []
        self._times: dict[str, ToolTime] = {}

    def trace(self, run: Run, study: str, source: Source) -> TraceRun:
        for place, step in enumerate(run.steps):
            self._step(step, place)
        key, recorded = run.key, run.recorded
        return TraceRun(
            run_id=f"{source.name}:{study}/{key.configuration_id}/{key.task_id}/{key.seed}",
            source=source.name,
            format=LeanloopStore.card.name,
            calls=tuple(self._calls),
            session_id=f"{study}/{key.configuration_id}",
            task_id=key.task_id,
            success=run.success,
            ended=run.reason or str(run.status),
            started_at=run.started_at or None,
            ended_at=run.started_at + run.wall_s if run.started_at else None,
            tail=self._thread.tail,
            tool_times=self._times,
            totals=None if recorded is None else Totals(usd=recorded.usd),
        )

    def _step(self, step: Step, place: int) -> None:
        acts = [c for c in step.model_calls if c.purpose == ACT]
        for call in step.model_calls:
            if call.purpose != ACT or call is not acts[-1]:
                purpose = call.purpose if call.purpose != ACT else "asked again"
                self._calls.append(self._made(call, (0, ()), None, purpose))
        calls = tuple(
            ToolCall(f"{place}-{i}", use.name, read_arguments(use.arguments_json))
            for i, use in enumerate(step.tool_uses)
        )
        said = self._thread.entry(AssistantMessage(step.text, calls))
        if acts:
            self._calls.append(self._made(acts[-1], self._thread.next(said), said, ACT))
        else:
            self._thread.wait(said)
        for made, use in zip(calls, step.tool_uses, strict=True):
            result = ToolMessage(made.call_id, use.name, use.observation, use.is_error)
            self._thread.wait(self._thread.entry(result))
            self._times[made.call_id] = ToolTime(max(use.latency_s, 0.0))

    def _made(
        self,
        call: ModelCall,
        place: tuple[int, tuple[Entry, ...]],
        said: Entry | None,
        purpose: str,
    ) -> TraceCall:
        provider, _, model = call.model_ref.partition(":")
        usd = None if self._book is None else self._book.call_usd(call)
        return TraceCall(
            *place,
            said,
            model=model or call.model,
            provider=provider,
            counts=exclusive(call.tokens),
            evidence=call.evidence,
            usd=None if usd is None else float(usd),
            latency_s=call.latency_s,
            started_at=call.started_at or None,
            purpose=purpose,
        )


READER = LeanloopStore()
