"""Reads files and folders of traces, whatever their format."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.traces.builtin import all_readers, reader_of
from leanloop.traces.protocol import Head, Reader, Wanted
from leanloop.traces.source import Source
from leanloop.traces.trace import TraceRun
from leanloop.traces.writing import without_contents

SUFFIXES = (".json", ".jsonl", ".traj", ".eval", ".sqlite", ".ndjson")
"""What is looked at in a folder; a file that is named is read whatever it is called."""


class Skipped(msgspec.Struct, frozen=True):
    """Something of a file that could not be read.

    Attributes:
        source: The file.
        why: What is wrong.
        count: How often.
        first: Where first.
    """

    source: str
    why: str
    count: int
    first: str


class Reading:
    """The runs of some files; iterate once.

    Args:
        paths: Files and folders.
        wanted: How to read.
        format: A format that the user named; told from each file when None.

    Raises:
        BadInputError: A file is missing or no reader knows it. In a folder, files that
            nobody knows are left out, unless there are no others.
    """

    def __init__(self, paths: Iterable[Path], wanted: Wanted, format: str | None = None) -> None:  # noqa: A002
        self.unknown: list[str] = []
        """Files of folders that no reader knows."""
        self.wanted = wanted
        """How the files are read; may be changed until they are."""
        self._readers = all_readers()
        self._by_reader: dict[str, tuple[Reader, list[Source]]] = {}
        for path in paths:
            self._find(path, format)

    @property
    def sources(self) -> list[Source]:
        """Every file that is read."""
        return [s for _, sources in self._by_reader.values() for s in sources]

    @property
    def formats(self) -> dict[str, int]:
        """Format to its number of files."""
        return {name: len(sources) for name, (_, sources) in self._by_reader.items()}

    def __iter__(self) -> Iterator[TraceRun]:
        """The runs, format by format."""
        for reader, sources in self._by_reader.values():
            for run in reader.read(sources, self.wanted):
                has_schemas = any(c.tools for c in run.calls)
                bare = has_schemas and not self.wanted.contents
                yield without_contents(run) if bare else run

    @property
    def skipped(self) -> list[Skipped]:
        """What could not be read; whole after the runs were iterated."""
        return [
            Skipped(s.name, why, count, s.first_skipped[why])
            for s in self.sources
            for why, count in s.skipped.items()
        ]

    def _find(self, path: Path, wanted: str | None) -> None:
        if not path.is_dir():
            self._add(Source(path), wanted)
            return
        found = 0
        for file in _files(path):
            source = Source(file)
            try:
                self._add(source, wanted)
                found += 1
            except BadInputError:
                self.unknown.append(source.name)
        if not found:
            some = ", ".join(sorted(SUFFIXES))
            raise BadInputError(str(path), f"has no trace that leanloop knows ({some} or .gz)")

    def _add(self, source: Source, wanted: str | None) -> None:
        reader = reader_of(head_of(source), source.name, wanted, self._readers)
        self._by_reader.setdefault(reader.card.name, (reader, []))[1].append(source)


def head_of(source: Source) -> Head:
    """The beginning of a file."""
    data = source.head()
    return Head(PurePath(str(source.path).removesuffix(".gz")), data, tuple(_objects(data)))


def _files(folder: Path) -> Sequence[Path]:
    found = []
    for root, folders, files in os.walk(folder):
        folders.sort()
        names = (f for f in files if f.removesuffix(".gz").endswith(SUFFIXES))
        found += [Path(root, f) for f in names]
    return sorted(found)


def _objects(data: bytes) -> Iterator[dict[str, Any]]:
    decoder = msgspec.json.Decoder()
    for line in data.split(b"\n")[:50]:
        try:
            value = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value
