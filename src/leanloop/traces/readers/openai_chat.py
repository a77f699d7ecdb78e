"""Conversations as OpenAI chat messages, in JSON or JSON lines."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from leanloop.traces.protocol import Head, ReaderCard, Wanted
from leanloop.traces.readers.chat_thread import chat_calls
from leanloop.traces.readers.chat_wire import ROLES, ChatWire, counts_of, tools_of
from leanloop.traces.readers.json_places import places_in
from leanloop.traces.readers.json_types import mapping, number, objects, text, unix_s
from leanloop.traces.source import Source
from leanloop.traces.thread import Thread
from leanloop.traces.trace import Entry, Role, TraceCall, TraceRun

PLACES = ("role", "messages.item.role", "request.messages.item.role", "body.messages.item.role")
OTHERS = frozenset(
    {
        *("trajectory_format", "info.model_stats", "termination_reason"),
        *("spend", "item.spend", "call_type", "item.call_type"),
    }
)
"""Places by which other formats are told that hold lists of chat messages too."""
IDS = ("conversation_id", "thread_id", "session_id", "trace_id", "run_id")
MOST_OPEN = 64
"""Conversations of a log of requests that are followed at the same time."""


class OpenAIChat:
    """Reads chat messages: conversations, or requests with their answers.

    A file is a list of messages, a list of conversations, or JSON lines of either. A
    conversation is a list of messages or an object with ``messages`` and, where it has them,
    ``tools``, ``model`` and ``usage``; every message of the assistant is one call whose
    request was all before it. ``usage`` of a conversation with more than one call is of
    nobody knows which, so it is not used.

    An object that has a ``response`` or ``choices`` too is one request with its answer. Those
    of one conversation are one run: told by its id (``conversation_id``, ``thread_id``,
    ``session_id``, ``trace_id`` or ``run_id``) and first message or, without an id, by the
    same messages up to the user's first. No more than ``MOST_OPEN`` conversations are
    followed at the same time; one that comes back after that is a run of its own.

    A tool's result is taken for an error where it begins with that word.
    """

    card = ReaderCard(
        name="openai-chat",
        summary="Chat Completions messages: conversations, or requests with their responses.",
        looks_for="role and content in a list of messages",
        source="OpenAI, API reference, Chat Completions, platform.openai.com, 2026-11. No program "
        "writes such files: the test files are built from that page.",
    )

    def claims(self, head: Head) -> bool:
        """Whether it begins with messages, and is no other format that holds them."""
        found = places_in(head.data)
        if not OTHERS.isdisjoint(found):
            return False
        places = {f"{before}{place}" for place in PLACES for before in ("", "item.", "item.item.")}
        return any(place in found for place in places) and any(
            place.endswith((".content", ".tool_calls")) or place == "content" for place in found
        )

    def read(self, sources: Sequence[Source], wanted: Wanted) -> Iterator[TraceRun]:
        """The conversations, in the order in which each is whole."""
        for source in sources:
            yield from _Runs(source, wanted).all()


class _Answer(NamedTuple):
    """What stands beside a request."""

    message: dict[str, Any] | None
    about: dict[str, Any]
    error: str = ""


@dataclass(frozen=True)
class _Asked:
    """A request, read."""

    entries: list[Entry]
    wire: ChatWire
    about: dict[str, Any]

    @property
    def is_first(self) -> bool:
        """Whether nothing was answered before it."""
        return all(e.role != Role.ASSISTANT for e in self.entries)

    def key(self, named: str) -> Hashable:
        """Of which conversation it is.

        Args:
            named: Its id; empty when it has none.
        """
        marks = []
        for entry in self.entries:
            marks.append((entry.role, entry.digest, entry.chars))
            if named or entry.role == Role.USER:
                break
        return (named, *marks)


class _Runs:
    """The runs of one file."""

    def __init__(self, source: Source, wanted: Wanted) -> None:
        self._source = source
        self._wanted = wanted
        self._number = 0
        self._open: OrderedDict[Hashable, _Requests] = OrderedDict()

    def all(self) -> Iterator[TraceRun]:
        """All of them."""
        messages: list[dict[str, Any]] = []
        for where, value in _values(self._source):
            if isinstance(value, dict) and _is_message(value):
                messages.append(value)
            elif isinstance(value, dict) and _has_messages(_request(value)):
                yield from self._conversation(value)
            elif isinstance(value, list) and any(_is_message(m) for m in objects(value)):
                yield from self._whole(value, {})
            else:
                self._source.skip("an element is no conversation", where)
        if messages:
            yield from self._whole(messages, {})
        while self._open:
            yield self._closed(next(iter(self._open)))

    def _conversation(self, value: dict[str, Any]) -> Iterator[TraceRun]:
        answer, request = _answer(value), _request(value)
        if answer is None:
            yield from self._whole(request["messages"], {**value, **request})
            return
        asked = _asked(request, value, self._wanted)
        named = _id(value)
        key = asked.key(named)
        if key in self._open and asked.is_first and not named:
            yield self._closed(key)
        if key not in self._open:
            self._open[key] = _Requests(self._wanted, value)
        self._open.move_to_end(key)
        self._open[key].add(asked, answer)
        if len(self._open) > MOST_OPEN:
            yield self._closed(next(iter(self._open)))

    def _whole(self, messages: list[Any], about: dict[str, Any]) -> Iterator[TraceRun]:
        model, tools = text(about.get("model")), tools_of(about.get("tools"))
        calls, tail = chat_calls(objects(messages), self._wanted, model=model, tools=tools)
        if len(calls) == 1 and isinstance(about.get("usage"), dict):
            calls = (msgspec.structs.replace(calls[0], counts=counts_of(about["usage"])),)
        yield self._made(calls, tail, about)

    def _closed(self, key: Hashable) -> TraceRun:
        requests = self._open.pop(key)
        return self._made(tuple(requests.calls), (), requests.about)

    def _made(
        self, calls: tuple[TraceCall, ...], tail: tuple[Entry, ...], about: dict[str, Any]
    ) -> TraceRun:
        self._number += 1
        return TraceRun(
            run_id=f"{self._source.file}#{self._number}",
            source=self._source.name,
            format=OpenAIChat.card.name,
            calls=calls,
            session_id=text(about.get("session_id")) or _id(about),
            task_id=text(about.get("task_id")) or None,
            success=_success(about.get("success")),
            tail=tail,
        )


class _Requests:
    """Requests of one conversation, each told as a whole.

    Args:
        wanted: How to read.
        about: The line of the first.
    """

    def __init__(self, wanted: Wanted, about: dict[str, Any]) -> None:
        self._thread = Thread(keep=wanted.contents)
        self.about = {k: about.get(k) for k in (*IDS, "task_id", "success")}
        self.calls: list[TraceCall] = []

    def add(self, asked: _Asked, answer: _Answer) -> None:
        """One request and its answer."""
        response = None
        if answer.message is not None:
            read = asked.wire.message({**answer.message, "role": "assistant"})
            response = None if read is None else self._thread.entry(*read)
        kept, added = self._thread.whole(asked.entries, response)
        about = asked.about
        self.about["success"] = about.get("success", self.about["success"])
        self.calls.append(
            TraceCall(
                kept,
                added,
                response,
                model=text(answer.about.get("model")) or text(about.get("model")),
                counts=counts_of(answer.about.get("usage")),
                tools=tools_of(about.get("tools")),
                started_at=_started(about, answer.about),
                error=answer.error,
            )
        )


def _values(source: Source) -> Iterator[tuple[str, Any]]:
    """Elements of the list, or of the lines, with their places; a single object is its own."""
    head = source.head().removeprefix(b"\xef\xbb\xbf").lstrip()
    if not _is_lines(head, source):
        prefix = "item" if head[:1] == b"[" else ""
        for place, value in enumerate(source.items(prefix)):
            yield f"element {place}", value
        return
    decoder = msgspec.json.Decoder()
    for number_, line in source.lines():
        try:
            yield f"line {number_}", decoder.decode(line.removeprefix(b"\xef\xbb\xbf"))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            source.skip("a line is not JSON", f"line {number_}")


def _is_lines(head: bytes, source: Source) -> bool:
    """Whether it is JSON lines, and not one document that may be written over many."""
    first, _, rest = head.partition(b"\n")
    value = _decoded(first)
    if isinstance(value, list):
        return bool(rest.strip())
    if value is not None:
        return True
    if head[:1] == b"[":
        return False
    if b"\n" in head:
        return any(_has_messages(mapping(_decoded(line))) for line in rest.split(b"\n"))
    again = Source(source.path, source.name)
    return next((isinstance(_decoded(line), dict) for _, line in again.lines()), False)


def _decoded(line: bytes) -> Any:  # noqa: ANN401
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _is_message(value: dict[str, Any]) -> bool:
    return text(value.get("role")) in ROLES and ("content" in value or "tool_calls" in value)


def _has_messages(value: dict[str, Any]) -> bool:
    messages = value.get("messages")
    return isinstance(messages, list) and any(_is_message(m) for m in objects(messages))


def _request(value: dict[str, Any]) -> dict[str, Any]:
    """Where the messages, the tools and the model stand."""
    inner = (mapping(value.get(key)) for key in ("request", "body"))
    return next((v for v in (value, *inner) if _has_messages(v)), {})


def _asked(request: dict[str, Any], value: dict[str, Any], wanted: Wanted) -> _Asked:
    wire, thread = ChatWire(), Thread(keep=wanted.contents)
    entries = [
        thread.entry(*read) for m in objects(request["messages"]) if (read := wire.message(m))
    ]
    return _Asked(entries, wire, {**value, **request})


def _answer(value: dict[str, Any]) -> _Answer | None:
    """The answer beside a request; None where there is none."""
    response = value.get("response")
    if isinstance(response, str):
        return _Answer({"content": response}, value)
    if not isinstance(response, dict):
        response = value if "choices" in value else None
    if response is None:
        return None
    response = mapping(response.get("body")) or response
    about = {**response, "usage": response.get("usage") or value.get("usage")}
    if response.get("error"):
        return _Answer(None, about, "the call failed")
    choices = list(objects(response.get("choices")))
    if choices:
        return _Answer(mapping(choices[0].get("message")), about)
    return _Answer(response if _is_message(response) else None, about)


def _id(value: dict[str, Any]) -> str:
    return next((text(value.get(k)) for k in IDS if text(value.get(k))), "")


def _success(value: Any) -> float | None:  # noqa: ANN401
    found = float(value) if isinstance(value, bool) else number(value)
    return found if found is not None and 0 <= found <= 1 else None


def _started(value: dict[str, Any], answer: dict[str, Any]) -> float | None:
    for key in ("started_at", "timestamp", "time"):
        when = number(value.get(key)) or unix_s(value.get(key))
        if when is not None:
            return when
    return number(answer.get("created"))


READER = OpenAIChat()
