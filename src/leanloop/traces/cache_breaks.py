"""Requests that do not go on from what was sent before: what broke a prefix, and its price."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal

from leanloop.core.tokens import Tokens
from leanloop.traces.prices import Priced
from leanloop.traces.profile_result import Break
from leanloop.traces.sizes import Sizes
from leanloop.traces.trace import TraceCall, TraceRun

EDITED = "history edited"
MODEL = "model changed"
TOOLS = "tools changed"


class CacheBreaks:
    """Counts breaks over runs.

    Args:
        priced: The price of a call's model; None where nobody knows it.
    """

    def __init__(self, priced: Callable[[TraceCall], Priced | None]) -> None:
        self._priced = priced
        self._count: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()
        self._usd: dict[str, Decimal | None] = {}

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
                    self._pay(why, call, sizes.tokens(anew))
            for entry in call.added:
                ends.append(ends[-1] + entry.chars)
            if call.response is not None:
                ends.append(ends[-1] + call.response.chars)
            before = call

    def all(self) -> tuple[Break, ...]:
        """By what broke them, the dearest first."""
        found = [
            Break(
                why, n, self._tokens[why], None if (usd := self._usd[why]) is None else float(usd)
            )
            for why, n in self._count.items()
        ]
        return tuple(sorted(found, key=lambda b: (-b.tokens, b.why)))

    def _pay(self, why: str, call: TraceCall, anew: int) -> None:
        """Count what reading anew costs more than reading from the cache would have."""
        extra = _extra_usd(self._priced(call), call, anew)
        before = self._usd.get(why, Decimal(0))
        self._usd[why] = None if extra is None or before is None else before + extra


def _extra_usd(priced: Priced | None, call: TraceCall, anew: int) -> Decimal | None:
    if priced is None or priced.rule is None:
        return None
    plain = priced.usd(Tokens(anew, 0, 0, 0, 0, 0), call.started_at)
    read = priced.usd(Tokens(0, anew, 0, 0, 0, 0), call.started_at)
    return None if plain is None or read is None else plain - read


def _why(before: TraceCall, call: TraceCall, *, edited: bool) -> str | None:
    if call.model and before.model and call.model != before.model:
        return MODEL
    known = call.tools is not None and before.tools is not None
    if known and call.tools is not before.tools and call.tools != before.tools:
        return TOOLS
    return EDITED if edited else None
