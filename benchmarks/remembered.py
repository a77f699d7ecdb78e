"""A model that answers a request it was sent before with what it answered then.

On one core the embedded model writes the same answer to the same prompt, and most requests of two
configurations that differ in one lever are the same. Such a request is made once: its answer, its
tokens and its seconds stand for all of them. That saves hours, and takes the clock's noise out of a
comparison where nothing differed. Seconds are those that a core worked for this process, which
other work stretches less than the wall's. It also lets a measurement go on elsewhere: what was
recorded is a file. Where a run leaves what was recorded, its last request is made again first, so
that llama.cpp holds what it would have held; whether it then answers as before is counted.
"""

from __future__ import annotations

import gzip
import hashlib
import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec

from leanloop.core.message import AssistantMessage, Request, Response
from leanloop.core.tokens import Tokens
from leanloop.models.embedded import chat_body, completion_body, read_reply
from leanloop.models.protocol import Model


class Recorded(msgspec.Struct, omit_defaults=True):
    """A request, by its digest, and what came back.

    Attributes:
        key: Digest of what the model was sent.
        text: What it wrote.
        tokens: Read anew, read from the cache, and written.
        core_s: Seconds that a core worked for it.
        where: The machine and the day.
        truncated: Whether it was cut off.
    """

    key: str
    text: str
    tokens: tuple[int, int, int]
    core_s: float
    where: str
    truncated: bool = False


_DECODER = msgspec.json.Decoder(Recorded)


class Book:
    """Recorded requests in a file of JSON lines, a line each, added to as they are made.

    Args:
        path: The file.
        where: The machine and the day, for what is recorded from now on.
        kept: A packed file of what was recorded before.
    """

    def __init__(self, path: Path, where: str, kept: Path) -> None:
        self._path, self._kept = path, kept
        self.where = where
        lines = [*_lines(kept, gzip.open), *_lines(path, open)]
        self._known = {r.key: r for r in map(_DECODER.decode, lines)}
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            # What is cut off would spoil the next line too.
            os.truncate(path, path.read_bytes().rfind(b"\n") + 1)

    def get(self, key: str) -> Recorded | None:
        """What was recorded of a request."""
        return self._known.get(key)

    def add(self, record: Recorded) -> None:
        """Record one; the file is whole after each."""
        self._known[record.key] = record
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(record) + b"\n")

    def keep(self) -> None:
        """Pack all that is recorded; the same records are the same bytes."""
        lines = [msgspec.json.encode(r) + b"\n" for r in self._known.values()]
        if lines:
            self._kept.write_bytes(gzip.compress(b"".join(lines), mtime=0))


def _lines(path: Path, opened: Callable[[Path, Literal["rb"]], Any]) -> list[bytes]:
    if not path.is_file():
        return []
    with opened(path, "rb") as lines:
        # A last line that was cut off by a kill is no record.
        return [line for line in lines if line.endswith(b"\n")]


class Remembered:
    """Answers from the book, and asks the model what is not in it.

    Args:
        inner: The model.
        book: What was recorded.
    """

    def __init__(self, inner: Model, book: Book) -> None:
        self._inner = inner
        self.book = book
        self._ids = itertools.count(1)
        self._left_at: tuple[Request, Recorded] | None = None
        self.made = self.recalled = self.again = self.same = 0

    @property
    def ref(self) -> str:
        """The inner model's."""
        return self._inner.ref

    @property
    def concurrency(self) -> int:
        """One: what llama.cpp holds is part of what is measured."""
        return 1

    async def complete(self, request: Request) -> Response:
        """Answer from the book, or ask."""
        key = digest(self.ref, request)
        known = self.book.get(key)
        if known is not None:
            self.recalled += 1
            self._left_at = request, known
            return self._response(known, request)
        await self._go_back()
        start = time.process_time()
        response = await self._inner.complete(request)
        response = msgspec.structs.replace(response, latency_s=time.process_time() - start)
        self.made += 1
        self.book.add(recorded(key, response, self.book.where))
        return response

    async def _go_back(self) -> None:
        if self._left_at is not None:
            request, known = self._left_at
            response = await self._inner.complete(request)
            self.again += 1
            self.same += _text(response) == known.text
            self._left_at = None

    def _response(self, known: Recorded, request: Request) -> Response:
        text = known.text
        message = AssistantMessage(text=text, verbatim=text)
        if request.tools:
            message = read_reply(text, f"recalled-{next(self._ids)}")
        new, cached, out = known.tokens
        tokens = Tokens(
            uncached_input_tokens=new,
            cache_read_tokens=cached,
            cache_write_5m_tokens=0,
            cache_write_1h_tokens=0,
            output_tokens=out,
            reasoning_tokens=0,
        )
        return Response(message, tokens, known.core_s, known.truncated, self.ref)

    def said(self) -> str:
        """How much was made, how much recalled, and whether what was made again was the same."""
        return (
            f"{self.made} requests made, {self.recalled} recalled; of {self.again} that were made "
            f"again, {self.same} were answered as before"
        )

    async def close(self) -> None:
        """Close the model."""
        await self._inner.close()


def digest(ref: str, request: Request) -> str:
    """What stands for a request: what llama.cpp is sent, and what it is told to keep."""
    body = completion_body(request) if request.tools else chat_body(request)
    what = msgspec.json.encode((ref, body, request.shared_messages))
    return hashlib.blake2b(what, digest_size=12).hexdigest()


def recorded(key: str, response: Response, where: str) -> Recorded:
    """A response as a line of the book."""
    t = response.tokens
    tokens = (t.uncached_input_tokens, t.cache_read_tokens, t.output_tokens)
    known = tuple(n or 0 for n in tokens)
    seconds = round(response.latency_s, 4)
    return Recorded(key, _text(response), known, seconds, where, response.truncated)  # type: ignore[arg-type]


def _text(response: Response) -> str:
    said = response.message.verbatim
    return said if isinstance(said, str) else response.message.text
