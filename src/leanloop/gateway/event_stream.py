"""Server-sent events, read from bytes as they come and written."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from leanloop.core.message import Json

END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
LINES = re.compile(rb"\r\n|\n|\r")
LONGEST = 64 * 1024 * 1024
"""Bytes of one event beyond which it is no event: what came of it is forgotten."""


class EventStream:
    """Cuts a stream of bytes into events, wherever its pieces were cut.

    After the WHATWG's HTML standard, section 9.2 (read 2026-11): fields ``event`` and
    ``data``; comments and other fields are left out; an event that is not complete when
    the stream ends is none.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[tuple[str, bytes]]:
        """Events that are complete with this piece: name, and data joined by newlines."""
        data = self._rest + piece if self._rest else piece
        # Nearly all streams use line feeds alone.
        *blocks, self._rest = (END.split if b"\r" in data else _split)(data)
        for block in blocks:
            event = _event(block)
            if event is not None:
                yield event
        if len(self._rest) > LONGEST:
            self._rest = b""


def _split(data: bytes) -> list[bytes]:
    return data.split(b"\n\n")


def _event(block: bytes) -> tuple[str, bytes] | None:
    if block.startswith(b"data: ") and b"\n" not in block and b"\r" not in block:
        return "", block[6:]
    name, data = "", []
    for line in LINES.split(block):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    return (name, b"\n".join(data)) if data else None


def event_bytes(value: Json, name: str = "") -> bytes:
    """A JSON value as an event."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + msgspec.json.encode(value) + b"\n\n"
