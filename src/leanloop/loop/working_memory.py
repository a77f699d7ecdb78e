"""Entries in this process, to be looked up while runs are made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from leanloop.core.memory import Entry, Kind, MemoryChange, after_change, changed_id
from leanloop.levers.inverted_index import InvertedIndex

BOUND = 1000
"""Entries that a memory holds at most, where nothing else is said."""


class WorkingMemory:
    """Entries by id, and by the words of their cues.

    Args:
        entries: What is known from the start.
        bound: Entries that it holds at most, inclusive; the least worth goes first.
    """

    def __init__(self, entries: Iterable[Entry] = (), bound: int = BOUND) -> None:
        self._bound = bound
        self._entries: dict[str, Entry] = {}
        self._indices = {kind: InvertedIndex() for kind in Kind}
        for entry in entries:
            self.set(entry.entry_id, entry)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        """Every entry, in the order in which they came."""
        return iter(self._entries.values())

    def get(self, entry_id: str) -> Entry | None:
        """The entry of that id, or None."""
        return self._entries.get(entry_id)

    def find(self, kind: Kind, text: str, k: int) -> Sequence[Entry]:
        """Up to ``k`` entries that are not demoted, those most like the text first."""
        return [self._entries[name] for name, _ in self._indices[kind].top_k(text, k)]

    def apply(self, changes: Iterable[MemoryChange]) -> None:
        """Change entries, and let go of the least worth where there are too many."""
        for change in changes:
            entry_id = changed_id(change)
            self.set(entry_id, after_change(self._entries.get(entry_id), change))
        while len(self._entries) > self._bound:
            self.set(min(self._entries.values(), key=lambda e: e.worth).entry_id, None)

    def set(self, entry_id: str, entry: Entry | None) -> None:
        """Put an entry in the place of the one of that id; None takes it away."""
        known = self._entries.get(entry_id)
        was, now = _findable(known), _findable(entry)
        if entry is not None:
            self._entries[entry_id] = entry
        elif known is not None:
            del self._entries[entry_id]
        if now is not None and (was is None or was.cue != now.cue):
            self._indices[now.kind].add(entry_id, now.cue)
        elif now is None and was is not None:
            self._indices[was.kind].remove(entry_id)

    def copy(self) -> WorkingMemory:
        """One that can be changed without changing this one."""
        return WorkingMemory(self, self._bound)


def _findable(entry: Entry | None) -> Entry | None:
    """The entry, unless it was shown to hurt: that is kept, and found no more."""
    return None if entry is None or entry.trust.demoted else entry
