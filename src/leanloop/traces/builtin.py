"""The readers there are."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points

from leanloop.core.errors import BadInputError
from leanloop.traces.protocol import Head, Reader
from leanloop.traces.readers import (
    atif,
    claude_code,
    codex,
    inspect_eval,
    langfuse,
    leanloop_store,
    leanloop_trace,
    litellm,
    mini_swe_agent,
    openai_chat,
    openinference,
    otlp,
    swe_agent,
    tau2_bench,
    tau_bench,
)

ENTRY_POINT_GROUP = "leanloop.readers"

_READERS: tuple[Reader, ...] = (
    leanloop_trace.READER,
    claude_code.READER,
    codex.READER,
    leanloop_store.READER,
    inspect_eval.READER,
    atif.READER,
    otlp.READER,
    openinference.READER,
    langfuse.READER,
    litellm.READER,
    tau2_bench.READER,
    tau_bench.READER,
    swe_agent.READER,
    mini_swe_agent.READER,
    openai_chat.READER,
)
BUILT_IN: dict[str, Reader] = {reader.card.name: reader for reader in _READERS}
"""The narrowest first: the first that claims a file reads it."""


def all_readers() -> dict[str, Reader]:
    """Those of other packages by name, then the built-in ones."""
    points = sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda p: p.name)
    others: dict[str, Reader] = {p.name: p.load() for p in points if p.name not in BUILT_IN}
    return others | BUILT_IN


def reader_of(
    head: Head,
    where: str,
    wanted: str | None = None,
    readers: Mapping[str, Reader] | None = None,
) -> Reader:
    """The reader of a file.

    Args:
        head: The file's beginning.
        where: The file, for the message.
        wanted: A format that the user named.
        readers: Those there are; looked for when None, which takes a while.

    Raises:
        BadInputError: No reader knows the file, or none has that name.
    """
    readers = all_readers() if readers is None else readers
    if wanted is not None:
        if wanted not in readers:
            raise BadInputError("--format", f"no format {wanted!r}; there are {', '.join(readers)}")
        return readers[wanted]
    for reader in readers.values():
        if reader.claims(head):
            return reader
    looked = "; ".join(f"{r.card.name} ({r.card.looks_for})" for r in readers.values())
    raise BadInputError(where, f"is no trace that leanloop knows; looked for {looked}")
