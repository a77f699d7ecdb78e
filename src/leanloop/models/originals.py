"""What core values were read from, so that only what changed is written anew."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from leanloop.core.message import AssistantMessage, Json, Message, ToolMessage

NO_LIMIT = 2**31 - 1
"""``max_output_tokens`` read from a body that sets no bound; left alone it is not written."""


class Originals:
    """Finds the message of a body that a message of a changed request stands for.

    A message that levers passed on is known by identity. One that a lever kept
    from an earlier reading of the same conversation, or made anew for the same
    call, is known by its call ids, or by its text when it has none. Each is found
    once, so that a lever's own message never takes the place of a client's.

    Args:
        messages: As they were read, in order.
    """

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = tuple(messages)  # held, since an id may be given again
        self._by_id = {id(m): i for i, m in enumerate(self._messages)}

    def __getitem__(self, index: int) -> Message:
        return self._messages[index]

    def __len__(self) -> int:
        return len(self._messages)

    def find(self, messages: Sequence[Message]) -> list[int | None]:
        """The index of each message's original; None for a message that has none."""
        found: list[int | None] = []
        left = dict.fromkeys(range(len(self._messages)))
        for message in messages:
            index = self._by_id.get(id(message))
            known = index is not None and index in left
            found.append(index if known else None)
            if index is not None:
                left.pop(index, None)
        if left and None in found:
            self._find_by_key(messages, found, left)
        return found

    def _find_by_key(
        self, messages: Sequence[Message], found: list[int | None], left: Mapping[int, None]
    ) -> None:
        by_key: dict[tuple[str, ...], deque[int]] = {}
        for index in left:
            by_key.setdefault(_key(self._messages[index]), deque()).append(index)
        for i, message in enumerate(messages):
            if found[i] is None and (indices := by_key.get(_key(message))):
                found[i] = indices.popleft()


def patched(original: Json, old: Json, new: Json) -> Json:
    """The original with the difference between two writings of what it was read as.

    Fields that leanloop does not write stay as they came, and so does every part
    in which the two writings agree: the very same object.

    Args:
        original: As it came.
        old: As leanloop would have written it.
        new: As leanloop would write it now.
    """
    if old == new:
        return original
    if isinstance(original, dict) and isinstance(old, dict) and isinstance(new, dict):
        kept = {k: v for k, v in original.items() if k in new or k not in old}
        changed = {k: v for k, v in new.items() if k not in old or old[k] != v}
        return kept | {k: patched(original.get(k), old.get(k), v) for k, v in changed.items()}
    if _alike(original, old) and _alike(old, new):
        return [patched(*three) for three in zip(original, old, new, strict=True)]
    return new


def same_objects(one: Sequence[Json], other: Sequence[Json]) -> bool:
    """Whether both hold the very same objects in the same order."""
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def with_fields(body: dict[str, Json], changes: Mapping[str, Json]) -> dict[str, Json]:
    """The body with other fields, in its own order; the very same one without changes.

    Args:
        body: The body, which is not changed.
        changes: New values; None takes a field away.
    """
    differing = {k: v for k, v in changes.items() if v is not None or k in body}
    if not differing:
        return body
    return {k: v for k, v in {**body, **differing}.items() if k not in differing or v is not None}


def _key(message: Message) -> tuple[str, ...]:
    if isinstance(message, ToolMessage):
        return ("tool", message.call_id)
    if isinstance(message, AssistantMessage) and message.tool_calls:
        return ("calls", *(c.call_id for c in message.tool_calls))
    return (type(message).__name__, message.text)


def _alike(one: Json, other: Json) -> bool:
    return isinstance(one, list) and isinstance(other, list) and len(one) == len(other)
