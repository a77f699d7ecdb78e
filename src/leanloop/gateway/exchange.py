"""One call of a client: up, and its answer back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
import msgspec
from aiohttp import web
from multidict import CIMultiDict

from leanloop.core.errors import LeanloopError
from leanloop.core.message import Json, Request, Response
from leanloop.core.run import ModelCall
from leanloop.gateway.conversation import NOTHING, Change
from leanloop.gateway.event_stream import EventStream
from leanloop.gateway.meter import Heard, Recorder, Timing
from leanloop.gateway.protocol import Peeked, Reply, Wire, WireRequest
from leanloop.gateway.session import Matched, Session
from leanloop.gateway.steering import Answered, Steering, StoppedError
from leanloop.gateway.upstream import (
    Target,
    UnreachableError,
    Upstream,
    answer_headers,
    request_headers,
    unpacked,
)
from leanloop.traces.trace import ACT

STREAM = "text/event-stream"
GONE = 499
"""The status that is written down where the client went away (as nginx does)."""
CUT = (aiohttp.ClientError, ConnectionError, TimeoutError)


class AnswerError(Exception):
    """Upstream answered with an error; the client gets it as it is.

    Args:
        status: The HTTP status.
        headers: As they go back.
        body: As it came.
    """

    def __init__(self, status: int, headers: CIMultiDict[str], body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers
        self.body = body


@dataclass(frozen=True)
class Call:
    """A call as it came.

    Args:
        http: The request.
        wire: Its API.
        raw: Its body.
        plain: The same, unpacked.
        peeked: What is seen of the body.
        session: Whose it is.
        matched: What of it is new.
        success: What the client says of the session so far.
    """

    http: web.BaseRequest
    wire: Wire
    raw: bytes
    plain: bytes
    peeked: Peeked
    session: Session
    matched: Matched
    success: float | None = None


@dataclass
class Exchange:
    """Carries one call out.

    Args:
        call: The call.
        upstream: What sends it.
        meter: What writes it down.
        target: Where calls of a model go.
        priced: Is told of each call that was written down.
        troubled: Is told what went wrong here.
    """

    call: Call
    upstream: Upstream
    meter: Recorder
    target: Callable[[str], Target]
    priced: Callable[[ModelCall], None] = lambda _: None
    troubled: Callable[[str], None] = lambda _: None
    _steering: Steering | None = None
    _change: Change | None = None
    _timing: Timing = field(default_factory=Timing)
    _model: str = ""
    _metered: bool = False

    async def relay(self) -> web.StreamResponse:
        """Pass the call on, and its answer back, byte for byte."""
        self._model = self.call.peeked.model
        target = self.target(self._model)
        if target.model is None:
            return await self._relay(self.call.raw, target)
        return await self._relay(_renamed(self.call.plain, target.model), target)

    async def steered(self, steering: Steering) -> web.StreamResponse:
        """Pass the call through its session's levers."""
        call = self.call
        try:
            body = msgspec.json.decode(call.plain)
            read = call.wire.read(body)
        except (LeanloopError, msgspec.DecodeError, RecursionError):
            return await self.relay()  # the endpoint says best what is wrong with it
        try:
            made = await self._made(steering, read)
            if made is None:
                return await self.relay()
            sent, written = made
            if not steering.needs_answers_whole:
                self._steering = steering
                return await self._relay_edited(body, written, sent)
            answered = await self._ask(call.wire.plain(written), sent, ACT)
            told = await steering.answer(sent, answered)
            # By what the client has, not by what was said in between, is it known again.
            call.session.said = call.wire.reply(told).message
        except AnswerError as error:
            return web.Response(status=error.status, headers=error.headers, body=error.body)
        except StoppedError as stop:
            text = f"{stop} has ended this session: start a new one, or say something new in it"
            return refused(call.wire, 400, "stopped", text)
        return await self._tell(told, body)

    async def _made(
        self, steering: Steering, read: WireRequest
    ) -> tuple[Request, dict[str, Json]] | None:
        """What levers make of the call; None where one fails, which must not fail the call."""
        try:
            sent = await steering.before(read, self.call.session.session_id, self._ask)
            return sent, read.write(sent)
        except (AnswerError, StoppedError, UnreachableError):
            raise
        except Exception as error:
            kind = type(error).__name__  # its text may hold what was said
            self.troubled(f"a lever failed on a call ({kind}), which passed as it was")
            self._timing, self._metered, self._change = Timing(), False, None
            return None

    # As it comes.

    async def _relay_edited(
        self, body: dict[str, Json], written: dict[str, Json], sent: Request
    ) -> web.StreamResponse:
        self._model = sent.model
        target = self.target(sent.model)
        raw = self.call.raw
        if written is not body or target.model is not None:
            renamed = {} if target.model is None else {"model": target.model}
            raw = msgspec.json.encode({**written, **renamed})
        self._change = self._with_tools(self._whole(sent))
        return await self._relay(raw, target)

    async def _relay(self, raw: bytes, target: Target) -> web.StreamResponse:
        http = self.call.http
        headers = request_headers(http.headers, target.key)
        if raw is not self.call.raw:
            headers.pop("content-encoding", None)
        sending = asyncio.ensure_future(
            self.upstream.send(http.method, http.path_qs, headers, raw, target)
        )
        try:
            await asyncio.sleep(0)  # what it changes is reckoned while upstream works
            if self._change is None:
                self._change = self._with_tools(self._new_parts())
            upstream = await sending
        except (UnreachableError, asyncio.CancelledError) as error:
            sending.cancel()
            self._failed(error)
            raise
        try:
            return await self._answer_back(upstream)
        except asyncio.CancelledError as error:
            self._failed(error)
            raise
        finally:
            # A connection with bytes on their way cannot be used again.
            upstream.release() if upstream.content.at_eof() else upstream.close()

    async def _answer_back(self, upstream: aiohttp.ClientResponse) -> web.StreamResponse:
        headers = answer_headers(upstream.headers)
        headers["x-leanloop-session"] = self.call.session.session_id
        if upstream.headers.get("content-type", "").startswith(STREAM):
            return await self._stream_back(upstream, headers)
        try:
            body = await upstream.read()
        except CUT as error:
            self._failed(error)
            raise UnreachableError(f"the answer was cut off ({type(error).__name__})") from None
        self._timing.first_byte()
        encoding = upstream.headers.get("content-encoding", "").lower()
        wrong = "" if upstream.status < 400 else f"HTTP {upstream.status}"
        self._record(self._reply(unpacked(body, encoding)), upstream.status, error=wrong)
        return web.Response(
            status=upstream.status, reason=upstream.reason, headers=headers, body=body
        )

    async def _stream_back(
        self, upstream: aiohttp.ClientResponse, headers: CIMultiDict[str]
    ) -> web.StreamResponse:
        http, wire, status = self.call.http, self.call.wire, upstream.status
        answer = web.StreamResponse(status=status, reason=upstream.reason, headers=headers)
        events, joiner = EventStream(), wire.joiner()
        try:
            await answer.prepare(http)
            async for piece in upstream.content.iter_any():
                self._timing.first_byte()
                for name, data in events.feed(piece):
                    joiner.feed(name, data)
                if joiner.finished and not self._metered:
                    # Before the client can know that the call is over.
                    self._record(wire.reply(joiner.body), status)
                await answer.write(piece)
        except Exception as error:  # whatever it is, the client has a part of the answer already
            if not self._metered:
                self._record(wire.reply(joiner.body), status, error=_cut(error))
            # The client must not take what it has for the whole.
            if http.transport is not None:
                http.transport.abort()
            return answer
        if not self._metered:
            self._record(wire.reply(joiner.body), status, error="the stream has no end")
        await answer.write_eof()
        return answer

    # As a whole.

    async def _ask(self, body: dict[str, Json], sent: Request, purpose: str) -> Answered:
        """Send a body that asks for no stream, and read its answer."""
        call = self.call
        target = self.target(sent.model)
        renamed = {} if target.model is None else {"model": target.model}
        raw = msgspec.json.encode({**body, **renamed})
        self._timing, self._metered, self._model = Timing(), False, sent.model
        self._change = self._with_tools(self._whole(sent)) if purpose == ACT else NOTHING
        headers = request_headers(call.http.headers, target.key)
        headers["content-type"] = "application/json"
        headers.pop("content-encoding", None)
        try:
            upstream = await self.upstream.send("POST", call.http.path_qs, headers, raw, target)
            async with upstream:
                answer = await upstream.read()
        except (UnreachableError, asyncio.CancelledError) as error:
            self._failed(error, purpose)
            raise
        except CUT as error:
            self._failed(error, purpose)
            raise UnreachableError(f"the answer was cut off ({type(error).__name__})") from None
        self._timing.first_byte()
        plain = unpacked(answer, upstream.headers.get("content-encoding", "").lower())
        reply, status = self._reply(plain), upstream.status
        wrong = "" if status < 400 else f"HTTP {status}"
        made = self._record(reply, status, purpose, wrong)
        if reply.message is None:
            headers = answer_headers(upstream.headers)
            headers["x-leanloop-session"] = call.session.session_id
            raise AnswerError(status, headers, answer)
        response = Response(
            reply.message, made.tokens, made.latency_s, reply.truncated, made.model_ref
        )
        return Answered(msgspec.json.decode(plain), response, made)

    async def _tell(self, body: Json, asked: dict[str, Json]) -> web.StreamResponse:
        """Give the client an answer that is here as a whole, in the way in which it asked."""
        headers = {"x-leanloop-session": self.call.session.session_id}
        if not self.call.peeked.stream:
            return web.Response(
                body=msgspec.json.encode(body), content_type="application/json", headers=headers
            )
        options = asked.get("stream_options")
        usage = isinstance(options, dict) and bool(options.get("include_usage"))
        data = b"".join(self.call.wire.events(body, usage=usage))
        return web.Response(body=data, content_type=STREAM, headers=headers)

    # What is written down.

    def _reply(self, body: bytes) -> Reply:
        try:
            return self.call.wire.reply(msgspec.json.decode(body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Reply()

    def _record(self, reply: Reply, status: int, purpose: str = ACT, error: str = "") -> ModelCall:
        self._metered = True
        change = self._change or NOTHING
        call = self.call
        heard = Heard(
            call.session,
            self._model,
            self._timing,
            change,
            reply,
            status,
            purpose,
            error,
            call.success,
        )
        made = self.meter.record(heard)
        self.priced(made)
        if self._steering is not None and reply.message is not None:
            response = Response(
                reply.message, made.tokens, made.latency_s, reply.truncated, made.model_ref
            )
            self._steering.after(Answered(None, response, made))
        return made

    def _failed(self, error: BaseException, purpose: str = ACT) -> None:
        if self._metered:
            return
        if isinstance(error, asyncio.CancelledError):
            self._record(Reply(), GONE, purpose, "the client went away")
        else:
            self._record(Reply(), 502, purpose, _cut(error))

    def _new_parts(self) -> Change:
        """What the request changes in the conversation, from its new parts alone."""
        session, matched, peeked = self.call.session, self.call.matched, self.call.peeked
        same_head = matched.system == session.system and len(session.conversation) > 0
        known = matched.known if same_head else 0
        session.system = matched.system
        try:
            messages = self.call.wire.messages(peeked.items[known:], b"" if known else peeked.head)
        except Exception:  # whatever a client sent; the endpoint says what is wrong with it
            return NOTHING
        if known:
            return session.conversation.behind(messages)
        return session.conversation.whole(messages)

    def _whole(self, sent: Request) -> Change:
        self.call.session.system = self.call.matched.system
        return self.call.session.conversation.whole(sent.messages)

    def _with_tools(self, change: Change) -> Change:
        session, tools = self.call.session, self.call.peeked.tools
        if hash(tools) == session.tools:
            return change
        session.tools = hash(tools)
        try:
            shown = self.call.wire.tools(tools) if tools else ()
        except Exception:  # as above
            return change
        return Change(change.kept, change.added, change.results, shown)


def refused(wire: Wire | None, status: int, kind: str, text: str) -> web.Response:
    """An error of the gateway's own, as the API's clients understand it.

    Args:
        wire: The API; None for a request that is no call.
        status: The HTTP status.
        kind: As ``Wire.error`` has it.
        text: What is wrong and what can be done.
    """
    body = {"error": {"message": f"leanloop: {text}", "type": kind}}
    if wire is not None:
        body = wire.error(status, kind, f"leanloop: {text}")
    # Trying again would change nothing; both SDKs read this header.
    headers = {"x-should-retry": "false"} if status < 500 else {}
    return web.Response(
        status=status,
        body=msgspec.json.encode(body),
        content_type="application/json",
        headers=headers,
    )


def _renamed(raw: bytes, model: str) -> bytes:
    return msgspec.json.encode({**msgspec.json.decode(raw), "model": model})


def _cut(error: BaseException) -> str:
    known = isinstance(error, UnreachableError)
    return f"upstream: {error if known else type(error).__name__}"
