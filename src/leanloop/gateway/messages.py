"""Anthropic's Messages at the gateway."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from leanloop.core.message import AssistantMessage, Json, Message, ToolSpec
from leanloop.gateway.event_stream import event_bytes
from leanloop.gateway.protocol import Peeked, Reply, Talk, look
from leanloop.models.message_blocks import content_blocks, read_message, read_usage
from leanloop.models.messages_request import MessagesRequest, read_request

REF = "gateway"
KINDS = {
    "budget": "rate_limit_error",
    "access": "authentication_error",
    "upstream": "api_error",
    "request": "invalid_request_error",
    "stopped": "invalid_request_error",
}
GROWING = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
"""Kind of a delta to the field of its block that grows by it."""


class _Body(Talk):
    system: msgspec.Raw = msgspec.Raw(b"")


_BODY = msgspec.json.Decoder(_Body)


class Messages:
    """Anthropic's Messages API (anthropic SDK 2.12, 2026-11)."""

    name = "messages"
    path = "/v1/messages"

    def peek(self, raw: bytes) -> Peeked:
        """Look at a request's body."""
        body, roles = look(_BODY, raw)
        head, tools = bytes(body.system), bytes(body.tools)
        marked = b'"cache_control"' in raw
        stream = bool(body.stream)
        return Peeked(body.model, stream, body.messages, roles, head, tools, marked=marked)

    def messages(self, items: Sequence[msgspec.Raw], head: bytes = b"") -> tuple[Message, ...]:
        """Parts of a conversation as messages, behind the system text."""
        body: dict[str, Json] = {"messages": [msgspec.json.decode(i) for i in items]}
        if head:
            body["system"] = msgspec.json.decode(head)
        return read_request(body, REF).request.messages

    def read(self, body: dict[str, Json]) -> MessagesRequest:
        """A request's body for levers."""
        return read_request(body, REF)

    def tools(self, raw: bytes) -> tuple[ToolSpec, ...]:
        """Tools as they came."""
        return read_request({"messages": [], "tools": msgspec.json.decode(raw)}, REF).request.tools

    def reply(self, body: Json) -> Reply:
        """What an answer's body says."""
        try:
            message = read_message(body["content"], REF, tools_allowed=True)
            tokens = read_usage(body.get("usage"))
        except (LookupError, TypeError, AttributeError, ValueError):
            return Reply()
        truncated = body.get("stop_reason") == "max_tokens"
        return Reply(message, tokens, str(body.get("model") or ""), truncated)

    def joiner(self) -> MessagesJoiner:
        """For the events of one answer."""
        return MessagesJoiner()

    def without_calls(self, body: Json, call_ids: Collection[str]) -> Json:
        """An answer's body without some of its tool calls."""
        left = [b for b in body["content"] if b["type"] != "tool_use" or b["id"] not in call_ids]
        return _saying(body, left)

    def with_message(self, body: Json, message: AssistantMessage) -> Json:
        """An answer's body that says something else."""
        return _saying(body, content_blocks(message, REF))

    def events(self, body: Json, *, usage: bool) -> list[bytes]:
        """An answer's body as a stream: a block's contents in one event."""
        del usage
        opening = {**body, "content": [], "stop_reason": None, "stop_sequence": None}
        out = [_event("message_start", message=opening)]
        for index, block in enumerate(body["content"]):
            empty, deltas = _opened(block)
            out.append(_event("content_block_start", index=index, content_block=empty))
            out += [_event("content_block_delta", index=index, delta=d) for d in deltas]
            out.append(_event("content_block_stop", index=index))
        ending = {k: body.get(k) for k in ("stop_reason", "stop_sequence")}
        out.append(_event("message_delta", delta=ending, usage=body.get("usage") or {}))
        return [*out, _event("message_stop")]

    def plain(self, body: dict[str, Json]) -> dict[str, Json]:
        """A request's body that asks for no stream."""
        return {k: v for k, v in body.items() if k != "stream"}

    def error(self, status: int, kind: str, text: str) -> Json:
        """The body of an error."""
        del status
        return {"type": "error", "error": {"type": KINDS[kind], "message": text}}


class MessagesJoiner:
    """Joins the events of a message to the message."""

    def __init__(self) -> None:
        self.finished = False
        self._message: dict[str, Any] | None = None
        self._blocks: dict[int, dict[str, Any]] = {}
        self._inputs: dict[int, str] = {}

    @property
    def body(self) -> Json:
        """The message as far as it has come."""
        if self._message is None:
            return None
        return {**self._message, "content": [self._blocks[i] for i in sorted(self._blocks)]}

    def feed(self, name: str, data: bytes) -> None:
        """Take an event."""
        try:
            event = msgspec.json.decode(data)
            self._take(event.get("type") or name, event)
        except (msgspec.DecodeError, LookupError, TypeError, AttributeError, UnicodeDecodeError):
            return

    def _take(self, kind: str, event: dict[str, Any]) -> None:
        if kind == "message_start":
            self._message = dict(event["message"])
        elif kind == "content_block_start":
            self._blocks[event["index"]] = dict(event["content_block"])
        elif kind == "content_block_delta":
            self._delta(event["index"], event["delta"])
        elif kind == "content_block_stop" and event["index"] in self._inputs:
            block = self._blocks[event["index"]]
            block["input"] = _arguments(self._inputs.pop(event["index"]))
        elif kind == "message_delta" and self._message is not None:
            self._message |= event.get("delta") or {}
            usage = {k: v for k, v in (event.get("usage") or {}).items() if v is not None}
            self._message["usage"] = {**(self._message.get("usage") or {}), **usage}
        elif kind in {"message_stop", "error"}:
            self.finished = True

    def _delta(self, index: int, delta: dict[str, Any]) -> None:
        block, kind = self._blocks[index], delta["type"]
        if kind == "input_json_delta":
            self._inputs[index] = self._inputs.get(index, "") + delta["partial_json"]
        elif kind == "citations_delta":
            block["citations"] = [*(block.get("citations") or ()), delta["citation"]]
        elif kind in GROWING:
            field = GROWING[kind]
            block[field] = (block.get(field) or "") + delta[field]


def _arguments(text: str) -> Json:
    try:
        return msgspec.json.decode(text or "{}")
    except msgspec.DecodeError:
        return text


def _opened(block: dict[str, Json]) -> tuple[dict[str, Json], list[dict[str, Json]]]:
    """A block as it starts, and what is then added to it."""
    kind = block["type"]
    if kind == "text":
        return {**block, "text": ""}, [{"type": "text_delta", "text": block["text"]}]
    if kind == "tool_use":
        text = msgspec.json.encode(block["input"]).decode()
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": text}]
    if kind == "thinking":
        deltas = [{"type": "thinking_delta", "thinking": block["thinking"]}]
        if block.get("signature"):
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        return {**block, "thinking": "", "signature": ""}, deltas
    return block, []


def _event(kind: str, **fields: Json) -> bytes:
    return event_bytes({"type": kind, **fields}, kind)


def _saying(body: Json, blocks: list[Json]) -> Json:
    calls = any(b["type"] == "tool_use" for b in blocks)
    stop = "tool_use" if calls else body.get("stop_reason")
    if stop == "tool_use" and not calls:
        stop = "end_turn"
    return {**body, "content": blocks, "stop_reason": stop}


WIRE = Messages()
