"""The scripted model that the other tests lean on."""

from __future__ import annotations

import time

import msgspec
import pytest

from leanloop.core.errors import ModelError
from leanloop.core.message import AssistantMessage, Request, ToolCall, ToolSpec, UserMessage
from leanloop.core.tokens import Tokens
from leanloop.models.protocol import Model
from leanloop.models.scripted import ScriptedModel
from tests.loop.toy import says

ASK = Request("m", (UserMessage("x" * 40),), (ToolSpec("tool", "does", {}),))


async def test_counts_four_characters_a_token() -> None:
    response = await ScriptedModel([says("y" * 9)], latency_s=1.5).complete(ASK)
    assert response.tokens == Tokens(13, 0, 0, 0, 3, 0), "(40 + 4 + 4 + 2) / 4 and 9 / 4, up"
    assert (response.latency_s, response.truncated, response.model_ref) == (
        1.5,
        False,
        "scripted:model",
    )


async def test_counts_calls() -> None:
    call = AssistantMessage("", (ToolCall("id", "tool", {"a": 1}),))
    response = await ScriptedModel([call]).complete(ASK)
    assert response.tokens.output_tokens == 3, "tool and the JSON of its arguments"


async def test_what_starts_alike_is_read_from_the_cache() -> None:
    model = ScriptedModel(lambda _: says("ok"))
    longer = msgspec.structs.replace(ASK, messages=(*ASK.messages, UserMessage("z" * 20)))
    other = msgspec.structs.replace(longer, messages=(UserMessage("w" * 40), longer.messages[1]))
    tokens = [(await model.complete(r)).tokens for r in (ASK, longer, other, other)]
    assert [(t.cache_read_tokens, t.input_tokens) for t in tokens] == [
        (0, 13),
        (13, 18),
        (3, 18),
        (18, 18),
    ]


async def test_too_long_is_truncated() -> None:
    short = msgspec.structs.replace(ASK, max_output_tokens=2)
    model = ScriptedModel(lambda _: says("y" * 9))
    response = await model.complete(short)
    assert (response.truncated, response.tokens.output_tokens) == (True, 2)
    assert not (await model.complete(ASK)).truncated


async def test_answers_in_order_then_fails() -> None:
    model: Model = ScriptedModel([says("one"), says("two")])
    assert [(await model.complete(ASK)).message.text for _ in range(2)] == ["one", "two"]
    with pytest.raises(ModelError, match="after the first 2"):
        await model.complete(ASK)
    await model.close()
    await model.close()


async def test_delay_is_slept_and_measured() -> None:
    start = time.perf_counter()
    model = ScriptedModel(lambda r: says(r.messages[0].text), delay_s=0.02)
    response = await model.complete(ASK)
    assert 0.015 < response.latency_s <= time.perf_counter() - start
    assert response.message.text == "x" * 40
    assert model.requests == [ASK]
