"""Reads what a store has got since the last look, and nothing twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Generic, TypeVar

from leanloop.core.run import Run, Status
from leanloop.store.protocol import CallLog, Store

Row = TypeVar("Row")
Fetch = Callable[[int, Collection[int], int], Sequence[tuple[int, Row]]]
"""Rows with a greater number, those of some numbers, and how many of the former at most."""

GAP_S = 30.0
"""Seconds for which a number that was passed over is looked for: a transaction's, at most."""
MOST_GAPS = 400
"""Numbers that are looked for at once."""


class Following(Generic[Row]):
    """Rows that are numbered as they are recorded, each given once.

    Where several programs record at once, a lesser number may be seen after a greater
    one, so numbers that were passed over are looked for again for a while.

    Args:
        fetch: Reads rows.
        is_final: Whether a row will not be replaced under its number.
        clock: Seconds.
    """

    def __init__(
        self,
        fetch: Fetch[Row],
        is_final: Callable[[Row], bool] = lambda _: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch, self._is_final, self._clock = fetch, is_final, clock
        self._last = 0
        self._gaps: dict[int, float] = {}
        self._open: set[int] = set()

    def new(self, most: int = 1000) -> list[Row]:
        """What is new since the last call, up to ``most`` rows; fewer means that this is all."""
        now = self._clock()
        self._gaps = {n: at for n, at in self._gaps.items() if now - at < GAP_S}
        found = []
        for number, row in self._fetch(self._last, {*self._gaps, *self._open}, most):
            if number in self._open and not self._is_final(row):
                continue
            self._note(number, now)
            (self._open.discard if self._is_final(row) else self._open.add)(number)
            found.append(row)
        return found

    def _note(self, number: int, now: float) -> None:
        self._gaps.pop(number, None)
        if number <= self._last:
            return
        # What was there before the first look is whole.
        first = max(self._last + 1, number - MOST_GAPS) if self._last else number
        self._gaps |= dict.fromkeys(range(first, number), now)
        while len(self._gaps) > MOST_GAPS:
            del self._gaps[next(iter(self._gaps))]
        self._last = number


def follow_runs(store: Store, study: str) -> Following[Run]:
    """The runs of a study as they come; one in the place of an outage comes as well."""

    def fetch(number: int, again: Collection[int], most: int) -> Sequence[tuple[int, Run]]:
        return store.recorded_after(study, number, again, most)

    return Following(fetch, lambda run: run.status != Status.OUTAGE)


def follow_calls(log: CallLog) -> Following[bytes]:
    """The calls of a gateway as they come."""
    return Following(log.recorded_after)
