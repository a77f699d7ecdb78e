"""Sessions of Claude Code, as JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from leanloop.core.message import AssistantMessage, ToolCall, ToolMessage, UserMessage
from leanloop.core.tokens import Tokens
from leanloop.traces.protocol import Head, ReaderCard, Wanted
from leanloop.traces.readers.json_types import text, unix_s
from leanloop.traces.source import Source
from leanloop.traces.thread import Thread
from leanloop.traces.trace import (
    Counts,
    Entry,
    ToolTime,
    TraceCall,
    TraceRun,
    exclusive,
)

SYNTHETIC = "<synthetic>"
"""The model of messages that the program itself wrote: no call was made."""
LONGEST_COUNT = 2**53


class Writes(msgspec.Struct, gc=False):
    """Input that was written to a cache, by how long it lives."""

    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class Usage(msgspec.Struct, gc=False):
    """Tokens of a message; input is without what was read from or written to a cache."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: Writes | None = None


class Block(msgspec.Struct, gc=False):
    """A block of content of any type."""

    type: str = ""
    text: str = ""
    thinking: str = ""
    id: str = ""
    name: str = ""
    input: Any = None
    tool_use_id: str = ""
    content: Any = None
    is_error: bool | None = None


class Said(msgspec.Struct, gc=False):
    """The message of a line."""

    id: str | None = None
    model: str | None = None
    content: str | list[Block] | None = None
    usage: Usage | None = None


class Line(msgspec.Struct, rename="camel", gc=False):
    """A line of a session."""

    type: str = ""
    session_id: str | None = None
    request_id: str | None = None
    timestamp: str | None = None
    agent_id: str | None = None
    uuid: str | None = None
    parent_uuid: str | None = None
    is_sidechain: bool | None = None
    is_compact_summary: bool | None = None
    message: Said | None = None
    cost_usd: float | None = msgspec.field(name="costUSD", default=None)


class ClaudeCode:
    """Reads sessions of Claude Code.

    A message stands on a line for each of its blocks, with the same or a growing usage: the last
    one counts, once. A message that another file has too, since a session was resumed, is part
    of the conversation and no call. Sub-agents, in files of their own or on lines marked as
    side chains, are runs of their own. Latency is the time since the line before. What a user
    rewound is read as if the conversation had gone on. System text and tools are not in the log.
    """

    card = ReaderCard(
        name="claude-code",
        summary="Session files of Claude Code (~/.claude/projects).",
        looks_for="lines with sessionId, uuid and message",
        source="Claude Code 1.0 to 2.x, ~/.claude/projects/*/*.jsonl, 2026-11; the format is not "
        "documented and the program is no Python package: tested on published session lines and "
        "on lines made to their pattern.",
    )

    def claims(self, head: Head) -> bool:
        """Whether a line has the fields of a session."""
        return any("sessionId" in x and ("uuid" in x or "leafUuid" in x) for x in head.lines)

    def read(self, sources: Sequence[Source], wanted: Wanted) -> Iterator[TraceRun]:
        """The conversations of each file, once it is read."""
        seen: set[int] = set()
        for source in sources:
            yield from _File(source, wanted, seen).runs()


