"""A gateway as the page shows it, kept up to date call by call."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.tokens import CLASSES, sum_tokens
from leanloop.gateway.caps import day_of
from leanloop.gateway.standing import GatewayStanding
from leanloop.report.dashboard.board import Document, Shown, read_saved
from leanloop.store.following import follow_calls
from leanloop.store.protocol import Store
from leanloop.traces.cache_breaks import CacheBreaks
from leanloop.traces.call_record import DECODER, NANO, CallRecord
from leanloop.traces.prices import Priced, TracePrices
from leanloop.traces.profile_result import Break
from leanloop.traces.sizes import sizes_of
from leanloop.traces.trace import TraceCall, TraceRun

AT_ONCE = 2000
MOST = 300
"""Sessions whose calls are held, those heard of last; of older ones the figures stay."""


@dataclass
class Watched:
    """A session so far."""

    session_id: str
    calls: list[CallRecord] = field(default_factory=list)
    breaks: tuple[Break, ...] = ()
    success: float | None = None


@dataclass
class Spending:
    """Calls and what they cost; what is unknown is counted apart."""

    calls: int = 0
    failed: int = 0
    nano_usd: int = 0
    tokens: int = 0
    unpriced: int = 0
    uncounted: int = 0

    def add(self, record: CallRecord) -> None:
        """Count a call."""
        self.calls += 1
        self.failed += record.trace.response is None
        if record.trace.response is None:
            return
        self.nano_usd += record.nano_usd or 0
        self.unpriced += record.nano_usd is None
        self.tokens += record.tokens or 0
        self.uncounted += record.tokens is None

    def document(self) -> Document:
        """As the page has it."""
        return {
            "calls": self.calls,
            "failed": self.failed,
            "usd": self.nano_usd / NANO,
            "unpriced": self.unpriced,
            "tokens": self.tokens,
            "uncounted": self.uncounted,
        }


class GatewayBoard:
    """A gateway, from the calls that it keeps.

    Args:
        store: Where they are.
        name: The gateway's name.
    """

    def __init__(self, store: Store, name: str) -> None:
        self.name = name
        self._store, self._log = store, store.call_log(name)
        self._following = follow_calls(self._log)
        self._sessions: OrderedDict[str, Watched] = OrderedDict()
        self._spending: dict[str, Spending] = {}
        self._scopes: dict[tuple[str, str], Spending] = {}
        self._breaks: dict[str, tuple[Break, ...]] = {}
        self._all = Spending()
        self._outcomes: dict[str, tuple[str, float]] = {}
        self._standing: GatewayStanding | None = None
        self._number = 0
        self._shown = Shown()
        self._prices = TracePrices()

    @property
    def version(self) -> int:
        """Grows with every change."""
        return self._shown.version

    def poll(self) -> bool:
        """Take in what the store has got since the last call.

        Returns:
            Whether there is more to take in at once.
        """
        rows = self._following.new(AT_ONCE)
        changed: set[str] = set()
        for raw in rows:
            changed.add(self._add(DECODER.decode(raw)))
        changed |= self._read_outcomes()
        saved = self._store.standing(self.name, self._number)
        if saved is not None:
            self._number = saved[0]
            self._standing = read_saved(saved[1], GatewayStanding)
        for name in changed & set(self._sessions):
            self._break(self._sessions[name])
        if changed or saved is not None or not self.version:
            fresh = {n: self._row(self._sessions[n]) for n in changed & set(self._sessions)}
            self._shown.show(fresh, self._new_head())
        return len(rows) >= AT_ONCE

    def state(self, since: int = 0) -> Document:
        """What is shown; of its rows only those that changed after a version."""
        return self._shown.state(since)

    def session(self, name: str) -> Document:
        """A session with its calls.

        Raises:
            BadInputError: There is none of that name, or it is too long ago.
        """
        watched = self._sessions.get(name)
        if watched is None:
            raise BadInputError(f"session {name!r}", "is not among those heard of last")
        return {"row": self._row(watched), "calls": [_call(r) for r in watched.calls]}

    def _add(self, record: CallRecord) -> str:
        name = record.session_id
        watched = self._sessions.setdefault(name, Watched(name))
        self._sessions.move_to_end(name)
        watched.calls.append(record)
        while len(self._sessions) > MOST:
            self._sessions.popitem(last=False)
        self._all.add(record)
        self._spending.setdefault(name, Spending()).add(record)
        day = day_of(record.trace.started_at or 0.0)
        for scope in (("key", record.key), ("day", day)):
            self._scopes.setdefault(scope, Spending()).add(record)
        return name

    def _read_outcomes(self) -> set[str]:
        changed = set()
        for outcome in self._log.outcomes():
            known = outcome.configuration_id, outcome.success
            if self._outcomes.get(outcome.session_id) != known:
                self._outcomes[outcome.session_id] = known
                changed.add(outcome.session_id)
        return changed

    def _break(self, watched: Watched) -> None:
        """Look again for what broke the prefixes of one session."""
        run = _trace(watched)
        found = CacheBreaks(self._priced)
        if any(True for _ in run.acts):
            found.add(run, sizes_of(run))
        watched.breaks = self._breaks[watched.session_id] = found.all()

    def _priced(self, call: TraceCall) -> Priced | None:
        return self._prices.find(call.model, call.provider)

    def _row(self, watched: Watched) -> Document:
        first, last = watched.calls[0], watched.calls[-1]
        outcome = self._outcomes.get(watched.session_id)
        ended = (last.trace.started_at or 0.0) + (last.trace.latency_s or 0.0)
        return {
            "id": watched.session_id,
            "task": last.task,
            "configuration": last.configuration_id,
            "settings": dict(last.settings),
            "model": last.trace.model,
            "success": None if outcome is None else outcome[1],
            "started_at": first.trace.started_at,
            "ended_at": ended,
            **self._spending[watched.session_id].document(),
            "breaks": _breaks(list(watched.breaks)),
        }

    def _new_head(self) -> Document:
        every = [b for breaks in self._breaks.values() for b in breaks]
        return {
            "gateway": self.name,
            "sessions": len(self._spending),
            "shown": len(self._sessions),
            "with_outcome": len(self._outcomes),
            "total": self._all.document(),
            "caps": self._caps(),
            "levers": None if self._standing is None else self._standing.levers,
            "breaks": _breaks(every),
            "canary": self._canary(),
        }

    def _caps(self) -> list[Document] | None:
        """Each cap with what comes nearest to it; None where it is not known."""
        if self._standing is None:
            return None
        today = day_of(time.time())
        found = []
        for cap in self._standing.caps:
            if cap.scope == "session":
                near = self._spending
            else:
                near = {n: s for (scope, n), s in self._scopes.items() if scope == cap.scope}
            if cap.scope == "day":
                near = {today: near.get(today, Spending())}
            spent = [s.nano_usd / NANO if cap.unit == "usd" else s.tokens for s in near.values()]
            most = max(spent, default=0)
            reached = sum(s >= cap.most for s in spent)
            found.append({**msgspec.structs.asdict(cap), "spent": most, "reached": reached})
        return found

    def _canary(self) -> Document | None:
        canary = None if self._standing is None else self._standing.new_canary()
        if canary is None or self._standing is None:
            return None
        for session_id, (configuration_id, success) in self._outcomes.items():
            canary.tell(session_id, configuration_id, success)
        verdict = canary.verdict()
        arms = [
            {
                "arm": arm,
                "id": c.id,
                "settings": dict(c),
                "outcomes": verdict.outcomes[c.id],
                "success": verdict.success[c.id],
            }
            for arm, c in (("as before", canary.old), ("canary", canary.new))
        ]
        plan = canary.plan
        terms = {"share": plan.share, "margin": plan.margin, "level": plan.level}
        return {"fell_back": verdict.fell_back, "arms": arms, **terms}


def _trace(watched: Watched) -> TraceRun:
    tools = None
    calls = []
    for record in watched.calls:
        call = record.trace
        tools = call.tools if call.tools is not None else tools
        calls.append(msgspec.structs.replace(call, tools=tools))
    return TraceRun(watched.session_id, "", "leanloop-store", tuple(calls))


def _breaks(every: list[Break]) -> list[Document]:
    """By what broke them; dollars are modelled, and unknown where one price is."""
    found: dict[str, Document] = {}
    for one in every:
        row = found.setdefault(one.why, {"why": one.why, "count": 0, "tokens": 0, "usd": 0.0})
        row["count"] += one.count
        row["tokens"] += one.tokens
        known = row["usd"] is not None and one.usd is not None
        row["usd"] = row["usd"] + one.usd if known else None
    return sorted(found.values(), key=lambda row: -row["tokens"])


def _call(record: CallRecord) -> Document:
    call = record.trace
    tokens = sum_tokens([call.counts.tokens])
    return {
        "model": call.model,
        "purpose": call.purpose,
        "started_at": call.started_at,
        "latency_s": call.latency_s,
        "first_byte_s": record.first_byte_s,
        "status": record.status,
        "error": call.error,
        "usd": call.usd,
        "input": call.counts.input_tokens,
        "output": call.counts.output_tokens,
        "tokens": {n.removesuffix("_tokens"): getattr(tokens, n) for n in CLASSES},
        "kept": call.kept,
        "added": len(call.added),
        "evidence": str(call.evidence),
    }
