"""A memory in the store that agents share, looked up in this process."""

from __future__ import annotations

from collections.abc import Sequence

from leanloop.core.memory import Entry, Kind, MemoryChange
from leanloop.loop.working_memory import WorkingMemory
from leanloop.store.memory import SqlMemory
from leanloop.store.protocol import Carried


class KeptMemory:
    """Entries as they are in the store, others' changes included, found as fast as one's own.

    Args:
        kept: Where they are kept.
        bound: Entries that it holds at most, inclusive.
    """

    def __init__(self, kept: SqlMemory, bound: int) -> None:
        self._kept, self._bound = kept, bound
        self.name = kept.name
        self.carried = Carried(kept.name, bound)
        self._number = -1
        self._working = WorkingMemory(bound=bound)
        self.refresh()

    def refresh(self) -> None:
        """Take in what others have changed."""
        news = self._kept.news(self._number)
        if news.whole:
            self._working = WorkingMemory(bound=self._bound)
        for entry_id, entry in news.entries.items():
            self._working.set(entry_id, entry)
        self._number = news.number

    def apply(self, changes: Sequence[MemoryChange]) -> None:
        """Keep what a run has changed."""
        self._kept.apply(changes, self._bound)
        self.refresh()

    def get(self, entry_id: str) -> Entry | None:
        """The entry of that id, or None."""
        return self._working.get(entry_id)

    def find(self, kind: Kind, text: str, k: int) -> Sequence[Entry]:
        """Up to ``k`` entries that are not demoted, those most like the text first."""
        return self._working.find(kind, text, k)

    def __len__(self) -> int:
        return len(self._working)
