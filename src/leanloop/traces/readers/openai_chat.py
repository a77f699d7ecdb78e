"""Conversations as OpenAI chat messages, in JSON or JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from leanloop.traces.protocol import Head, ReaderCard, Wanted
from leanloop.traces.readers.chat_thread import chat_calls
from leanloop.traces.readers.chat_wire import ROLES, ChatWire, counts_of, tools_of
from leanloop.traces.readers.json_types import mapping, number, objects, text, unix_s
from leanloop.traces.source import Source
from leanloop.traces.thread import Thread
from leanloop.traces.trace import Entry, TraceCall, TraceRun

IDS = ("id", "run_id", "conversation_id", "session_id", "task_id")


class OpenAIChat:
    """Reads chat messages: a conversation a line or an element, or a list of messages alone.

    A conversation is a list of messages or an object with ``messages`` and, where it has them,
    ``tools``, ``model``, ``usage`` and an ``id``. An object that has a ``response`` or
    ``choices`` too is one request with its answer; those of one conversation that follow
    each other, told by its id or by a request that goes on from the one before, are one run.
    ``usage`` beside a whole conversation is that of its last call alone and is not used.
    """

    card = ReaderCard(
        name="openai-chat",
        summary="Chat Completions messages: conversations, or requests with their responses.",
        looks_for="role and content in a list of messages",
        source="OpenAI, API reference, Chat Completions, 2026-11.",
    )

    def claims(self, head: Head) -> bool:
        """Whether the first object is a message, or has a list of messages."""
        if head.lines:
            return _is_conversation(head.lines[0])
        data = head.data[:4096]
        named = b'"messages"' in data or b'"role"' in data
        return head.starts_with in {b"[", b"{"} and named and b'"content"' in head.data

    def read(self, sources: Sequence[Source], wanted: Wanted) -> Iterator[TraceRun]:
        """The conversations, in the file's order."""
        for source in sources:
            yield from _Runs(source, wanted).all()


class _Runs:
    """The runs of one file."""

    def __init__(self, source: Source, wanted: Wanted) -> None:
        self._source = source
        self._wanted = wanted
        self._number = 0
        self._open: _Requests | None = None

    def all(self) -> Iterator[TraceRun]:
        messages: list[dict[str, Any]] = []
        for value in self._values():
            if isinstance(value, list):
                yield from self._run(value, {})
            elif isinstance(value, dict) and value.get("role") in ROLES:
                messages.append(value)
            elif isinstance(value, dict) and _is_conversation(value):
                yield from self._conversation(value)
            else:
                self._source.skip("an element is no conversation")
        if messages:
            yield from self._run(messages, {})
        yield from self._close()

    def _values(self) -> Iterator[Any]:
        """Elements of the list, or of the lines; a single object is its own."""
        with self._source.open() as stream:
            first = stream.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        if first == b"[":
            yield from self._source.items("item")
            return
        found = False
        for _, value in self._source.objects():
            found = True
            yield value
        if not found:
            self._source.skipped.clear()  # one document over many lines, not many lines
            self._source.first_skipped.clear()
            yield from self._source.items("")

    def _conversation(self, value: dict[str, Any]) -> Iterator[TraceRun]:
        answer = _answer(value)
        if answer is None:
            yield from self._close()
            yield from self._run(value["messages"], value)
            return
        mine = _id(value)
        if self._open is None or not self._open.takes(mine, value):
            yield from self._close()
            self._open = _Requests(self._wanted, mine)
        self._open.add(value, answer)

    def _run(self, messages: list[Any], about: dict[str, Any]) -> Iterator[TraceRun]:
        model, tools = text(about.get("model")), tools_of(about.get("tools"))
        calls, tail = chat_calls(objects(messages), self._wanted, model=model, tools=tools)
        if not calls and not tail:
            self._source.skip("a conversation has no message")
            return
        yield self._made(calls, tail, about)

    def _made(
        self, calls: tuple[TraceCall, ...], tail: tuple[Entry, ...], about: dict[str, Any]
    ) -> TraceRun:
        self._number += 1
        task, success = about.get("task_id"), number(about.get("success"))
        return TraceRun(
            run_id=f"{self._source.name}#{self._number}",
            source=self._source.name,
            format=OpenAIChat.card.name,
            calls=calls,
            session_id=text(about.get("session_id")) or _id(about),
            task_id=text(task) or None,
            success=success if success is not None and 0 <= success <= 1 else None,
            tail=tail,
        )

    def _close(self) -> Iterator[TraceRun]:
        if self._open is not None:
            yield self._made(tuple(self._open.calls), (), self._open.about)
            self._open = None


class _Requests:
    """Requests of one conversation, each told as a whole."""

    def __init__(self, wanted: Wanted, mine: str) -> None:
        self._thread = Thread(keep=wanted.contents)
        self._mine = mine
        self._last = 0
        self.calls: list[TraceCall] = []
        self.about: dict[str, Any] = {}

    def takes(self, mine: str, value: dict[str, Any]) -> bool:
        """Whether a request belongs here: the same id, or without one a longer history."""
        if mine or self._mine:
            return mine == self._mine
        return len(value["messages"]) > self._last

    def add(self, value: dict[str, Any], answer: dict[str, Any]) -> None:
        """One request and its answer."""
        wire = ChatWire()
        read = [wire.message(m) for m in objects(value["messages"])]
        request = [self._thread.entry(*r) for r in read if r is not None]
        answered = wire.message({"role": "assistant", **mapping(answer.get("message"))})
        response = self._thread.entry(*answered) if answered else None
        kept, added = self._thread.whole(request, response)
        self._last = len(value["messages"])
        self.about = self.about or {k: value.get(k) for k in (*IDS, "success") if k in value}
        self.calls.append(
            TraceCall(
                kept,
                added,
                response,
                model=text(answer.get("model")) or text(value.get("model")),
                counts=counts_of(answer.get("usage")),
                tools=tools_of(value.get("tools")),
                started_at=_started(value, answer),
            )
        )


def _is_conversation(value: dict[str, Any]) -> bool:
    messages = value.get("messages")
    if value.get("role") in ROLES and ("content" in value or "tool_calls" in value):
        return True
    first = messages[0] if isinstance(messages, list) and messages else None
    return isinstance(first, dict) and first.get("role") in ROLES


def _answer(value: dict[str, Any]) -> dict[str, Any] | None:
    """Message, model, usage and time of an answer that stands beside the request."""
    response = value.get("response") if isinstance(value.get("response"), dict) else value
    choices = list(objects(mapping(response).get("choices")))
    if not choices:
        return None
    kept = {k: mapping(response).get(k) for k in ("model", "usage", "created")}
    kept["usage"] = kept["usage"] or value.get("usage")
    return {**kept, "message": choices[0].get("message")}


def _id(value: dict[str, Any]) -> str:
    named = ("conversation_id", "session_id", "run_id")
    return next((text(value.get(k)) for k in named if text(value.get(k))), "")


def _started(value: dict[str, Any], answer: dict[str, Any]) -> float | None:
    for key in ("started_at", "timestamp", "time"):
        when = number(value.get(key)) or unix_s(value.get(key))
        if when is not None:
            return when
    return number(answer.get("created"))


READER = OpenAIChat()
