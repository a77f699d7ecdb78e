"""Chat Completions at the gateway."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from leanloop.core.message import AssistantMessage, Json, Message, ToolSpec
from leanloop.gateway.event_stream import event_bytes
from leanloop.gateway.protocol import Peeked, Reply, Talk, look
from leanloop.models.chat_completions import chat_message, read_message, read_usage
from leanloop.models.chat_request import ChatRequest, read_request

REF = "gateway"
"""Where assistant messages came from: all of a conversation go back to where they came from."""
SET_ONCE = frozenset({"id", "index", "name", "role", "type"})
"""Fields of a delta that are not pieces of a text."""
KINDS = {
    "budget": ("insufficient_quota", "insufficient_quota"),
    "access": ("invalid_request_error", "invalid_api_key"),
    "upstream": ("server_error", "upstream_error"),
    "request": ("invalid_request_error", "invalid_request"),
    "stopped": ("invalid_request_error", "stopped"),
}


_BODY = msgspec.json.Decoder(Talk)


class ChatCompletions:
    """OpenAI's Chat Completions, and what speaks like them (openai SDK 3.54, 2026-11)."""

    name = "chat-completions"
    path = "/chat/completions"

    def peek(self, raw: bytes) -> Peeked:
        """Look at a request's body."""
        body, roles = look(_BODY, raw)
        return Peeked(body.model, bool(body.stream), body.messages, roles, b"", bytes(body.tools))

    def messages(self, items: Sequence[msgspec.Raw], head: bytes = b"") -> tuple[Message, ...]:
        """Parts of a conversation as messages; system text is a part like the others."""
        del head
        sent = [msgspec.json.decode(i) for i in items]
        return read_request({"messages": sent}, REF).request.messages

    def read(self, body: dict[str, Json]) -> ChatRequest:
        """A request's body for levers."""
        return read_request(body, REF)

    def tools(self, raw: bytes) -> tuple[ToolSpec, ...]:
        """Tools as they came."""
        return read_request({"messages": [], "tools": msgspec.json.decode(raw)}, REF).request.tools

    def reply(self, body: Json) -> Reply:
        """What an answer's body says."""
        try:
            choice = body["choices"][0]
            message = read_message(choice["message"], REF, tools_allowed=True)
            tokens = read_usage(body.get("usage"))
        except (LookupError, TypeError, AttributeError, ValueError):
            return Reply()
        truncated = choice.get("finish_reason") == "length"
        return Reply(message, tokens, str(body.get("model") or ""), truncated)

    def joiner(self) -> ChatJoiner:
        """For the events of one answer."""
        return ChatJoiner()

    def without_calls(self, body: Json, call_ids: Collection[str]) -> Json:
        """An answer's body without some of its tool calls."""
        message = dict(body["choices"][0]["message"])
        left = [c for c in message["tool_calls"] if c["id"] not in call_ids]
        message.pop("tool_calls")
        return _saying(body, {**message, "tool_calls": left} if left else message)

    def with_message(self, body: Json, message: AssistantMessage) -> Json:
        """An answer's body that says something else."""
        return _saying(body, chat_message(message, REF))

    def events(self, body: Json, *, usage: bool) -> list[bytes]:
        """An answer's body as a stream: all that was said in one event for each choice."""
        head = {k: v for k, v in body.items() if k not in {"choices", "usage"}}
        head["object"] = "chat.completion.chunk"
        chunks: list[dict[str, Json]] = []
        for choice in body["choices"]:
            rest = {k: v for k, v in choice.items() if k not in {"message", "finish_reason"}}
            said = dict(choice["message"])
            if said.get("tool_calls"):
                numbered = enumerate(said["tool_calls"])
                said["tool_calls"] = [{"index": i, **call} for i, call in numbered]
            chunks.append({**head, "choices": [{**rest, "delta": said, "finish_reason": None}]})
            end = {**rest, "delta": {}, "finish_reason": choice.get("finish_reason")}
            chunks.append({**head, "choices": [end]})
        if usage and body.get("usage"):
            chunks.append({**head, "choices": [], "usage": body["usage"]})
        return [*map(event_bytes, chunks), b"data: [DONE]\n\n"]

    def plain(self, body: dict[str, Json]) -> dict[str, Json]:
        """A request's body that asks for no stream."""
        return {k: v for k, v in body.items() if k not in {"stream", "stream_options"}}

    def error(self, status: int, kind: str, text: str) -> Json:
        """The body of an error."""
        del status
        return openai_error(kind, text)


