"""leanloop's own form of traces, as ``leanloop profile --save`` writes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from leanloop.traces.protocol import Head, ReaderCard, Wanted
from leanloop.traces.source import Source
from leanloop.traces.trace import TraceRun
from leanloop.traces.writing import FORMAT, VERSION, Header


class LeanloopTrace:
    """Reads what ``leanloop.traces.writing`` wrote: sizes and digests, never contents."""

    card = ReaderCard(
        name=FORMAT,
        summary="Runs that 'leanloop profile --save' kept.",
        looks_for=f'a first line with the format "{FORMAT}"',
        source="leanloop.traces.writing.",
    )

    def claims(self, head: Head) -> bool:
        """Whether the first line says so."""
        return bool(head.lines) and head.lines[0].get("format") == FORMAT

    def read(self, sources: Sequence[Source], wanted: Wanted) -> Iterator[TraceRun]:
        """The runs, in order; none of a file that another version of leanloop wrote."""
        del wanted
        decoder = msgspec.json.Decoder(TraceRun)
        for source in sources:
            for number, line in source.lines():
                if number == 1:
                    if not _is_ours(line, source):
                        break
                    continue
                try:
                    yield decoder.decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    source.skip("a line is no run", f"line {number}")


def _is_ours(line: bytes, source: Source) -> bool:
    """Whether lines are to be read; those behind a damaged first line are."""
    try:
        version = msgspec.json.decode(line, type=Header).version
    except (msgspec.DecodeError, UnicodeDecodeError):
        source.skip("the first line is damaged", "line 1")
        return True
    if version != VERSION:
        source.skip(f"another version of leanloop wrote it, not version {VERSION}", "line 1")
    return version == VERSION


READER = LeanloopTrace()
