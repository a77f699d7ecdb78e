"""What a reader of traces is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Protocol

from leanloop.traces.source import Source
from leanloop.traces.trace import TraceRun


@dataclass(frozen=True)
class ReaderCard:
    """What is known of a reader.

    Args:
        name: The format's name, as ``--format`` takes it.
        summary: What writes such files, in one line.
        looks_for: What a file of it starts with, for the message when nothing fits.
        source: Where the format is described, with version and date; and, where its test
            files were not made by running the program, that this is so.
    """

    name: str
    summary: str
    looks_for: str
    source: str


@dataclass(frozen=True)
class Head:
    """The beginning of a file, from which its format is told.

    Args:
        path: The file, without ``.gz``.
        data: Its first bytes, unpacked; no more than ``leanloop.traces.source.HEAD_BYTES``.
        lines: The JSON objects of those of its first lines that are whole and are objects.
    """

    path: PurePath
    data: bytes
    lines: tuple[dict[str, Any], ...]

    @property
    def starts_with(self) -> bytes:
        """The first byte that is no space: ``{`` or ``[`` in JSON."""
        return self.data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]


@dataclass(frozen=True)
class Wanted:
    """How to read.

    Args:
        contents: Whether entries keep their messages. What-ifs need them; a profile does
            not, and without them memory stays small.
    """

    contents: bool = False


class Reader(Protocol):
    """Reads one format of traces.

    A reader never raises for what a file holds: what is damaged, cut off or unknown it
    tells the source (``source.skip``) and goes on. It keeps in memory the run under way and
    no more of the file.
    """

    @property
    def card(self) -> ReaderCard:
        """What is known of it."""

    def claims(self, head: Head) -> bool:
        """Whether the file is of this format; cheap, and true for no other's."""

    def read(self, sources: Sequence[Source], wanted: Wanted) -> Iterator[TraceRun]:
        """The runs, as soon as each is whole.

        Args:
            sources: Every file of this format, in the order of their paths: a format may
                tell one run in several files, or one call in two.
            wanted: How to read.
        """
