"""An upstream that speaks all three APIs, streamed and not, and misbehaves on request."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from leanloop.core.message import AssistantMessage, Response, ToolCall
from leanloop.core.tokens import Tokens
from leanloop.gateway.builtin import wire_of
from leanloop.gateway.model_server import answer_body
from leanloop.gateway.serving import listening

Saying = AssistantMessage | Callable[[Any], AssistantMessage]
TOKENS = Tokens(20, 5, 0, 0, 7, 0)


@dataclass(frozen=True)
class Fault:
    """Something other than an answer.

    Args:
        status: HTTP status, with a body of the provider's form.
        body: As it is sent.
        headers: Besides.
        cut_after: Bytes of a streamed answer after which the connection breaks.
        delay_s: Seconds to wait before the answer, or between a stream's pieces.
        garbage: Put between the events of a stream.
    """

    status: int = 200
    body: bytes = b'{"error":{"message":"no","type":"t","code":"c"}}'
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    delay_s: float = 0.0
    garbage: bytes = b""
    drop: bool = False


@dataclass(frozen=True)
class Sent:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


def text(said: str) -> AssistantMessage:
    return AssistantMessage(said)


def calls(*made: tuple[str, str, dict[str, Any]]) -> AssistantMessage:
    return AssistantMessage("", tuple(ToolCall(*c) for c in made))


class Upstream:
    """Answers by the script while it lasts, then repeats what it heard last."""

    def __init__(self) -> None:
        self.script: deque[Saying | Fault] = deque()
        self.requests: list[Sent] = []
        self.cancelled = 0
        self.url = ""

    def say(self, *replies: Saying | Fault) -> None:
        self.script.extend(replies)

    @property
    def bodies(self) -> list[Any]:
        return [s.body for s in self.requests]

    async def handle(self, http: web.BaseRequest) -> web.StreamResponse:
        raw = await http.read()
        headers = {k.lower(): v for k, v in http.headers.items()}
        self.requests.append(Sent(http.method, http.path_qs, headers, raw))
        raw = gzip.decompress(raw) if headers.get("content-encoding") == "gzip" else raw
        try:
            return await self._answer(http, raw)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def _answer(self, http: web.BaseRequest, raw: bytes) -> web.StreamResponse:
        reply = self.script.popleft() if self.script else None
        if isinstance(reply, Fault):
            if reply.drop:
                assert http.transport is not None
                http.transport.abort()
                return web.Response()
            if reply.status != 200 or not (reply.delay_s or reply.cut_after or reply.garbage):
                await asyncio.sleep(reply.delay_s)
                headers = {"content-type": "application/json", **reply.headers}
                return web.Response(status=reply.status, body=reply.body, headers=headers)
        wire = wire_of(http.method, http.path)
        if wire is None:
            body = {"path": http.path_qs, "method": http.method, "input_tokens": 3}
            return web.json_response(body, headers={"x-request-id": "r-1"})
        asked = msgspec.json.decode(raw)
        if not isinstance(asked, dict):
            return web.Response(status=400, body=Fault.body, content_type="application/json")
        body = self._body(wire, asked, reply)
        if not asked.get("stream"):
            if isinstance(reply, Fault):
                await asyncio.sleep(reply.delay_s)
            return web.json_response(body, headers={"x-request-id": "r-1"})
        options = asked.get("stream_options")
        usage = isinstance(options, dict) and bool(options.get("include_usage"))
        events = wire.events(body, usage=usage)
        return await self._stream(http, events, reply if isinstance(reply, Fault) else Fault())

    def _body(self, wire: Any, asked: Any, reply: Any) -> Any:
        said: Any = None if isinstance(reply, Fault) else reply
        if callable(said):
            said = said(asked)
        if said is None:
            try:
                messages = wire.read(asked).request.messages
            except Exception:  # what no provider would take
                messages = ()
            said = AssistantMessage(f"I heard: {messages[-1].text}" if messages else "nothing")
        made = answer_body(wire, Response(said, TOKENS, 0.1), str(asked.get("model") or ""))
        if wire.name == "messages" and isinstance(asked.get("thinking"), dict):
            block = {"type": "thinking", "thinking": "hm", "signature": "sig-1"}
            made["content"] = [block, *made["content"]]
        return made

    async def _stream(
        self, http: web.BaseRequest, events: list[bytes], fault: Fault
    ) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(http)
        sent = 0
        for event in events:
            if fault.delay_s:
                await asyncio.sleep(fault.delay_s)
            if fault.garbage:
                await answer.write(fault.garbage)
            if fault.cut_after is not None and sent + len(event) > fault.cut_after:
                await answer.write(event[: fault.cut_after - sent])
                assert http.transport is not None
                http.transport.abort()
                return answer
            await answer.write(event)
            sent += len(event)
        await answer.write_eof()
        return answer


@asynccontextmanager
async def upstream() -> AsyncIterator[Upstream]:
    made = Upstream()
    server = web.Server(
        made.handle, handler_cancellation=True, access_log=None, auto_decompress=False
    )
    async with listening(server, drain_s=0.1) as made.url:
        yield made
