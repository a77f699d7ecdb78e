"""What every model must do, whoever answers behind it."""

from __future__ import annotations

import asyncio
import re
import time

from leanloop.core.message import (
    Request,
    SystemMessage,
    ToolMessage,
    ToolSpec,
    UserMessage,
    with_messages,
)
from leanloop.models.protocol import Model

GET_ORDER = ToolSpec(
    "get_order",
    "An order's record, with its status.",
    {
        "type": "object",
        "properties": {"order_id": {"type": "string"}},
        "required": ["order_id"],
    },
    read_only=True,
)
SYSTEM = SystemMessage("You answer questions about orders. Look everything up.")
QUESTION = Request("m", (SYSTEM, UserMessage("Say hello.")))
LOOK_UP = Request(
    "m", (SYSTEM, UserMessage("What is the status of order A-17?")), tools=(GET_ORDER,)
)


class ModelConformance:
    """Subclass it with a fixture ``model``; set what the model is not able to do.

    The model must be ready to answer ``QUESTION`` and ``LOOK_UP`` by itself.
    """

    calls_tools = True
    """Whether it calls the tool when asked to look something up."""

    async def test_it_answers_with_text(self, model: Model) -> None:
        response = await model.complete(QUESTION)
        assert response.message.text.strip()
        assert response.message.tool_calls == ()
        assert not response.truncated

    async def test_it_calls_a_tool_with_arguments(self, model: Model) -> None:
        response = await model.complete(LOOK_UP)
        if self.calls_tools:
            (call,) = response.message.tool_calls
            assert call.call_id
            assert (call.name, call.arguments) == ("get_order", {"order_id": "A-17"})

    async def test_it_goes_on_after_a_tool_result(self, model: Model) -> None:
        first = await model.complete(LOOK_UP)
        results = [ToolMessage(c.call_id, c.name, "shipped") for c in first.message.tool_calls]
        more = with_messages(LOOK_UP, (*LOOK_UP.messages, first.message, *results))
        message = (await model.complete(more)).message
        assert message.text or message.tool_calls

    async def test_it_calls_nothing_when_calls_are_forbidden(self, model: Model) -> None:
        forbidden = Request("m", LOOK_UP.messages, tools=LOOK_UP.tools, tools_allowed=False)
        message = (await model.complete(forbidden)).message
        assert message.tool_calls == ()
        assert message.text

    async def test_tokens_are_known_and_add_up(self, model: Model) -> None:
        tokens = (await model.complete(QUESTION)).tokens
        assert tokens.input_tokens is not None
        assert tokens.all_output_tokens is not None
        assert tokens.input_tokens > 0
        assert tokens.all_output_tokens > 0
        assert tokens.total_tokens == tokens.input_tokens + tokens.all_output_tokens

    async def test_the_same_request_has_the_same_input(self, model: Model) -> None:
        first = await model.complete(LOOK_UP)
        again = await model.complete(LOOK_UP)
        assert first.tokens.input_tokens == again.tokens.input_tokens

    async def test_more_messages_are_more_input(self, model: Model) -> None:
        longer = with_messages(QUESTION, (*QUESTION.messages[:1], UserMessage("Say hello. " * 40)))
        short, long = [(await model.complete(r)).tokens.input_tokens for r in (QUESTION, longer)]
        assert short is not None
        assert long is not None
        assert short < long

    async def test_latency_is_that_of_the_call(self, model: Model) -> None:
        start = time.perf_counter()
        response = await model.complete(QUESTION)
        assert 0 < response.latency_s <= time.perf_counter() - start

    async def test_it_names_its_provider(self, model: Model) -> None:
        assert re.fullmatch(r"[a-z0-9_-]+:\S+", model.ref)
        answered = (await model.complete(QUESTION)).model_ref
        assert answered.partition(":")[0] == model.ref.partition(":")[0]

    async def test_many_requests_at_once_are_all_answered(self, model: Model) -> None:
        assert model.concurrency >= 1
        asked = [QUESTION, LOOK_UP, QUESTION, LOOK_UP]
        responses = await asyncio.gather(*(model.complete(r) for r in asked))
        assert all(r.message.text or r.message.tool_calls for r in responses)
        calls = [bool(r.message.tool_calls) for r in responses]
        if self.calls_tools:
            assert calls == [False, True, False, True]

    async def test_closing_twice_is_harmless(self, model: Model) -> None:
        await model.complete(QUESTION)
        await model.close()
        await model.close()
