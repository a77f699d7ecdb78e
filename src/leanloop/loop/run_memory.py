"""What earlier tasks left, as one run sees it, and what the run leaves."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec
import numpy as np

from leanloop.core.memory import (
    MOST_BYTES,
    Demote,
    Entry,
    Forget,
    Kind,
    MemoryChange,
    Origin,
    Put,
    Trust,
    Used,
    after_change,
)
from leanloop.core.task import Task
from leanloop.levers.protocol import Ended
from leanloop.stats.sequence import lower_bound

WITHHELD = 0.1
"""Share of its uses from which an entry is withheld."""
WITHHELD_IN_DOUBT = 0.5
"""The same once the last verified run that had it failed: doubt is settled soon."""
DEMOTE_AT = 0.05
"""Chance that an entry that does no harm is ever demoted."""

LearnFrom = Literal["solved", "verified", "all", "nothing"]
"""Which runs are learned from: those that the verifier passed, those that it judged, every
one, or none."""


class Entries(Protocol):
    """Where entries are looked up."""

    def get(self, entry_id: str) -> Entry | None:
        """The entry of that id, or None."""

    def find(self, kind: Kind, text: str, k: int) -> Sequence[Entry]:
        """Up to ``k`` entries that are not demoted, those most like the text first."""


class RunMemory:
    """One run's view of a memory: it reads entries, and writes down what is to change.

    Args:
        entries: What is known when the run begins.
        task: The run's task.
        origin: Where what it learns comes from: configuration and split.
        seed: Decides, with task and entry, from what an entry is withheld.
        learn_from: Which runs are learned from.
    """

    def __init__(
        self,
        entries: Entries,
        task: Task,
        origin: Origin,
        seed: int = 0,
        learn_from: LearnFrom = "solved",
    ) -> None:
        self._entries, self._task, self._origin = entries, task, origin
        self._seed, self._learn_from = seed, learn_from
        self._used: dict[str, bool] = {}
        self._changes: list[MemoryChange] = []
        self._ended: Ended | None = None

    def find(self, kind: Kind, text: str, k: int) -> Sequence[Entry]:
        """Up to ``k`` entries whose cue is most like the text, best first."""
        return self._entries.find(kind, text, k)

    def get(self, kind: Kind, key: str) -> Entry | None:
        """The entry of that kind about that key, demoted or not."""
        return self._entries.get(Entry(kind, key, "", "", None).entry_id)

    def use(self, entry: Entry) -> bool:
        """Say that the run will have the entry; False when it is withheld.

        Where nothing is learned, nothing is withheld: there is nobody to tell.
        """
        if self._learn_from == "nothing":
            return True
        known = self._used.get(entry.entry_id)
        if known is None:
            known = self._draw(entry) >= _withheld(entry.trust)
            self._used[entry.entry_id] = known
        return known

    def put(self, entry: Entry) -> None:
        """Keep an entry, with where it comes from, unless it is too long to be sent again."""
        if len(msgspec.json.encode(entry)) > MOST_BYTES:
            return
        success = None if self._ended is None else self._ended.success
        origin = msgspec.structs.replace(
            self._origin,
            task_id=self._task.task_id,
            split=str(self._task.split),
            learned_at=time.time(),
            success=success,
        )
        self._changes.append(Put(msgspec.structs.replace(entry, origin=origin)))

    def forget(self, entry: Entry, reason: str) -> None:
        """Let go of an entry that is not true any more."""
        if self._learn_from != "nothing":
            self._changes.append(Forget(entry.entry_id, reason))

    def may_learn(self, ended: Ended) -> bool:
        """Whether a run that ended so may be learned from."""
        self._ended = ended
        if self._learn_from == "solved":
            return ended.success is not None and ended.success >= 1
        if self._learn_from == "verified":
            return ended.success is not None
        return self._learn_from == "all"

    def changes(self, success: float | None) -> tuple[MemoryChange, ...]:
        """What the run changes, once it has ended; nothing where nothing is learned.

        Args:
            success: 0 to 1 by the verifier; None when nobody verified it.
        """
        if self._learn_from == "nothing":
            return ()
        uses = [] if success is None else list(self._uses(success))
        return (*uses, *self._changes)

    def _uses(self, success: float) -> list[MemoryChange]:
        found: list[MemoryChange] = []
        for entry_id, used in self._used.items():
            change = Used(entry_id, success, withheld=not used)
            after = after_change(self._entries.get(entry_id), change)
            found.append(change)
            if after is not None and not after.trust.demoted and is_harmful(after.trust):
                found.append(Demote(entry_id))
        return found

    def _draw(self, entry: Entry) -> float:
        """A number from 0 to 1 that depends on entry, task and seed alone."""
        text = f"{entry.entry_id}/{entry.version}/{self._task.task_id}/{self._seed}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48


def is_harmful(trust: Trust) -> bool:
    """Whether runs are shown to fare worse with an entry than without it.

    The race's own confidence sequence over pairs of a run with it and one without
    it, which holds however often one looks (see ``stats.sequence``).
    """
    differences = -np.array(trust.differences, dtype=np.float64)
    # Two imagined pairs, one for each side, as the race has them.
    return lower_bound(differences, DEMOTE_AT, prior=2.0) > 0


def _withheld(trust: Trust) -> float:
    return WITHHELD if trust.last is None or trust.last >= 1 else WITHHELD_IN_DOUBT
