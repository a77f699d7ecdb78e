"""What every wire must do."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leanloop.core.errors import BadInputError
from leanloop.core.message import AssistantMessage, Response, ToolCall
from leanloop.core.tokens import Tokens
from leanloop.gateway.event_stream import EventStream
from leanloop.gateway.model_server import answer_body
from leanloop.gateway.protocol import Wire

# One class runs the same test for several wires; none of them keeps anything between examples.
SHARED = [HealthCheck.differing_executors]
FEW = settings(max_examples=60, deadline=None, suppress_health_check=SHARED)
scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False)
TOKENS = Tokens(20, 5, 0, 0, 7, 0)
CALL = ToolCall("c1", "look", {"id": 3, "größe": "ü"})
OTHER = ToolCall("c2", "look", {})
SAID = {
    "text": AssistantMessage("It is here. ü"),
    "calls": AssistantMessage("", (CALL, OTHER)),
    "both": AssistantMessage("I look.", (CALL,)),
}
json_values = st.recursive(
    scalars | st.text(max_size=8),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=8), v, max_size=3),
    max_leaves=8,
)


class WireConformance:
    """Subclasses give ``wire``, a ``body`` with every kind of part, and words of its API."""

    wire: Wire
    body: dict[str, Any]
    words: tuple[str, ...] = ()

    def made(self, said: AssistantMessage) -> Any:
        return answer_body(self.wire, Response(said, TOKENS, 0.1), "p:m")

    def said(self, body: Any) -> tuple[str, tuple[ToolCall, ...]]:
        message = self.wire.reply(body).message
        assert message is not None
        return message.text, message.tool_calls

    def test_a_body_is_seen_as_it_is_read(self) -> None:
        raw = json.dumps({**self.body, "model": "m", "stream": True}).encode()
        peeked = self.wire.peek(raw)
        assert (peeked.model, peeked.stream, len(peeked.roles)) == ("m", True, len(peeked.items))
        read = self.wire.read(json.loads(raw)).request
        assert self.wire.messages(peeked.items, peeked.head) == read.messages
        assert self.wire.tools(peeked.tools) == read.tools
        assert "assistant" in peeked.roles

    def test_a_part_of_a_conversation_is_read_by_itself(self) -> None:
        peeked = self.wire.peek(json.dumps(self.body).encode())
        whole = self.wire.messages(peeked.items)
        first = peeked.roles.index("assistant")
        head = self.wire.messages(peeked.items[:first])
        tail = self.wire.messages(peeked.items[first:])
        assert head + tail == whole

    @pytest.mark.parametrize("kind", SAID)
    def test_an_answer_says_what_was_said(self, kind: str) -> None:
        reply = self.wire.reply(self.made(SAID[kind]))
        assert reply.message is not None
        assert (reply.message.text, reply.message.tool_calls) == (
            SAID[kind].text,
            SAID[kind].tool_calls,
        )
        assert (reply.tokens, reply.model, reply.truncated) == (TOKENS, "p:m", False)

    @pytest.mark.parametrize("kind", SAID)
    @pytest.mark.parametrize("step", [1, 7, 10_000])
    def test_a_stream_joins_to_the_answer(self, kind: str, step: int) -> None:
        body = self.made(SAID[kind])
        data = b"".join(self.wire.events(body, usage=True))
        stream, joiner = EventStream(), self.wire.joiner()
        for at in range(0, len(data), step):
            for name, event in stream.feed(data[at : at + step]):
                assert not joiner.finished
                joiner.feed(name, event)
        assert joiner.finished
        assert self.said(joiner.body) == self.said(body)
        assert self.wire.reply(joiner.body).tokens == TOKENS

    def test_calls_can_be_taken_out(self) -> None:
        body = self.made(SAID["calls"])
        before = json.dumps(body)
        assert self.said(self.wire.without_calls(body, {"c1"}))[1] == (OTHER,)
        assert self.said(self.wire.without_calls(body, {"c1", "c2"}))[1] == ()
        assert json.dumps(body) == before

    def test_an_answer_can_say_something_else(self) -> None:
        body = self.made(SAID["text"])
        for other in SAID.values():
            told = self.wire.with_message(body, other)
            assert self.said(told) == (other.text, other.tool_calls)
            assert b"".join(self.wire.events(told, usage=False))

    def test_a_body_without_a_stream(self) -> None:
        plain = self.wire.plain({**self.body, "stream": True})
        assert plain == self.body

    @pytest.mark.parametrize("kind", ["budget", "access", "upstream", "request", "stopped"])
    def test_errors_have_a_type_and_a_text(self, kind: str) -> None:
        error = self.wire.error(400, kind, "what is wrong")["error"]
        assert error["message"] == "what is wrong"
        assert error["type"]

    @pytest.mark.parametrize(
        "raw", [b"", b"[]", b"null", b"7", b"{", b"\xff", b'{"messages": 3, "input": 3}']
    )
    def test_what_is_no_body_is_said(self, raw: bytes) -> None:
        with pytest.raises(BadInputError):
            self.wire.peek(raw)

    @FEW
    @given(data=st.data())
    def test_no_body_breaks_it(self, data: st.DataObject) -> None:
        keys = st.sampled_from(self.words) | st.text(max_size=5)
        inner = st.recursive(
            json_values,
            lambda v: st.lists(v, max_size=3) | st.dictionaries(keys, v, max_size=4),
            max_leaves=12,
        )
        body = data.draw(st.dictionaries(keys, inner, max_size=6))
        raw = msgspec.json.encode(body)
        self.wire.reply(body)
        joiner = self.wire.joiner()
        joiner.feed("message_start", raw)
        joiner.feed(data.draw(keys), msgspec.json.encode(data.draw(inner)))
        self.wire.reply(joiner.body)
        try:
            peeked = self.wire.peek(raw)
            self.wire.read(body)
        except BadInputError:
            return
        assert len(peeked.items) == len(peeked.roles)

    @FEW
    @given(raw=st.binary(max_size=60), cut=st.integers(0, 60))
    def test_no_bytes_break_it(self, raw: bytes, cut: int) -> None:
        joiner = self.wire.joiner()
        stream = EventStream()
        for piece in (raw[:cut], raw[cut:], b"\n\n"):
            for name, event in stream.feed(piece):
                joiner.feed(name, event)
        try:
            self.wire.peek(raw)
        except BadInputError:
            return
