"""Tool calls and results that were there before in the same run, circles and stalls."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from leanloop.traces.profile_result import Loops, Repeats
from leanloop.traces.trace import CallMark, Entry, Role, TraceRun

SHORT = 40
"""Characters below which equal results say little: ``ok`` is not a repetition."""
IN_A_ROW = 3
"""Times that the same calls come in a row in a circle."""
LONGEST_CIRCLE = 3
STALL = 5
"""Results in a row without anything new."""
READS = re.compile(
    r"^(get|list|search|find|read|view|look|fetch|show|query|grep|glob|ls|cat|open|calculate|"
    r"think|check|count|describe|browse|recall)(_|-|$|[A-Z])|^(Read|Grep|Glob|LS|WebFetch|"
    r"WebSearch|TodoRead)$"
)
"""Names of tools that read and do not write; of others nobody knows, so they count as writing."""


@dataclass
class RunRepeats:
    """What one run repeated.

    Args:
        tool_calls: All calls.
        retries: The call before failed.
        rereads: Something wrote in between, or the result differs.
        waste: Neither.
        observations: Results equal to an earlier one.
        observation_chars: Their characters.
        circle_calls: Calls in circles.
        stalled: Whether nothing new came for a while.
    """

    tool_calls: int = 0
    retries: int = 0
    rereads: int = 0
    waste: int = 0
    observations: int = 0
    observation_chars: int = 0
    circle_calls: int = 0
    stalled: bool = False

    @property
    def calls(self) -> int:
        """Calls that were made before."""
        return self.retries + self.rereads + self.waste


@dataclass
class _Made:
    """A call that was made: its last result, and how much had been written by then."""

    result: int | None = None
    is_error: bool = False
    writes: int = 0


@dataclass
class _Watch:
    """What a run did so far."""

    found: RunRepeats = field(default_factory=RunRepeats)
    made: dict[int, _Made] = field(default_factory=dict)
    open: dict[str, tuple[CallMark, bool]] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    recent: deque[int] = field(default_factory=lambda: deque(maxlen=IN_A_ROW * LONGEST_CIRCLE))
    writes: int = 0
    circled: int = 0
    nothing_new: int = 0


def repeats_of(run: TraceRun) -> RunRepeats:
    """What a run repeated."""
    watch = _Watch()
    for call in run.acts:
        for entry in call.added:
            if entry.role == Role.TOOL:
                _result(watch, entry)
        for mark in call.response.calls if call.response else ():
            _call(watch, mark)
    for entry in run.tail:
        if entry.role == Role.TOOL:
            _result(watch, entry)
    for mark, again in watch.open.values():  # nobody recorded what came of these
        if again:
            _judge(watch, mark, None)
    return watch.found


def add_repeats(each: Sequence[RunRepeats]) -> Repeats:
    """What runs repeated, together."""
    counts = sorted((e.calls for e in each), reverse=True)
    total, half, runs = sum(counts), 0, 0
    while 2 * half < total:
        half += counts[runs]
        runs += 1
    return Repeats(
        calls=total,
        retries=sum(e.retries for e in each),
        rereads=sum(e.rereads for e in each),
        waste=sum(e.waste for e in each),
        observations=sum(e.observations for e in each),
        observation_chars=sum(e.observation_chars for e in each),
        runs=sum(c > 0 for c in counts),
        half_in_runs=runs,
    )


def add_loops(each: Sequence[RunRepeats]) -> Loops:
    """Runs that went in circles."""
    return Loops(
        runs=sum(e.circle_calls > 0 for e in each),
        calls=sum(e.circle_calls for e in each),
        stalled_runs=sum(e.stalled for e in each),
    )


def _call(watch: _Watch, mark: CallMark) -> None:
    watch.found.tool_calls += 1
    again = mark.digest in watch.made
    watch.open[mark.call_id] = (mark, again)
    if not again:
        watch.made[mark.digest] = _Made()
    _circle(watch, mark.digest)


def _result(watch: _Watch, entry: Entry) -> None:
    _news(watch, entry)
    mark, again = watch.open.pop(entry.call_id, (None, False))
    if mark is None:
        return
    if again:
        _judge(watch, mark, entry)
    made = watch.made[mark.digest]
    if not READS.match(mark.name):
        watch.writes += not entry.is_error
    made.result, made.is_error, made.writes = entry.digest, entry.is_error, watch.writes


def _judge(watch: _Watch, mark: CallMark, entry: Entry | None) -> None:
    before = watch.made[mark.digest]
    if before.is_error:
        watch.found.retries += 1
    elif before.writes != watch.writes or (entry is not None and entry.digest != before.result):
        watch.found.rereads += 1
    else:
        watch.found.waste += 1


def _news(watch: _Watch, entry: Entry) -> None:
    if entry.digest in watch.seen:
        watch.nothing_new += 1
        watch.found.stalled |= watch.nothing_new >= STALL
        if entry.chars >= SHORT:
            watch.found.observations += 1
            watch.found.observation_chars += entry.chars
        return
    watch.seen.add(entry.digest)
    watch.nothing_new = 0


def _circle(watch: _Watch, digest: int) -> None:
    """Count calls that end the third turn of a circle, and all later ones of it."""
    recent = watch.recent
    recent.append(digest)
    for size in range(1, LONGEST_CIRCLE + 1):
        need = size * IN_A_ROW
        if len(recent) < need:
            break
        last = list(recent)[-need:]
        if all(last[i] == last[i % size] for i in range(need)):
            watch.found.circle_calls += 1 if watch.circled else need
            watch.circled = size
            return
    watch.circled = 0
