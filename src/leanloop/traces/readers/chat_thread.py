"""A list of chat messages as the calls that made it: each assistant message is one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from leanloop.core.message import AssistantMessage, ToolSpec
from leanloop.traces.protocol import Wanted
from leanloop.traces.readers.chat_wire import ChatWire, counts_of
from leanloop.traces.readers.json_types import text
from leanloop.traces.thread import Thread
from leanloop.traces.trace import Entry, TraceCall


def chat_calls(
    messages: Iterable[dict[str, Any]],
    wanted: Wanted,
    *,
    model: str = "",
    tools: tuple[ToolSpec, ...] | None = None,
) -> tuple[tuple[TraceCall, ...], tuple[Entry, ...]]:
    """The calls of a conversation, and what came after the last.

    Args:
        messages: In the wire format of Chat Completions; some programs put ``usage`` and
            ``model`` on those of the assistant.
        wanted: How to read.
        model: Who answered, where a message does not say.
        tools: What it was shown.
    """
    wire, thread = ChatWire(), Thread(keep=wanted.contents)
    calls: list[TraceCall] = []
    for sent in messages:
        read = wire.message(sent)
        if read is None:
            continue
        entry = thread.entry(*read)
        if isinstance(read[0], AssistantMessage):
            calls.append(
                TraceCall(
                    *thread.next(entry),
                    entry,
                    model=text(sent.get("model")) or model,
                    counts=counts_of(sent.get("usage")),
                    tools=tools,
                )
            )
        else:
            thread.wait(entry)
    return tuple(calls), thread.tail
