"""leanloop's own form of traces: a run a line, without contents, to be read again in no time."""

from __future__ import annotations

import functools
import os
from collections.abc import Generator, Iterable
from pathlib import Path
from tempfile import NamedTemporaryFile

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.message import ToolSpec
from leanloop.traces.sizes import schema_chars
from leanloop.traces.trace import Entry, TraceCall, TraceRun

FORMAT = "leanloop-trace"
VERSION = 1


class Header(msgspec.Struct, frozen=True):
    """The first line of a file.

    Attributes:
        format: ``leanloop-trace``.
        version: Of the form of the lines that follow.
    """

    format: str
    version: int


def saved(runs: Iterable[TraceRun], path: Path) -> Generator[TraceRun, None, None]:
    """Pass runs on, and keep them without contents; the file is there once all have passed.

    Raises:
        BadInputError: The file cannot be written.
    """
    encoder = msgspec.json.Encoder()
    try:
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            try:
                file.write(encoder.encode(Header(FORMAT, VERSION)) + b"\n")
                for run in runs:
                    file.write(encoder.encode(without_contents(run)) + b"\n")
                    yield run
            except BaseException:
                os.unlink(file.name)  # noqa: PTH108 - a name, not a path
                raise
        Path(file.name).replace(path)
    except OSError as error:
        raise BadInputError(str(path), error.strerror or "cannot be written") from None


def write_traces(runs: Iterable[TraceRun], path: Path) -> int:
    """Write runs without contents; returns how many.

    Raises:
        BadInputError: The file cannot be written.
    """
    return sum(1 for _ in saved(runs, path))


def without_contents(run: TraceRun) -> TraceRun:
    """The run with sizes and digests, and without messages and schemas."""
    return msgspec.structs.replace(
        run, calls=tuple(map(_bare_call, run.calls)), tail=tuple(map(_bare, run.tail))
    )


def _bare_call(call: TraceCall) -> TraceCall:
    response = None if call.response is None else _bare(call.response)
    tools = None if call.tools is None else tuple(map(bare_tool, call.tools))
    return msgspec.structs.replace(
        call, added=tuple(map(_bare, call.added)), response=response, tools=tools
    )


@functools.lru_cache(maxsize=1024)
def _bare_schema(size: int, name: str, read_only: bool | None) -> ToolSpec:
    return ToolSpec(name, " " * size, {}, read_only)


def bare_tool(tool: ToolSpec) -> ToolSpec:
    """The tool's name, and as many characters as its schema has."""
    bare = ToolSpec(tool.name, "", {}, tool.read_only)
    return _bare_schema(schema_chars(tool) - schema_chars(bare), tool.name, tool.read_only)


def _bare(entry: Entry) -> Entry:
    return entry if entry.message is None else msgspec.structs.replace(entry, message=None)
