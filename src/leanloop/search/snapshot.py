"""How a study stands, saved now and then for those who watch it from elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

import msgspec

from leanloop.core.configuration import Setting
from leanloop.search.result import DroppedMember, LeverEffect

Phase = Literal["search", "holdout", "done", "stopped"]

SHARE = 0.02
"""Of a session's time, what saving and judging may take at most."""
EVERY_S = 1.0
"""Seconds between two snapshots, at least."""
JUDGING_S = 0.1
"""Seconds that judging is taken to need before it was measured."""


class Judged(msgspec.Struct, frozen=True):
    """What is thought of the frontier, which takes longer to say than the rest.

    Attributes:
        runs: Runs that there were then.
        members: Ids of what to call the frontier, likeliest first.
        chances: Id to the probability of being on the frontier; None when unknown.
        p_wrong: Probability that ``members`` is not right; None when unknown.
        p_helps: Probability that something beats the baseline; None when unknown.
        levers: Each lever alone against the baseline, on the search split.
    """

    runs: int
    members: tuple[str, ...]
    chances: dict[str, float | None]
    p_wrong: float | None
    p_helps: float | None
    levers: tuple[LeverEffect, ...] = ()


class Snapshot(msgspec.Struct, frozen=True):
    """A study as it stands.

    Attributes:
        phase: ``search``, ``holdout``, ``done``, or ``stopped`` from elsewhere.
        saved_at: Unix seconds.
        owner: The process that makes the runs, as ``store.lease`` names it.
        baseline: Its id.
        references: Name to id.
        settings: Id to settings, of everything that takes part.
        alive: Ids of those in the race.
        dropped: Who left it, and why.
        runs: Runs that this session made or found.
        search_runs: Those of them that are of the search.
        spent_usd: Dollars; None when a price is unknown.
        elapsed_s: Seconds, those of earlier sessions included and those of pauses not.
        left_s: Seconds that the holdout is expected to need; None when unknown.
        max_usd: The cap in dollars as it is now; None for none.
        max_runs: The cap on runs of the search as it is now; None for none.
        max_wall_s: The cap in seconds; None for none.
        stopped_because: Why the search ended; empty while it goes on.
        judged: What was last thought of the frontier; None before that.
    """

    phase: Phase
    saved_at: float
    owner: str
    baseline: str
    references: dict[str, str]
    settings: dict[str, dict[str, Setting]]
    alive: tuple[str, ...]
    dropped: tuple[DroppedMember, ...]
    runs: int
    search_runs: int
    spent_usd: float | None
    elapsed_s: float
    left_s: float | None
    max_usd: float | None
    max_runs: int | None
    max_wall_s: float | None
    stopped_because: str = ""
    judged: Judged | None = None


class Snapshots:
    """Saves snapshots, in no more than a small share of the session's time.

    Args:
        save: Keeps one.
        clock: Seconds.
    """

    def __init__(
        self, save: Callable[[bytes], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._save, self._clock = save, clock
        self._start = clock()
        self._saved_at = -EVERY_S
        self._saving_s = self._last_s = 0.0
        self._judging_s, self._judge_s = 0.0, JUDGING_S
        self.judged: Judged | None = None

    def offer(self, make: Callable[[Judged | None], Snapshot], judge: Callable[[], Judged]) -> None:
        """Save a snapshot, and judge before it, where there is time for that.

        Args:
            make: Makes the snapshot.
            judge: Judges the frontier.
        """
        now = self._clock()
        room = SHARE / 2 * (now - self._start)
        if now - self._saved_at < EVERY_S or self._saving_s + self._last_s > room:
            return
        if self._judging_s + self._judge_s <= room:
            self.judged = judge()
            self._judge_s = self._clock() - now
            self._judging_s += self._judge_s
        self.save(make)

    def save(self, make: Callable[[Judged | None], Snapshot]) -> None:
        """Save a snapshot now."""
        now = self._clock()
        self._save(msgspec.json.encode(make(self.judged)))
        self._saved_at = self._clock()
        self._last_s = self._saved_at - now
        self._saving_s += self._last_s
