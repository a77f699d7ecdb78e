"""OpenAI's Responses at the gateway."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.message import AssistantMessage, Json, Message, ToolSpec
from leanloop.gateway.chat_completions import openai_error
from leanloop.gateway.event_stream import event_bytes
from leanloop.gateway.protocol import Peeked, Reply
from leanloop.models.responses_request import (
    CUSTOM,
    ResponsesRequest,
    read_message,
    read_request,
    read_usage,
    response_items,
)

LAST = frozenset({"response.completed", "response.incomplete", "response.failed"})
CALLS = frozenset({"function_call", CUSTOM})


class _Body(msgspec.Struct):
    input: msgspec.Raw = msgspec.Raw(b"[]")
    model: str = ""
    stream: bool | None = False
    instructions: msgspec.Raw = msgspec.Raw(b"")
    tools: msgspec.Raw = msgspec.Raw(b"")
    previous_response_id: str | None = None
    conversation: msgspec.Raw = msgspec.Raw(b"null")
    background: bool | None = False


class _Part(msgspec.Struct):
    role: str = ""
    type: str = ""


_BODY = msgspec.json.Decoder(_Body)
_PART = msgspec.json.Decoder(_Part)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


class Responses:
    """OpenAI's Responses API (openai SDK 3.54, 2026-11).

    A conversation that the provider keeps, by ``previous_response_id`` or
    ``conversation``, is metered and capped; levers do not act on it, as it is not here.
    """

    name = "responses"
    path = "/responses"

    def peek(self, raw: bytes) -> Peeked:
        """Look at a request's body."""
        try:
            body = _BODY.decode(raw)
            items = [body.input] if _is_text(body.input) else _LIST.decode(body.input)
            roles = [_role(i) for i in items]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadInputError("body", str(error)) from None
        kept = body.previous_response_id is not None or bytes(body.conversation) != b"null"
        head, tools = bytes(body.instructions), bytes(body.tools)
        return Peeked(
            body.model, bool(body.stream), items, roles, head, tools, kept or bool(body.background)
        )

    def messages(self, items: Sequence[msgspec.Raw], head: bytes = b"") -> tuple[Message, ...]:
        """Parts of a conversation as messages, behind the instructions."""
        sent = [msgspec.json.decode(i) for i in items]
        body: dict[str, Json] = {"input": sent}
        if len(sent) == 1 and isinstance(sent[0], str):
            body = {"input": sent[0]}
        if head:
            body["instructions"] = msgspec.json.decode(head)
        return read_request(body).request.messages

    def read(self, body: dict[str, Json]) -> ResponsesRequest:
        """A request's body for levers."""
        return read_request(body)

    def tools(self, raw: bytes) -> tuple[ToolSpec, ...]:
        """Tools as they came."""
        return read_request({"input": [], "tools": msgspec.json.decode(raw)}).request.tools

    def reply(self, body: Json) -> Reply:
        """What an answer's body says."""
        try:
            message = read_message(body["output"])
            tokens = read_usage(body.get("usage"))
        except (LookupError, TypeError, AttributeError, ValueError):
            return Reply()
        return Reply(
            message, tokens, str(body.get("model") or ""), body.get("status") == "incomplete"
        )

    def joiner(self) -> ResponsesJoiner:
        """For the events of one answer."""
        return ResponsesJoiner()

    def without_calls(self, body: Json, call_ids: Collection[str]) -> Json:
        """An answer's body without some of its tool calls."""
        left = [i for i in body["output"] if i["type"] not in CALLS or i["call_id"] not in call_ids]
        return {**body, "output": left}

    def with_message(self, body: Json, message: AssistantMessage) -> Json:
        """An answer's body that says something else."""
        return {**body, "output": [_output(i, n) for n, i in enumerate(response_items(message))]}

    def events(self, body: Json, *, usage: bool) -> list[bytes]:
        """An answer's body as a stream: an item's contents in one event."""
        del usage
        opening = {**body, "status": "in_progress", "output": [], "usage": None}
        out: list[dict[str, Json]] = [
            {"type": "response.created", "response": opening},
            {"type": "response.in_progress", "response": opening},
        ]
        for index, item in enumerate(body["output"]):
            out += _item_events(index, item)
        last = "response.incomplete" if body.get("status") == "incomplete" else "response.completed"
        out.append({"type": last, "response": body})
        return [event_bytes({**e, "sequence_number": n}, e["type"]) for n, e in enumerate(out)]

    def plain(self, body: dict[str, Json]) -> dict[str, Json]:
        """A request's body that asks for no stream."""
        return {k: v for k, v in body.items() if k not in {"stream", "stream_options"}}

    def error(self, status: int, kind: str, text: str) -> Json:
        """The body of an error."""
        del status
        return openai_error(kind, text)


class ResponsesJoiner:
    """Takes the answer from the last event, which has it whole."""

    def __init__(self) -> None:
        self.finished = False
        self.body: Json = None

    def feed(self, name: str, data: bytes) -> None:
        """Take an event."""
        # Others are many and long, and repeat what the last one says.
        if not any(kind.encode() in data[:200] for kind in LAST) and name not in LAST:
            return
        try:
            event: dict[str, Any] = msgspec.json.decode(data)
            if (event.get("type") or name) in LAST:
                self.body, self.finished = event["response"], True
        except (msgspec.DecodeError, LookupError, AttributeError, UnicodeDecodeError):
            return


def _is_text(raw: msgspec.Raw) -> bool:
    return bytes(raw).startswith(b'"')


def _role(item: msgspec.Raw) -> str:
    if _is_text(item):
        return "user"
    part = _PART.decode(item)
    if part.role:
        return part.role
    return "tool" if part.type.endswith("_output") else "assistant"


def _output(item: dict[str, Json], place: int) -> dict[str, Json]:
    """An item of a request as one of an answer."""
    if item.get("type") in CALLS:
        return {"id": f"fc_{item['call_id']}", "status": "completed", **item}
    if item.get("type"):
        return item
    text = {"type": "output_text", "text": item["content"], "annotations": []}
    about = {"type": "message", "role": "assistant", "status": "completed"}
    return {"id": f"msg_{place}", **about, "content": [text]}


def _item_events(index: int, item: dict[str, Json]) -> list[dict[str, Json]]:
    """An item as it appears, grows and is done."""
    at: dict[str, Json] = {"output_index": index}
    empty, out = dict(item), list[dict[str, Json]]()
    if item["type"] == "message":
        empty["content"] = []
        for place, part in enumerate(item["content"]):
            out += _part_events({**at, "item_id": item.get("id"), "content_index": place}, part)
    elif item["type"] == "function_call":
        empty["arguments"] = ""
        about, text = {**at, "item_id": item.get("id")}, item["arguments"]
        kind = "response.function_call_arguments"
        out.append({"type": f"{kind}.delta", **about, "delta": text})
        done = {**about, "arguments": text, "name": item["name"]}
        out.append({"type": f"{kind}.done", **done})
    opening = {"type": "response.output_item.added", **at, "item": empty}
    return [opening, *out, {"type": "response.output_item.done", **at, "item": item}]


def _part_events(at: dict[str, Json], part: dict[str, Json]) -> list[dict[str, Json]]:
    if part["type"] != "output_text":
        return [
            {"type": "response.content_part.added", **at, "part": part},
            {"type": "response.content_part.done", **at, "part": part},
        ]
    text = part["text"]
    return [
        {"type": "response.content_part.added", **at, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **at, "delta": text, "logprobs": []},
        {"type": "response.output_text.done", **at, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **at, "part": part},
    ]


WIRE = Responses()
