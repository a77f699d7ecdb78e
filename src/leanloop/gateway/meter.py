"""Writes down every call: what it used, what it cost, and what it was about, by size."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from leanloop.core.message import ToolSpec
from leanloop.core.run import Evidence, ModelCall
from leanloop.core.tokens import Tokens
from leanloop.gateway.caps import Cap, Purse, Spent, day_of
from leanloop.gateway.conversation import NOTHING, Change
from leanloop.gateway.journal import Journal, journal_path, left_behind, lines_of
from leanloop.gateway.metrics import Metrics
from leanloop.gateway.prices import Prices
from leanloop.gateway.protocol import Reply
from leanloop.gateway.session import Session
from leanloop.store.protocol import CallLog, CallRow, Outcome
from leanloop.traces.call_record import DECODER, ENCODER, CallRecord
from leanloop.traces.sizes import CHARS_PER_TOKEN
from leanloop.traces.trace import ACT, Entry, TraceCall, exclusive
from leanloop.traces.writing import bare_tool


@dataclass
class Timing:
    """When a call was made and how long it took."""

    started_at: float = field(default_factory=time.time)
    start: float = field(default_factory=time.perf_counter)
    first_byte_s: float | None = None
    latency_s: float | None = None

    def first_byte(self) -> None:
        """The first byte of the answer is here."""
        if self.first_byte_s is None:
            self.first_byte_s = time.perf_counter() - self.start

    def end(self) -> None:
        """The last byte is here."""
        if self.latency_s is None:
            self.latency_s = time.perf_counter() - self.start


@dataclass(frozen=True)
class Heard:
    """What is to be written down of a call.

    Args:
        session: Whose call it was.
        model: As it was asked for.
        timing: When.
        change: What the request changed in the conversation.
        reply: What came back.
        status: The HTTP status.
        purpose: ``act``, or the lever that asked.
        error: What went wrong, in a few words without contents.
        success: What the client says of the session so far.
    """

    session: Session
    model: str
    timing: Timing
    change: Change = NOTHING
    reply: Reply = field(default_factory=Reply)
    status: int = 200
    purpose: str = ACT
    error: str = ""
    success: float | None = None


class Recorder(Protocol):
    """What a gateway needs of whatever writes its calls down."""

    @property
    def name(self) -> str:
        """The gateway's name."""

    @property
    def contents(self) -> bool:
        """Whether what was said is kept, and not only its sizes."""

    @property
    def prices(self) -> Prices:
        """Dollars of calls."""

    @property
    def waiting(self) -> int:
        """Records that are not where they belong yet."""

    def refusal(self, session: Session) -> tuple[int, str, str] | None:
        """Why the session may make no call now: status, kind and text; None when it may."""

    def record(self, heard: Heard) -> ModelCall:
        """Write a call down."""

    def outcome(self, session_id: str, configuration_id: str, success: float) -> None:
        """Keep what a client says of a session."""

    def outcomes(self) -> Sequence[Outcome]:
        """What clients said of sessions."""

    def earlier(self, sessions: int) -> list[CallRecord]:
        """The last call of each session that was there before, oldest first."""

    def metrics(self) -> bytes | None:
        """Prometheus metrics; None where there are none."""

    def close(self) -> None:
        """Put what is left where it belongs."""


class Watcher(Protocol):
    """Is told of each call as it is written down."""

    def heard(self, record: CallRecord) -> None:
        """A call has ended."""

    def close(self) -> None:
        """Send what is left."""


@dataclass(frozen=True)
class Keeping:
    """How calls are written down.

    Args:
        contents: Whether records hold what was said, and not only its sizes.
        watchers: Who else is told.
        tell: Says what goes wrong.
    """

    contents: bool = False
    watchers: tuple[Watcher, ...] = ()
    tell: Callable[[str], None] = lambda _: None


