"""Where the seconds of a run went."""

from __future__ import annotations

from collections.abc import Iterable

from leanloop.traces.profile_result import Seconds
from leanloop.traces.trace import USER, TraceRun


def seconds_of(run: TraceRun) -> Seconds:
    """The seconds of a run; what the trace does not say of every call is unknown."""
    agent = [c for c in run.calls if c.purpose != USER]
    latencies = [c.latency_s for c in agent]
    model = sum_known(latencies) if agent else None
    tool, longest = _tools(run)
    wall = _wall(run)
    idle = path = None
    if wall is not None and model is not None and longest is not None:
        idle = max(wall - model - longest, 0.0)
    if model is not None and longest is not None:
        path = model + longest
    return Seconds(wall, model, tool, idle, path)


def _tools(run: TraceRun) -> tuple[float | None, float | None]:
    """Seconds of all tool calls, and of the longest of each step; unknown when one is."""
    total = longest = 0.0
    for call in run.acts:
        marks = call.response.calls if call.response else ()
        times = [run.tool_times.get(m.call_id) for m in marks]
        known = [t.latency_s for t in times if t is not None]
        if len(known) < len(times):
            return None, None
        total += sum(known)
        longest += max(known, default=0.0)
    return total, longest


def _wall(run: TraceRun) -> float | None:
    if run.started_at is not None and run.ended_at is not None:
        return max(run.ended_at - run.started_at, 0.0)
    starts = [c.started_at for c in run.calls if c.started_at is not None]
    ends = [
        c.started_at + c.latency_s
        for c in run.calls
        if c.started_at is not None and c.latency_s is not None
    ]
    return max(max(ends) - min(starts), 0.0) if starts and ends else None


def sum_known(values: Iterable[float | None]) -> float | None:
    """The sum; None as soon as one is unknown."""
    total = 0.0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def add_seconds(parts: Iterable[Seconds]) -> Seconds:
    """The sums, unknown where a part is."""
    kept = list(parts)
    names = ("wall", "model", "tool", "idle", "critical_path")
    return Seconds(*(sum_known(getattr(p, n) for p in kept) for n in names))
