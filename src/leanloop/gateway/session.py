"""Which session a request belongs to, told by the conversation that it repeats."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import msgspec

from leanloop.core.configuration import Configuration
from leanloop.core.message import AssistantMessage, Message
from leanloop.gateway.conversation import Conversation
from leanloop.gateway.protocol import Peeked
from leanloop.gateway.steering import Steering

MOST = 10_000
"""Sessions that are remembered; beyond that the ones that were silent longest are forgotten."""
SYSTEM = frozenset({"system", "developer"})
MARK_BYTES = 16
"""Of a SHA-256, which processors have instructions for."""
LOOKED_AT = 8
"""Sessions with the same last request that a retry may be one of."""


@dataclass
class Session:
    """One conversation of one agent, as the gateway knows it.

    Args:
        session_id: Unique in the store.
        configuration: The levers that it runs with, from its first call to its last.
        key: Whose it is: a digest of the client's key.
        task: The label that the client gave it; empty without one.
    """

    session_id: str
    configuration: Configuration
    key: str
    task: str = ""
    mark: bytes = b""
    """Digest of the last request's conversation."""
    system: bytes = b""
    """Digest of its system text."""
    tools: int = 0
    """Hash of the tools that it showed last."""
    said: AssistantMessage | None = None
    """What the model said last, as the client has it; None when that is not known."""
    answered: bool = False
    """Whether its last request got an answer."""
    conversation: Conversation = field(default_factory=Conversation)
    under_way: int = 0
    """Calls that have not ended."""
    steering: Steering | None = None
    """Its levers at work; None where all are off."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Calls of a session that has levers on are made one after the other."""


@dataclass(frozen=True)
class Matched:
    """A request beside the conversations that are known.

    Args:
        session: The one that it goes on with; None for a new one.
        known: Parts of the request that its last request had already.
        mark: Digest of this request's conversation.
        marks: Digest of the conversation up to each part, oldest first.
        system: Digest of the request's system text.
    """

    session: Session | None
    known: int
    mark: bytes
    marks: Sequence[bytes]
    system: bytes


class Sessions:
    """Remembers sessions and finds the one that a request goes on with.

    A client sends all that was said before with every request. A session is known by the
    digest of its last request; a request that starts with the same messages and has more is
    its next. System text is no part of that, as some clients write the time into it. Two
    sessions that began alike are told apart by what the model said then. A request that
    repeats the last one is a retry when that one got no answer, else a session of its own.

    Args:
        most: How many to remember.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._recent: OrderedDict[str, Session] = OrderedDict()
        self._by_mark: dict[bytes, list[Session]] = {}

    def __len__(self) -> int:
        return len(self._recent)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._recent.values()))

    def free_id(self, named: str, scope: str) -> str:
        """An id for a new session: its name, unless somebody else's session has that."""
        if not named:
            return new_session_id()
        return f"{named}-{scope}" if named in self._recent else named

    def named(self, session_id: str) -> Session | None:
        """The session of that id, if it is remembered."""
        return self._recent.get(session_id)

    def match(self, peeked: Peeked, scope: str, named: str, said: Said) -> Matched:
        """Find the session of a request.

        Args:
            peeked: The request.
            scope: Whose request it is; sessions of others are not looked at.
            named: The session's id, where the client gives it; empty else.
            said: Reads one part of the request.
        """
        marks, system = digests(peeked, scope)
        mark = marks[-1] if marks else sha256(scope.encode()).digest()[:MARK_BYTES]
        session = self._recent.get(named) if named else None
        if session is not None and session.key == scope:
            known = next((i + 1 for i, m in enumerate(marks) if m == session.mark), 0)
            return Matched(session, known, mark, marks, system)
        if named:
            return Matched(None, 0, mark, marks, system)
        for place in range(len(marks) - 1, -1, -1):
            found = self._by_mark.get(marks[place])
            if found:
                session = self._choose(found, peeked, place, said)
                if session is not None:
                    return Matched(session, place + 1, mark, marks, system)
        return Matched(None, 0, mark, marks, system)

    def _choose(
        self, found: Sequence[Session], peeked: Peeked, place: int, said: Said
    ) -> Session | None:
        if place + 1 == len(peeked.items):
            newest = found[-LOOKED_AT:]
            return next((s for s in newest if not (s.answered or s.under_way)), None)
        if len(found) > 1:
            heard = said(place + 1)
            same = [s for s in found if s.said is not None and _same(s.said, heard)]
            return (same or found)[-1]
        return found[-1]

    def add(self, session: Session) -> None:
        """Remember a new session, and forget the one that was silent longest if there are many."""
        self._recent[session.session_id] = session
        while len(self._recent) > self._most:
            _, old = self._recent.popitem(last=False)
            self._unmark(old)

    def sent(self, session: Session, matched: Matched) -> None:
        """The session's last request is this one now."""
        self._recent.move_to_end(session.session_id)
        self.mark(session, matched.mark)

    def mark(self, session: Session, mark: bytes) -> None:
        """The session's last request had that digest."""
        if session.mark != mark or not session.mark:
            self._unmark(session)
            self._by_mark.setdefault(mark, []).append(session)
            session.mark = mark

    def _unmark(self, session: Session) -> None:
        known = self._by_mark.get(session.mark)
        if known is None:
            return
        if session in known:
            known.remove(session)
        if not known:
            del self._by_mark[session.mark]


class Said:
    """Reads a part of a request when it is asked for.

    Args:
        read: Makes messages of parts.
        items: The parts.
    """

    def __init__(
        self,
        read: Callable[[Sequence[msgspec.Raw]], Sequence[Message]],
        items: Sequence[msgspec.Raw],
    ) -> None:
        self._read = read
        self._items = items

    def __call__(self, place: int) -> Message | None:
        """The first message of the part; None where it cannot be read."""
        try:
            messages = self._read(self._items[place : place + 1])
        except Exception:  # whatever a client sent; it is told apart by other means then
            return None
        return messages[0] if messages else None


def new_session_id() -> str:
    """An id that nobody can guess."""
    return secrets.token_hex(8)


def digests(peeked: Peeked, scope: str) -> tuple[list[bytes], bytes]:
    """Digest of the conversation up to each part, and that of the system text."""
    running = sha256(scope.encode())
    system = sha256(peeked.head)
    marks = []
    for item, role in zip(peeked.items, peeked.roles, strict=True):
        if role in SYSTEM:
            system.update(item)
        else:
            running.update(_still(item) if peeked.marked else item)
        marks.append(running.copy().digest()[:MARK_BYTES])
    return marks, system.digest()


def _still(item: msgspec.Raw) -> bytes:
    """A part without its cache marks, which are no part of what was said."""
    raw = bytes(item)
    if b'"cache_control"' not in raw:
        return raw
    return msgspec.json.encode(_without(msgspec.json.decode(raw)))


def _without(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {k: _without(v) for k, v in value.items() if k != "cache_control"}
    return [_without(v) for v in value] if isinstance(value, list) else value


def _same(one: AssistantMessage, other: Message | None) -> bool:
    if not isinstance(other, AssistantMessage):
        return False
    ids = [c.call_id for c in one.tool_calls]
    if ids:
        return ids == [c.call_id for c in other.tool_calls]
    return one.text == other.text