class _File:
    def __init__(self, source: Source, wanted: Wanted, seen: set[int]) -> None:
        self._source = source
        self._wanted = wanted
        self._seen = seen
        self._conversations: dict[str, _Conversation] = {}
        self._chains: dict[str, str] = {}

    def runs(self) -> Iterator[TraceRun]:
        decoder = msgspec.json.Decoder(Line)
        for number, line in self._source.lines():
            try:
                self._take(decoder.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                wrong = isinstance(error, msgspec.ValidationError)
                why = "a line has another shape" if wrong else "a line is not JSON"
                self._source.skip(why, f"line {number}")
        for conversation in self._conversations.values():
            run = conversation.run(self._source)
            if run.calls or run.tail:
                yield run

    def _take(self, line: Line) -> None:
        if line.type in {"user", "assistant"} and line.message is not None:
            self._conversation(line).take(line, self._seen)

    def _conversation(self, line: Line) -> _Conversation:
        session = text(line.session_id)
        agent = self._agent(line)
        key = f"{session}/{agent}" if agent else session
        found = self._conversations.get(key)
        if found is None:
            parent = session if agent else ""
            found = self._conversations[key] = _Conversation(key, session, parent, self._wanted)
        return found

    def _agent(self, line: Line) -> str:
        """The sub-agent whose line it is; empty for the session's own."""
        if not line.is_sidechain:
            return ""
        if line.agent_id:
            return text(line.agent_id)
        chain = self._chains.get(line.parent_uuid or "") or text(line.uuid)
        self._chains[line.uuid or ""] = chain
        return chain


@dataclass
class _Pending:
    """A message whose lines are still coming."""

    key: int
    model: str
    added: list[Entry]
    started_at: float | None
    ended_at: float | None = None
    text: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    others: int = 0
    usage: Usage | None = None
    usd: float | None = None
    forget: bool = False
    copied: bool = False


class _Conversation:
    def __init__(self, key: str, session: str, parent: str, wanted: Wanted) -> None:
        self._key = key
        self._session = session
        self._parent = parent
        self._thread = Thread(keep=wanted.contents)
        self._pending: _Pending | None = None
        self._added: list[Entry] = []
        self._forget = False
        self._calls: list[TraceCall] = []
        self._times: dict[str, ToolTime] = {}
        self._made: dict[str, tuple[str, float | None]] = {}
        self._first: float | None = None
        self._last: float | None = None

    def take(self, line: Line, seen: set[int]) -> None:
        """One line."""
        at = unix_s(line.timestamp)
        said = line.message
        assert said is not None
        if line.type == "user":
            self._user(line, said, at)
        elif said.model != SYNTHETIC:
            self._assistant(line, said, at, seen)
        if at is not None:
            self._first = at if self._first is None else self._first
            self._last = at

    def run(self, source: Source) -> TraceRun:
        """The conversation, once all its lines were taken."""
        self._flush()
        name = source.name
        return TraceRun(
            run_id=f"{name}:{self._key}",
            source=name,
            format=ClaudeCode.card.name,
            calls=tuple(self._calls),
            parent_id=f"{name}:{self._parent}" if self._parent else "",
            session_id=self._session,
            started_at=self._first,
            ended_at=self._last,
            tail=tuple(self._added),
            tool_times=self._times,
        )

    def _user(self, line: Line, said: Said, at: float | None) -> None:
        if line.is_compact_summary:
            self._flush()
            self._added, self._forget = [], True
        content = said.content
        if isinstance(content, str):
            self._added.append(self._thread.entry(UserMessage(text(content))))
            return
        words, others = [], 0
        for block in content or ():
            if block.type == "tool_result":
                self._added.append(self._result(block, at))
            elif block.type == "text":
                words.append(text(block.text))
            else:
                others += 1
        if words or others:
            self._added.append(self._thread.entry(UserMessage("".join(words)), others))

    def _result(self, block: Block, at: float | None) -> Entry:
        call_id = text(block.tool_use_id)
        name, made_at = self._made.pop(call_id, ("", None))
        if at is not None and made_at is not None and at >= made_at:
            self._times[call_id] = ToolTime(at - made_at, made_at)
        words, others = _result_text(block.content)
        message = ToolMessage(call_id, name, words, bool(block.is_error))
        return self._thread.entry(message, others)

    def _assistant(self, line: Line, said: Said, at: float | None, seen: set[int]) -> None:
        key = hash((said.id, line.request_id) if said.id else line.uuid)
        pending = self._pending
        if pending is None or pending.key != key:
            self._flush()
            pending = self._pending = _Pending(key, text(said.model), self._added, self._last)
            pending.copied = key in seen
            seen.add(key)
            pending.forget, self._forget = self._forget, False
            self._added = []
        self._extend(pending, said, at)
        pending.usage = said.usage or pending.usage
        pending.usd = line.cost_usd if line.cost_usd is not None else pending.usd

    def _extend(self, pending: _Pending, said: Said, at: float | None) -> None:
        pending.ended_at = at if at is not None else pending.ended_at
        if isinstance(said.content, str):
            pending.text.append(text(said.content))
            return
        for block in said.content or ():
            if block.type == "tool_use":
                call = ToolCall(text(block.id), text(block.name), _arguments(block.input))
                pending.calls.append(call)
                self._made[call.call_id] = (call.name, at)
            elif block.type in {"text", "thinking"}:
                pending.text.append(text(block.text) or text(block.thinking))
            else:
                pending.others += 1

    def _flush(self) -> None:
        pending, self._pending = self._pending, None
        if pending is None:
            return
        message = AssistantMessage("".join(pending.text), tuple(pending.calls))
        entry = self._thread.entry(message, pending.others)
        if pending.copied:  # counted where it was first told
            self._added = [*pending.added, entry, *self._added]
            self._forget = pending.forget
            return
        if pending.forget:
            self._thread.forget()
        self._thread.wait(*pending.added)
        counts = _counts(pending.usage)
        start, end = pending.started_at, pending.ended_at
        known = start is not None and end is not None and end >= start
        self._calls.append(
            TraceCall(
                *self._thread.next(entry),
                entry,
                model=pending.model,
                provider="anthropic",
                counts=counts,
                usd=pending.usd if pending.usd and pending.usd > 0 else None,
                latency_s=end - start if known and start is not None and end is not None else None,
                started_at=start if start is not None else end,
            )
        )


def _counts(usage: Usage | None) -> Counts:
    """Disjoint classes; reasoning is within the output and cannot be told apart."""
    if usage is None:
        return Counts()
    counts = (
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_input_tokens,
        usage.cache_creation_input_tokens,
    )
    sent, out, read, written = (
        n if n is not None and 0 <= n <= LONGEST_COUNT else None for n in counts
    )
    read, written = read or 0, written or 0
    hour = usage.cache_creation.ephemeral_1h_input_tokens if usage.cache_creation else 0
    hour = min(max(hour or 0, 0), written)
    return exclusive(Tokens(sent, read, written - hour, hour, out, 0))


def _arguments(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _result_text(content: object) -> tuple[str, int]:
    """A result's text, and how many of its parts are no text."""
    if isinstance(content, str):
        return text(content), 0
    parts = content if isinstance(content, list) else []
    words = [p["text"] for p in parts if isinstance(p, dict) and isinstance(p.get("text"), str)]
    return text("".join(words)), len(parts) - len(words)


READER = ClaudeCode()