class Meter:
    """Makes records of calls, and keeps them.

    Args:
        log: Where calls are kept.
        folder: Where the journal is.
        prices: Dollars of calls.
        caps: What may be spent.
        keeping: How they are written down.
    """

    def __init__(
        self,
        log: CallLog,
        folder: Path,
        prices: Prices,
        caps: Sequence[Cap] = (),
        keeping: Keeping | None = None,
    ) -> None:
        keeping = keeping or Keeping()
        self.name = log.gateway
        self.purse = Purse(caps)
        """What is spent; it starts from what the store knows."""
        self.prices = prices
        self.contents = keeping.contents
        self._watchers = keeping.watchers
        self._log = log
        for path in left_behind(folder, self.name):
            self._keep(lines_of(path))
            path.unlink(missing_ok=True)
        for found in log.sums() if self.purse.caps else ():
            self.purse.load(found.scope, found.name, Spent(found.nano_usd / 1e9, found.tokens))
        self._journal = Journal(journal_path(folder, self.name), self._keep, keeping.tell)

    def refusal(self, session: Session) -> tuple[int, str, str] | None:
        """Why the session may make no call now: status, kind and text; None when it may."""
        cap = self.purse.reached(session.session_id, session.key, time.time())
        if cap is not None:
            return 429, "budget", _beyond(cap)
        if self._journal.full:
            return 503, "upstream", "the store is away: calls cannot be written down"
        return None

    @property
    def waiting(self) -> int:
        """Records that are not in the store yet."""
        return self._journal.waiting

    def close(self) -> None:
        """Put what is left into the store."""
        for watcher in self._watchers:
            watcher.close()
        self._journal.close()

    def metrics(self) -> bytes | None:
        """Prometheus metrics; None without the extra."""
        shown = (w.text() for w in self._watchers if isinstance(w, Metrics))
        return next(shown, None)

    def outcome(self, session_id: str, configuration_id: str, success: float) -> None:
        """Keep what a client says of a session."""
        self._log.keep([], [Outcome(session_id, configuration_id, success)])

    def outcomes(self) -> Sequence[Outcome]:
        """What clients said of sessions."""
        return self._log.outcomes()

    def earlier(self, sessions: int) -> list[CallRecord]:
        """The last call of each session that an earlier gateway of this name had, oldest first.

        Args:
            sessions: How many, of those that were heard of last.
        """
        return [DECODER.decode(raw) for raw in self._log.latest(sessions)]

    def record(self, heard: Heard) -> ModelCall:
        """Write a call down, and count what it cost."""
        call, said = measured(heard)
        usd = self.prices.usd(call)
        change, acts = heard.change, heard.purpose == ACT
        trace = TraceCall(
            change.kept if acts else 0,
            change.added if acts else (),
            said,
            model=call.model_ref,
            counts=exclusive(call.tokens),
            evidence=call.evidence,
            usd=None if usd is None else float(usd),
            latency_s=heard.timing.latency_s,
            started_at=heard.timing.started_at,
            tools=self._shown(change),
            purpose=heard.purpose,
            error=heard.error,
        )
        self._write(heard, trace)
        went_on(heard, said)
        return call

    def _shown(self, change: Change) -> tuple[ToolSpec, ...] | None:
        if change.tools is None or self.contents:
            return change.tools
        return tuple(map(bare_tool, change.tools))

    def _write(self, heard: Heard, trace: TraceCall) -> None:
        session = heard.session
        record = CallRecord(
            call_id=secrets.token_hex(12),
            session_id=session.session_id,
            configuration_id=session.configuration.id,
            key=session.key,
            mark=session.mark.hex() if heard.purpose == ACT else "",
            trace=trace,
            status=heard.status,
            first_byte_s=heard.timing.first_byte_s,
            task=session.task,
            settings=dict(session.configuration),
            tool_results=heard.change.results if heard.purpose == ACT else 0,
            success=heard.success,
        )
        self._journal.append(ENCODER.encode(record))
        for watcher in self._watchers:
            watcher.heard(record)
        spent = Spent(trace.usd or 0.0, record.tokens or 0)
        self.purse.add(session.session_id, session.key, heard.timing.started_at, spent)

    def _keep(self, lines: Sequence[bytes]) -> None:
        rows, outcomes = [], []
        for line in lines:
            try:
                record = DECODER.decode(line)
            except msgspec.DecodeError:
                continue
            rows.append(_row(record, line))
            if record.success is not None:
                told = Outcome(record.session_id, record.configuration_id, record.success)
                outcomes.append(told)
        self._log.keep(rows, outcomes)


def measured(heard: Heard) -> tuple[ModelCall, Entry | None]:
    """What a call used, and what was said as an entry.

    Where nothing is reported tokens are estimated from characters, and marked so.
    """
    session, reply, timing = heard.session, heard.reply, heard.timing
    timing.end()
    said = None
    if reply.message is not None:
        said = session.conversation.entry(reply.message)
    tokens, evidence = reply.tokens, Evidence.REPORTED
    if tokens.total_tokens is None and said is not None:
        sent = session.conversation.chars(heard.change)
        tokens, evidence = _estimated(sent, said.chars), Evidence.ESTIMATED
    call = ModelCall(
        heard.model,
        reply.model or heard.model,
        heard.purpose,
        tokens,
        timing.latency_s or 0.0,
        timing.started_at,
        evidence,
    )
    return call, said


def went_on(heard: Heard, said: Entry | None) -> None:
    """The session after a call."""
    if heard.purpose == ACT:
        heard.session.conversation.went_on(heard.change, said)
        heard.session.said = heard.reply.message
        heard.session.answered = heard.reply.message is not None


def _beyond(cap: Cap) -> str:
    amount = f"${cap.most:g}" if cap.unit == "usd" else f"{cap.most:,.0f} tokens"
    whose = {"session": "this session", "key": "this key", "day": "today"}[cap.scope]
    return f"the cap of {amount} for {whose} is reached; the gateway's file says caps.{cap.scope}"


def _row(record: CallRecord, line: bytes) -> CallRow:
    return CallRow(
        call_id=record.call_id,
        session_id=record.session_id,
        key=record.key,
        mark=record.mark,
        day=day_of(record.trace.started_at or 0.0),
        nano_usd=record.nano_usd,
        tokens=record.tokens,
        call_json=line,
    )


def _estimated(sent_chars: int, said_chars: int) -> Tokens:
    sent, said = (round(n / CHARS_PER_TOKEN) for n in (sent_chars, said_chars))
    return Tokens(sent, 0, 0, 0, said, 0)
