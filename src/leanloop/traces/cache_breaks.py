"""Requests that do not go on from what was sent before: what broke a prefix, and its price."""

from __future__ import annotations

from collections import Counter

from leanloop.traces.profile_result import Break
from leanloop.traces.sizes import Sizes
from leanloop.traces.trace import TraceCall, TraceRun

EDITED = "history edited"
MODEL = "model changed"
TOOLS = "tools changed"


class CacheBreaks:
    """Counts breaks over runs."""

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()

    def add(self, run: TraceRun, sizes: Sizes) -> None:
        """Look at each request beside the one before."""
        ends: list[int] = [0]
        before: TraceCall | None = None
        for call in run.acts:
            held = len(ends) - 1
            lost = ends[-1] - ends[min(call.kept, held)]
            kept = ends[min(call.kept, held)]
            del ends[call.kept + 1 :]
            added = sum(e.chars for e in call.added)
            if before is not None:
                why = _why(before, call, edited=call.kept < held)
                if why is not None:
                    anew = kept if why != EDITED else min(lost, added)
                    self._count[why] += 1
                    self._tokens[why] += sizes.tokens(anew)
            for entry in call.added:
                ends.append(ends[-1] + entry.chars)
            if call.response is not None:
                ends.append(ends[-1] + call.response.chars)
            before = call

    def all(self) -> tuple[Break, ...]:
        """By what broke them, the dearest first."""
        found = [Break(why, n, self._tokens[why]) for why, n in self._count.items()]
        return tuple(sorted(found, key=lambda b: (-b.tokens, b.why)))


def _why(before: TraceCall, call: TraceCall, *, edited: bool) -> str | None:
    if call.model and before.model and call.model != before.model:
        return MODEL
    known = call.tools is not None and before.tools is not None
    if known and call.tools is not before.tools and call.tools != before.tools:
        return TOOLS
    return EDITED if edited else None
