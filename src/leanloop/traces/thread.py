"""A conversation that is built up call by call, whichever way a format tells it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from leanloop.core.message import Message
from leanloop.traces.trace import Entry, entry_of


class Thread:
    """What one conversation holds so far, and what a new request changes in it.

    Args:
        keep: Whether entries keep their messages.
    """

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._entries: list[Entry] = []
        self._waiting: list[Entry] = []

    def entry(self, message: Message, other_parts: int = 0) -> Entry:
        """A message as an entry of this thread."""
        return entry_of(message, keep=self._keep, other_parts=other_parts)

    def wait(self, *entries: Entry) -> None:
        """Put entries behind the conversation; the next request will be the first with them."""
        self._waiting.extend(entries)

    def forget(self) -> None:
        """The conversation starts anew: a compaction put something else in its place."""
        self._entries.clear()

    def next(self, response: Entry | None) -> tuple[int, tuple[Entry, ...]]:
        """A request that goes on from the conversation: ``kept`` and ``added`` of its call."""
        kept, added = len(self._entries), tuple(self._waiting)
        self._after(kept, added, response)
        return kept, added

    def whole(
        self, request: Sequence[Entry], response: Entry | None
    ) -> tuple[int, tuple[Entry, ...]]:
        """A request that was told as a whole: what of it was there before, and what is new."""
        kept = 0
        for old, new in zip(self._entries, request, strict=False):
            if not same(old, new):
                break
            kept += 1
        added = tuple(request[kept:])
        self._after(kept, added, response)
        return kept, added

    @property
    def tail(self) -> tuple[Entry, ...]:
        """What waits for a request that never came."""
        return tuple(self._waiting)

    def _after(self, kept: int, added: Iterable[Entry], response: Entry | None) -> None:
        del self._entries[kept:]
        self._entries.extend(added)
        if response is not None:
            self._entries.append(response)
        self._waiting.clear()


def same(one: Entry, other: Entry) -> bool:
    """Whether two entries are of the same message."""
    if one is other:
        return True
    return (one.role, one.digest, one.chars, one.call_id) == (
        other.role,
        other.digest,
        other.chars,
        other.call_id,
    ) and [c.digest for c in one.calls] == [c.digest for c in other.calls]
