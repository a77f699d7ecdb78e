"""The levers of one session, around the calls of an agent that runs elsewhere."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from msgspec.structs import replace

from leanloop.core.configuration import Configuration
from leanloop.core.message import (
    AssistantMessage,
    Json,
    Message,
    Request,
    Response,
    ToolCall,
    ToolMessage,
    UserMessage,
    with_messages,
)
from leanloop.core.run import ModelCall, Step, ToolUse
from leanloop.core.task import Split, Task
from leanloop.gateway.protocol import Wire, WireRequest
from leanloop.levers.protocol import GO, Answer, Lever, RunContext, Stop, Verdict
from leanloop.loop.agent import LAST_STEP
from leanloop.loop.pipeline import Pipeline, build_pipeline
from leanloop.traces.repeated_calls import READS
from leanloop.traces.trace import ACT

MOST_INNER = 20
"""Queries that are answered within one call of the client before it gets what there is."""


class StoppedError(Exception):
    """A lever ended the session; its argument is which."""


@dataclass(frozen=True)
class Answered:
    """An answer from upstream.

    Args:
        body: As it came.
        response: What it says.
        call: What it used.
    """

    body: Json
    response: Response
    call: ModelCall


class Send(Protocol):
    """Sends a body upstream and meters it; raises when there is no answer with a message."""

    def __call__(self, body: dict[str, Json], sent: Request, purpose: str) -> Awaitable[Answered]:
        """Send a body that asks for no stream.

        Args:
            body: What is sent.
            sent: What it was written from.
            purpose: ``act``, or the lever that asks.
        """


@dataclass
class _Inner:
    """What was said within one call of the client, which it never saw."""

    before: tuple[Message, ...]
    """Whole rounds that came before the message that the client has."""
    whole: AssistantMessage | None = None
    """The message that the client has a part of; None when it has all of it."""
    results: tuple[ToolMessage, ...] = ()
    """Results of the calls that it did not see."""


@dataclass
class Steering:
    """Passes each call of a session through its levers.

    The client sends its whole conversation with every call, and runs its tools itself.
    Calls of tools that a lever brought are answered here, and what was said meanwhile is
    put back into the conversation of later calls, since the client does not have it. What
    the levers keep to decide on (steps, results, seconds) is told by what the client sends
    that it did not send before.

    Args:
        wire: The API.
        configuration: The levers that are on.
        levers: Every lever, in pipeline order.
        price: Dollars of a call; None when unknown.
    """

    wire: Wire
    configuration: Configuration
    levers: Mapping[str, Lever]
    price: Callable[[ModelCall], Decimal | None]
    _pipeline: Pipeline | None = None
    _whole: bool = False
    _inner: dict[str, list[_Inner]] = field(default_factory=dict)
    _asked: dict[str, ToolCall] = field(default_factory=dict)
    _asked_at: float = 0.0
    _calls: list[ModelCall] = field(default_factory=list)
    _uses: list[ToolUse] = field(default_factory=list)
    _text: str = ""
    _verdict: Verdict = GO
    _request: Request | None = None
    _read: WireRequest | None = None
    _send: Send | None = None
    _bodies: dict[int, Answered] = field(default_factory=dict)

    @property
    def needs_answers_whole(self) -> bool:
        """Whether answers must be here as a whole before the client gets any of them."""
        return self._whole

    async def before(self, read: WireRequest, session_id: str, send: Send) -> Request:
        """The request that is to be sent in place of the client's.

        Args:
            read: The client's.
            session_id: Of the session.
            send: Sends what levers ask.

        Raises:
            StoppedError: A lever has ended the session.
        """
        self._read, self._send = read, send
        self._bodies.clear()
        request = self._expanded(read.request)
        if self._pipeline is None:
            self._pipeline = self._build(request, session_id)
        self._heard_results(read.request)
        if isinstance(self._verdict, Stop):
            raise StoppedError(self._verdict.reason)
        self._request = self._bounded(request)
        return await self._pipeline.on_request(self._request)

    def after(self, answered: Answered) -> None:
        """Note an answer that the client got as it came."""
        self._calls.append(answered.call)
        self._ask(answered.response.message)

    async def answer(self, sent: Request, answered: Answered) -> Json:
        """The body that the client gets, after all that its levers do with an answer.

        Args:
            sent: What the answer is to.
            answered: The answer.
        """
        assert self._pipeline is not None
        assert self._request is not None
        self._bodies[id(answered.response.message)] = answered
        self._calls.append(answered.call)
        before: tuple[Message, ...] = ()
        for round_ in range(MOST_INNER + 1):
            response = await self._pipeline.on_response(sent, answered.response)
            message = response.message
            body = self._body_of(message, answered)
            results = await self._answer_own(message)
            if not results:
                break
            inner = {r.call_id for r in results}
            outer = [c for c in message.tool_calls if c.call_id not in inner]
            if outer or round_ == MOST_INNER:
                body = self.wire.without_calls(body, inner)
                shown = replace(message, tool_calls=tuple(outer))
                self._remember(shown, _Inner(before, message, results))
                self._ask(shown)
                return body
            before += (message, *results)
            sent, answered = await self._go_on(before, message)
        if before:
            self._remember(message, _Inner(before))
        self._ask(message)
        return body

    async def _go_on(
        self, before: tuple[Message, ...], said: AssistantMessage
    ) -> tuple[Request, Answered]:
        """Ask again with the results of calls that were answered here."""
        assert self._pipeline is not None
        assert self._request is not None
        assert self._read is not None
        assert self._send is not None
        self._text = said.text
        self._verdict = self._pipeline.after_step(self._step())
        going_on = with_messages(self._request, (*self._request.messages, *before))
        sent = await self._pipeline.on_request(self._bounded(going_on))
        answered = await self._send(self.wire.plain(self._read.write(sent)), sent, ACT)
        self._calls.append(answered.call)
        self._bodies[id(answered.response.message)] = answered
        return sent, answered

    async def _answer_own(self, message: AssistantMessage) -> tuple[ToolMessage, ...]:
        """Results of the calls that levers answer."""
        assert self._pipeline is not None
        results = []
        for call in message.tool_calls:
            outcome, by = await self._pipeline.on_tool_call(call)
            if isinstance(outcome, ToolMessage):
                results.append(outcome)
                arguments = json.dumps(call.arguments, ensure_ascii=False)
                use = ToolUse(call.name, arguments, 0.0, by, outcome.is_error, outcome.text)
                self._uses.append(use)
        return tuple(results)

    def _body_of(self, message: AssistantMessage, answered: Answered) -> Json:
        found = self._bodies.get(id(message))
        if found is not None:
            return found.body
        return self.wire.with_message(answered.body, message)

    def _bounded(self, request: Request) -> Request:
        """The request, without calls where a lever asks for the answer."""
        if isinstance(self._verdict, Answer | Stop) and request.tools_allowed:
            asked = (*request.messages, UserMessage(LAST_STEP))
            return replace(request, messages=asked, tools_allowed=False)
        return request

    def _build(self, request: Request, session_id: str) -> Pipeline:
        first = next((m.text for m in request.messages if isinstance(m, UserMessage)), "")
        tools = tuple(replace(t, read_only=bool(READS.match(t.name))) for t in request.tools)
        context = RunContext(
            task=Task(session_id, first, Split.SEARCH),
            tools=tools,
            examples=(),
            model=request.model,
            complete=self._complete,
            price=self.price,
        )
        pipeline = build_pipeline(self.configuration, context, self.levers)
        stages = [lever for name, lever in self.levers.items() if name in self.configuration]
        self._whole = any(_waits(lever.card.acts_on) for lever in stages)
        return pipeline

    async def _complete(self, request: Request, purpose: str) -> Response:
        assert self._read is not None
        assert self._send is not None
        body = self.wire.plain(self._read.write(request))
        if not request.tools:
            body = {k: v for k, v in body.items() if k not in {"response_format", "text"}}
        answered = await self._send(body, request, purpose)
        self._calls.append(answered.call)
        self._bodies[id(answered.response.message)] = answered
        return answered.response

    def _heard_results(self, request: Request) -> None:
        """The step that ends with results of the client's tools; without any the user spoke."""
        assert self._pipeline is not None
        results = _newest_results(request.messages)
        waited = max(time.perf_counter() - self._asked_at, 0.0)
        heard = [(self._asked.pop(r.call_id), r) for r in results if r.call_id in self._asked]
        if not heard and request.messages and isinstance(request.messages[-1], UserMessage):
            self._verdict = GO
        if not heard and not self._calls:
            return
        for call, result in heard:
            arguments = json.dumps(call.arguments, ensure_ascii=False)
            use = ToolUse(call.name, arguments, waited, "tool", result.is_error, result.text)
            self._uses.append(use)
        had_uses = bool(self._uses)
        step = self._step()
        self._asked.clear()
        self._verdict = self._pipeline.after_step(step) if had_uses else GO

    def _step(self) -> Step:
        step = Step(tuple(self._calls), tuple(self._uses), self._text)
        self._calls, self._uses, self._text = [], [], ""
        return step

    def _ask(self, message: AssistantMessage) -> None:
        self._asked = {c.call_id: c for c in message.tool_calls}
        self._asked_at, self._text = time.perf_counter(), message.text

    def _remember(self, shown: AssistantMessage, inner: _Inner) -> None:
        self._inner.setdefault(_key(shown), []).append(inner)

    def _expanded(self, request: Request) -> Request:
        """The client's request with what was said here and it never saw."""
        if not self._inner:
            return request
        left = {key: list(inner) for key, inner in self._inner.items()}
        messages: list[Message] = []
        for message in request.messages:
            inner = None
            if isinstance(message, AssistantMessage):
                waiting = left.get(_key(message))
                inner = waiting.pop(0) if waiting else None
            if inner is None:
                messages.append(message)
                continue
            messages += [*inner.before, inner.whole or message, *inner.results]
        return with_messages(request, messages)


def _waits(acts_on: Sequence[str]) -> bool:
    return "response" in acts_on or "tool call" in acts_on


def _newest_results(messages: Sequence[Message]) -> list[ToolMessage]:
    """Results behind the last message of the model."""
    found: list[ToolMessage] = []
    for message in reversed(messages):
        if isinstance(message, AssistantMessage):
            break
        if isinstance(message, ToolMessage):
            found.append(message)
    return found[::-1]


def _key(message: AssistantMessage) -> str:
    ids = " ".join(c.call_id for c in message.tool_calls)
    return f"calls {ids}" if ids else f"text {message.text}"
