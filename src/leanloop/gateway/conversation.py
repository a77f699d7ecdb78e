"""What a trace holds of a session, told call by call in work that is that of what is new."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from leanloop.core.message import Message, ToolSpec
from leanloop.traces.trace import Entry, entry_of

LOW = 2**63 - 1


@dataclass(frozen=True)
class Change:
    """What a request changes in the conversation that the call before left.

    Args:
        kept: Entries that it starts with.
        added: Entries behind those.
        results: Results of tools that are among the new ones.
        tools: What it shows, where that is not what the call before showed; None else.
    """

    kept: int = 0
    added: tuple[Entry, ...] = ()
    results: int = 0
    tools: tuple[ToolSpec, ...] | None = None


NOTHING = Change()
"""Of a request that nobody here could read."""


class Conversation:
    """The entries of a session, by a number and a size each.

    Args:
        contents: Whether entries hold what was said.
    """

    def __init__(self, *, contents: bool = False) -> None:
        self._contents = contents
        self._keys = array("q")
        self._sizes = array("q")
        self._answered = False

    def __len__(self) -> int:
        return len(self._keys)

    def entry(self, message: Message) -> Entry:
        """A message as an entry."""
        return entry_of(message, keep=self._contents)

    def behind(self, messages: Iterable[Message]) -> Change:
        """A request that repeats the last one and then has these.

        The first of them may be what the model said last, which is there already.
        """
        added = [self.entry(m) for m in messages]
        kept = len(self._keys)
        if kept and added and _key(added[0]) == self._keys[-1]:
            del added[0]
        elif kept and self._answered:
            kept -= 1
        return Change(kept, tuple(added), _results(added))

    def whole(self, messages: Sequence[Message]) -> Change:
        """A request that is here as a whole."""
        entries = [self.entry(m) for m in messages]
        kept = 0
        for known, entry in zip(self._keys, entries, strict=False):
            if known != _key(entry):
                break
            kept += 1
        added = tuple(entries[kept:])
        return Change(kept, added, _results(added))

    def chars(self, change: Change) -> int:
        """Characters of a whole request."""
        return sum(self._sizes[: change.kept]) + sum(e.chars for e in change.added)

    def went_on(self, change: Change, said: Entry | None) -> None:
        """The request has been sent, and this came back; None when nothing did."""
        del self._keys[change.kept :]
        del self._sizes[change.kept :]
        for entry in (*change.added, *((said,) if said is not None else ())):
            self._keys.append(_key(entry))
            self._sizes.append(entry.chars)
        self._answered = said is not None


def _results(entries: Iterable[Entry]) -> int:
    return sum(bool(e.call_id) for e in entries)


def _key(entry: Entry) -> int:
    calls = tuple(c.digest for c in entry.calls)
    return hash((entry.role, entry.digest, entry.chars, entry.call_id, calls)) & LOW
