"""Every wire passes the conformance class, and streams are cut where they end."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from leanloop.gateway.builtin import BUILT_IN, wire_of
from leanloop.gateway.event_stream import EventStream
from tests.gateway.conformance import WireConformance

SCHEMA: Any = {"type": "object", "properties": {"id": {"type": "integer"}}}


class TestChatCompletions(WireConformance):
    wire = BUILT_IN["chat-completions"]
    words = (
        "messages", "role", "content", "tool_calls", "id", "function", "name", "arguments",
        "choices", "message", "delta", "index", "usage", "prompt_tokens", "tools", "type",
    )  # fmt: skip
    body: dict[str, Any] = {
        "messages": [
            {"role": "system", "content": "be good"},
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "look", "arguments": "{}"},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "here"},
        ],
        "tools": [{"type": "function", "function": {"name": "look", "parameters": SCHEMA}}],
    }


class TestResponses(WireConformance):
    wire = BUILT_IN["responses"]
    words = (
        "input", "role", "content", "type", "call_id", "name", "arguments", "output",
        "response", "usage", "input_tokens", "tools", "instructions", "function_call",
    )  # fmt: skip
    body: dict[str, Any] = {
        "instructions": "be good",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
            {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "here"},
        ],
        "tools": [{"type": "function", "name": "look", "parameters": SCHEMA}],
    }


class TestMessages(WireConformance):
    wire = BUILT_IN["messages"]
    words = (
        "messages", "role", "content", "type", "id", "name", "input", "tool_use", "text",
        "tool_use_id", "usage", "input_tokens", "tools", "system", "index", "delta",
    )  # fmt: skip
    body: dict[str, Any] = {
        "max_tokens": 9,
        "system": [{"type": "text", "text": "be good"}],
        "messages": [
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "tool_use", "id": "c1", "name": "look", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "here"}],
            },
        ],
        "tools": [{"name": "look", "input_schema": SCHEMA}],
    }


def test_every_wire_has_a_test() -> None:
    tested = {c.wire.name for c in (TestChatCompletions, TestResponses, TestMessages)}
    assert tested == set(BUILT_IN)


def test_paths() -> None:
    def name(method: str, path: str) -> str | None:
        wire = wire_of(method, path)
        return None if wire is None else wire.name

    assert name("POST", "/v1/chat/completions") == "chat-completions"
    assert name("POST", "/openai/v1/responses") == "responses"
    assert name("POST", "/v1/messages") == "messages"
    assert name("POST", "/v1/messages/count_tokens") is None
    assert name("GET", "/v1/responses") is None


KNOWN = {
    "data: 1": ("", b"1"),
    "data: 2\ndata: 3": ("", b"2\n3"),
    "event: e\ndata:4": ("e", b"4"),
}


@given(
    pieces=st.lists(st.sampled_from([*KNOWN, ": c", "id: 7"])),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    cuts=st.lists(st.integers(0, 200)),
)
def test_events_are_the_same_however_they_are_cut(
    pieces: list[str], end: str, cuts: list[int]
) -> None:
    data = "".join(p.replace("\n", end) + 2 * end for p in pieces).encode()
    whole = list(EventStream().feed(data))
    stream, found = EventStream(), list[tuple[str, bytes]]()
    for start, stop in pairwise(sorted({0, len(data), *(min(c, len(data)) for c in cuts)})):
        found += stream.feed(data[start:stop])
    assert found == whole
    assert whole == [KNOWN[p] for p in pieces if p in KNOWN]
