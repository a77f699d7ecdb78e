"""A file that traces are read from: bounded in memory, and patient with damage."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import ijson
import msgspec

from leanloop.core.errors import BadInputError
from leanloop.traces.json_values import values_at_any

HEAD_BYTES = 1 << 16
LONGEST_LINE = 1 << 26
"""Bytes of a line; a longer one is skipped, since it may not fit in memory."""
GZIP = b"\x1f\x8b"


class Source:
    """A file, unpacked as it is read, and what of it had to be skipped.

    Args:
        path: A file, plain or gzipped.
        name: How the user would name it; the path when empty.
    """

    def __init__(self, path: Path, name: str = "") -> None:
        self.path = path
        self.name = name or str(path)
        self.skipped: Counter[str] = Counter()
        """What was wrong, to how often; never contents of the file."""
        self.first_skipped: dict[str, str] = {}
        """What was wrong, to where that was first."""
        self.bytes_read = 0

    @property
    def file(self) -> str:
        """The file's name, without its folder and ``.gz``."""
        return self.path.name.removesuffix(".gz")

    def skip(self, why: str, where: str = "") -> None:
        """Count something that cannot be read.

        Args:
            why: What is wrong with it, in the same few words each time, without contents.
            where: The place in the file, such as ``line 7``.
        """
        self.skipped[why] += 1
        self.first_skipped.setdefault(why, where)

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The file's bytes, unpacked.

        Raises:
            BadInputError: The file cannot be opened.
        """
        try:
            with self.path.open("rb") as raw:
                packed = raw.read(2) == GZIP
                raw.seek(0)
                if packed:
                    with gzip.open(raw) as unpacked:
                        yield cast(BinaryIO, unpacked)
                else:
                    yield raw
        except OSError as error:
            if isinstance(error, gzip.BadGzipFile):
                self.skip("the gzip stream is damaged")
                return
            raise BadInputError(self.name, error.strerror or "cannot be read") from None

    def head(self) -> bytes:
        """The first bytes, no more than ``HEAD_BYTES``."""
        data = b""
        with self.open() as stream:
            for chunk in _chunks(stream, HEAD_BYTES, self):
                data = chunk
                break
        return data

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Line number, from 1, and line, without empty ones and those that are too long."""
        number, rest, too_long = 0, b"", False
        with self.open() as stream:
            for chunk in _chunks(stream, 1 << 20, self):
                self.bytes_read += len(chunk)
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    number += 1
                    if too_long:
                        too_long = False
                    elif line and not line.isspace():
                        yield number, line
                if len(rest) > LONGEST_LINE and not too_long:
                    self.skip("a line is too long", f"line {number + 1}")
                    too_long = True
                rest = b"" if too_long else rest
        if rest and not too_long and not rest.isspace():
            yield number + 1, rest

    def objects(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Line number and JSON object of each line; what is none is counted."""
        decoder = msgspec.json.Decoder()
        for number, line in self.lines():
            try:
                value = decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self.skip("a line is not JSON", f"line {number}")
                continue
            if isinstance(value, dict):
                yield number, value
            else:
                self.skip("a line is no JSON object", f"line {number}")

    def items(self, prefix: str) -> Iterator[Any]:
        """The values at a place of one JSON document, each as soon as it is whole.

        Args:
            prefix: As ijson has it: ``item`` for a list's, ``simulations.item`` for those
                of a field's list, empty for the whole document.
        """
        return (value for _, value in self.fields(prefix))

    def fields(self, *prefixes: str) -> Iterator[tuple[str, Any]]:
        """The values at several places of one JSON document, in the document's order.

        Args:
            prefixes: As ``items`` has them; none within another.
        """
        paths = [prefix.split(".") if prefix else [] for prefix in prefixes]
        with self.open() as stream:
            try:
                events = ijson.basic_parse(_Counted(stream, self), use_float=True)
                for which, value in values_at_any(events, paths):
                    yield prefixes[which], value
            except (ijson.JSONError, ValueError, ArithmeticError, EOFError, zlib.error):
                self.skip("the document is cut off or damaged")
            except RecursionError:
                self.skip("the document is nested too deeply")


class _Counted:
    """A stream whose bytes are counted as they are read."""

    def __init__(self, stream: BinaryIO, source: Source) -> None:
        self._stream = stream
        self._source = source

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._source.bytes_read += len(data)
        return data


def _chunks(stream: BinaryIO, size: int, source: Source) -> Iterator[bytes]:
    while True:
        try:
            chunk = stream.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            source.skip("the gzip stream is cut off or damaged")
            return
        if not chunk:
            return
        yield chunk
