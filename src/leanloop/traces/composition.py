"""What requests are made of: by kind, by tool, by age, new or sent again."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from leanloop.core.message import ToolSpec
from leanloop.traces.profile_result import Age, Frame, Part
from leanloop.traces.sizes import schema_chars
from leanloop.traces.trace import Entry, Role, TraceRun

AGES = ((1, 1), (2, 3), (4, 7), (8, 15), (16, None))
"""Calls ago, inclusive."""
BANDS = ((1, 1), (2, 4), (5, 9), (10, 19), (20, 49), (50, 99), (100, None))
"""Turns that are one band of the flame graph."""
SCHEMAS = "tools"
MOST_TOOLS = 200
"""Tools that are told apart; the rest are one."""

Label = tuple[str, str]
"""A kind, and the tool whose result it is."""


class Composition:
    """Adds up what the requests of runs are made of; work is that of what comes and goes."""

    def __init__(self) -> None:
        self.chars_sent = 0
        self.chars_resent = 0
        """Sent before in the same conversation."""
        self.chars_known = 0
        """New in a conversation, but sent before as the first thing of another."""
        self._new: Counter[Label] = Counter()
        self._resent: Counter[Label] = Counter()
        self._entries: Counter[Label] = Counter()
        self._ages: Counter[int] = Counter()
        self._flame: Counter[tuple[int, bool, Label]] = Counter()
        self._openings: set[int] = set()
        self._tools: set[str] = set()
        self._by_step: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])

    def add(self, run: TraceRun) -> tuple[int, int, list[int]]:
        """Add a run; returns its characters sent, sent again, and those of each request."""
        flow = _Flow(self)
        for call in run.acts:
            flow.call(call.kept, call.added, _schema_chars(call.tools), call.response)
        self.chars_sent += flow.sent
        self.chars_resent += flow.resent
        return flow.sent, flow.resent, flow.requests

    def label(self, entry: Entry) -> Label:
        """The kind and tool of an entry."""
        if entry.role != Role.TOOL:
            return (str(entry.role), "")
        if entry.tool not in self._tools and len(self._tools) >= MOST_TOOLS:
            return (str(Role.TOOL), "other tools")
        self._tools.add(entry.tool)
        return (str(Role.TOOL), entry.tool)

    def seen(self, label: Label) -> None:
        """A message came in, sent or answered."""
        self._entries[label] += 1

    def new(self, label: Label, chars: int, band: int) -> None:
        """Something is sent for the first time."""
        self._new[label] += chars
        self._flame[band, False, label] += chars

    def again(self, label: Label, chars: int, band: int) -> None:
        """Something is sent again."""
        self._resent[label] += chars
        self._flame[band, True, label] += chars

    def aged(self, bucket: int, chars: int) -> None:
        """What is sent again is so many calls old."""
        self._ages[bucket] += chars

    def opening(self, digest: int, chars: int) -> None:
        """A conversation starts with this."""
        if digest in self._openings:
            self.chars_known += chars
        elif len(self._openings) < 100_000:
            self._openings.add(digest)

    def stepped(self, step: int, chars: int) -> None:
        """The request of a step has this size."""
        cell = self._by_step[step]
        cell[0] += chars
        cell[1] += 1

    def parts(self) -> tuple[Part, ...]:
        """What was sent, largest first."""
        found = [
            Part(kind, tool, self._new[kind, tool], self._resent[kind, tool], entries)
            for (kind, tool), entries in self._entries.items()
            if entries
        ]
        return tuple(sorted(found, key=lambda p: (-(p.new + p.resent), p.kind, p.tool)))

    def ages(self) -> tuple[Age, ...]:
        """What was sent again, by age."""
        return tuple(Age(first, last, self._ages[i]) for i, (first, last) in enumerate(AGES))

    def flame(self) -> tuple[Frame, ...]:
        """What was sent, by band of turns."""
        cells = sorted(self._flame.items(), key=lambda c: (c[0][0], c[0][1], -c[1], c[0][2]))
        return tuple(
            Frame(_band_name(band), resent, kind, tool, chars)
            for (band, resent, (kind, tool)), chars in cells
            if chars
        )

    def by_step(self) -> tuple[tuple[float, ...], tuple[int, ...]]:
        """Mean characters of the n-th request and how many there are, while any run has one."""
        cells = [self._by_step[i] for i in range(len(self._by_step))]
        return tuple(c / n for c, n in cells), tuple(n for _, n in cells)


class _Flow:
    """One conversation; keeps where each entry came in, so that what leaves is found at once."""

    def __init__(self, total: Composition) -> None:
        self._total = total
        self._labels: list[Label] = []
        self._ends = [0]
        self._since: list[int] = []
        self._held: Counter[Label] = Counter()
        self._starts: list[int] = []
        self._schemas = 0
        self.requests: list[int] = []
        self.sent = 0
        self.resent = 0

    def call(
        self, kept: int, added: tuple[Entry, ...], schemas: int, response: Entry | None
    ) -> None:
        step = len(self.requests)
        band = _band(step + 1)
        self._drop(kept)
        for label, chars in self._held.items():
            if chars:
                self._total.again(label, chars, band)
        self._age(step)
        again = self._ends[-1]
        self._starts.append(len(self._labels))
        for entry in added:
            self._new(entry, band, step)
        again += self._tools(schemas, band, step)
        size = self._ends[-1] + schemas
        self.sent += size
        self.resent += again
        self.requests.append(size)
        self._total.stepped(step, size)
        if response is not None:
            self._hold(response)

    def _drop(self, kept: int) -> None:
        while len(self._labels) > kept:
            label = self._labels.pop()
            end = self._ends.pop()
            self._held[label] -= end - self._ends[-1]
        for i in range(len(self._starts) - 1, -1, -1):
            if self._starts[i] <= kept:
                break
            self._starts[i] = kept

    def _new(self, entry: Entry, band: int, step: int) -> None:
        label = self._hold(entry)
        self._total.new(label, entry.chars, band)
        if step == 0 and entry.role == Role.SYSTEM:
            self._total.opening(entry.digest, entry.chars)

    def _hold(self, entry: Entry) -> Label:
        label = self._total.label(entry)
        self._total.seen(label)
        self._labels.append(label)
        self._ends.append(self._ends[-1] + entry.chars)
        self._held[label] += entry.chars
        return label

    def _tools(self, schemas: int, band: int, step: int) -> int:
        """Schemas stand in front of every request; those of the call before are sent again."""
        label = (SCHEMAS, "")
        same = schemas == self._schemas and step > 0
        self._schemas = schemas
        if schemas and step == 0:
            self._total.seen(label)
        if not schemas:
            return 0
        if same:
            self._total.again(label, schemas, band)
            return schemas
        self._total.new(label, schemas, band)
        if step == 0:
            self._total.opening(-schemas, schemas)
        return 0

    def _age(self, step: int) -> None:
        """Of what is held, how much came in how many calls ago."""
        for bucket, (first, last) in enumerate(AGES):
            young = self._place(step - first + 1, step)
            old = 0 if last is None else self._place(step - last, step)
            chars = self._ends[young] - self._ends[min(old, young)]
            if chars:
                self._total.aged(bucket, chars)

    def _place(self, at: int, step: int) -> int:
        """The first entry that came in with the request of a step or later."""
        if at >= step:
            return len(self._labels)
        return self._starts[at] if at > 0 else 0


def _band(turn: int) -> int:
    return next(i for i, (_, last) in enumerate(BANDS) if last is None or turn <= last)


def _band_name(band: int) -> str:
    first, last = BANDS[band]
    if last is None:
        return f"turns {first} on"
    return f"turn {first}" if first == last else f"turns {first}-{last}"


_SIZES: dict[int, tuple[tuple[ToolSpec, ...], int]] = {}


def _schema_chars(tools: tuple[ToolSpec, ...] | None) -> int:
    """Characters of the tools as JSON; 0 where they are unknown."""
    if not tools:
        return 0
    known = _SIZES.get(id(tools))
    if known is not None and known[0] is tools:
        return known[1]
    size = sum(map(schema_chars, tools))
    if len(_SIZES) > 256:
        _SIZES.clear()
    _SIZES[id(tools)] = (tools, size)
    return size


def shares(parts: tuple[Part, ...]) -> Iterator[tuple[Part, float]]:
    """Each part with its share of everything sent."""
    total = sum(p.new + p.resent for p in parts)
    for part in parts:
        yield part, (part.new + part.resent) / total if total else 0.0