def openai_error(kind: str, text: str) -> Json:
    """The body of an error as both of OpenAI's APIs have it."""
    type_, code = KINDS[kind]
    return {"error": {"message": text, "type": type_, "param": None, "code": code}}


class ChatJoiner:
    """Joins chunks to a completion: texts grow, lists grow by index, the rest is set."""

    def __init__(self) -> None:
        self.finished = False
        self._body: dict[str, Any] | None = None
        self._choices: dict[int, dict[str, Any]] = {}
        self._texts: dict[int, list[str]] = {}

    @property
    def body(self) -> Json:
        """The completion as far as it has come."""
        if self._body is None:
            return None
        for index in list(self._texts):
            self._join(index)
        return {**self._body, "choices": [self._choices[i] for i in sorted(self._choices)]}

    def feed(self, name: str, data: bytes) -> None:
        """Take a chunk."""
        del name
        if data == b"[DONE]":
            self.finished = True
            return
        try:
            chunk = msgspec.json.decode(data)
            self._take(chunk)
        except (msgspec.DecodeError, LookupError, TypeError, AttributeError, UnicodeDecodeError):
            return

    def _take(self, chunk: dict[str, Any]) -> None:
        choices = chunk.get("choices") or ()
        if self._body is None or chunk.get("usage") or not choices:
            rest = {k: v for k, v in chunk.items() if k != "choices" and v is not None}
            self._body = {**(self._body or {}), **rest, "object": "chat.completion"}
        for choice in choices:
            index, delta = choice.get("index") or 0, choice.get("delta") or {}
            known = self._choices.get(index)
            if known is None:
                known = {"index": index, "message": {"role": "assistant", "content": None}}
                self._choices[index] = known
            if len(delta) == 1 and "content" in delta:
                self._texts.setdefault(index, []).append(delta["content"] or "")
            else:
                self._join(index)
                _grow(known["message"], delta)
            if choice.get("finish_reason"):
                known["finish_reason"] = choice["finish_reason"]

    def _join(self, index: int) -> None:
        """Put the pieces of text together that have come since the last time."""
        pieces = self._texts.pop(index, None)
        if pieces:
            message = self._choices[index]["message"]
            message["content"] = (message.get("content") or "") + "".join(pieces)


def _grow(known: dict[str, Any], delta: dict[str, Any]) -> None:
    for key, value in delta.items():
        if value is None:
            known.setdefault(key, None)
        elif isinstance(value, list):
            known[key] = _grown(known.get(key) or [], value)
        elif isinstance(value, dict):
            known[key] = known.get(key) or {}
            _grow(known[key], value)
        elif isinstance(value, str) and key not in SET_ONCE:
            known[key] = (known.get(key) or "") + value
        elif key != "index" and (value != "" or key not in known):
            known[key] = value


def _grown(known: list[Any], pieces: list[Any]) -> list[Any]:
    for piece in pieces:
        place = piece.get("index") if isinstance(piece, dict) else None
        if place is None:
            known.append(piece)
            continue
        while len(known) <= min(place, 10_000):
            known.append({})
        _grow(known[place], piece)
    return known


def _saying(body: Json, message: dict[str, Json]) -> Json:
    first, *others = body["choices"]
    finish = "tool_calls" if message.get("tool_calls") else first.get("finish_reason")
    if finish == "tool_calls" and not message.get("tool_calls"):
        finish = "stop"
    return {**body, "choices": [{**first, "message": message, "finish_reason": finish}, *others]}


WIRE = ChatCompletions()
