"""The sessions of a gateway as a run table, for the judgements that runs of studies get."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from leanloop.core.configuration import OFF
from leanloop.core.errors import BadInputError
from leanloop.core.tokens import add_known
from leanloop.judging.reading import table_of_rows
from leanloop.judging.run_table import RunTable
from leanloop.store.protocol import CallLog
from leanloop.traces.call_record import DECODER, CallRecord
from leanloop.traces.trace import ACT

FINGERPRINT = "gateway"
"""What a store says of a study that is a gateway's name."""


def table_of_sessions(log: CallLog, within: tuple[str, float] | None = None) -> RunTable:
    """A gateway's sessions as runs.

    The task is the client's label, or the session itself; success is what the client
    said. Seconds are those from the first call to the end of the last. Dollars are what the
    gateway reckoned when the call was made.

    Args:
        log: Its calls.
        within: Cost axis and bound of "success within a budget"; None for none.

    Raises:
        BadInputError: It has no calls yet.
    """
    outcomes = {o.session_id: o.success for o in log.outcomes()}
    if not outcomes:
        how = "send the header x-leanloop-success, or POST /leanloop/outcome"
        raise BadInputError(f"gateway {log.gateway!r}", f"no session has an outcome yet: {how}")
    records = map(DECODER.decode, log.calls())
    sessions = [list(g) for _, g in groupby(records, key=lambda r: r.session_id)]
    if not sessions:
        raise BadInputError(f"gateway {log.gateway!r}", "has no calls yet")
    names = sorted({name for s in sessions for name in s[-1].settings})
    rows = [_row(s, outcomes.get(s[0].session_id), names) for s in sessions]
    columns: dict[str, list[object]] = {name: [r[name] for r in rows] for name in rows[0]}
    return table_of_rows(f"gateway {log.gateway!r}", columns, within)


def _row(
    records: Sequence[CallRecord], success: float | None, levers: Iterable[str]
) -> dict[str, object]:
    first, last = records[0].trace, records[-1].trace
    ended = (last.started_at or 0.0) + (last.latency_s or 0.0)
    answered = [r for r in records if r.trace.response is not None]
    tokens = add_known(*(r.tokens for r in answered))
    nano_usd = add_known(*(r.nano_usd for r in answered))
    return {
        "configuration": records[-1].configuration_id,
        "task": records[-1].task or records[-1].session_id,
        "seed": records[-1].session_id,
        "success": success,
        "steps": float(sum(r.trace.purpose == ACT for r in answered)),
        "usd": None if nano_usd is None else nano_usd / 1e9,
        "latency_s": ended - (first.started_at or 0.0),
        "tokens": None if tokens is None else float(tokens),
        "tool_calls": float(sum(r.tool_results for r in records)),
        **{name: str(records[-1].settings.get(name, OFF)) for name in levers},
    }
