"""How many requests at once and a minute a provider is sent."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanloop.core.errors import BadInputError
from leanloop.core.message import AssistantMessage, Request, Response, UserMessage
from leanloop.core.tokens import Tokens
from leanloop.models.builtin import ModelSpec
from leanloop.models.pacing import BURST_S, Pace, PacedModel, pace_models
from leanloop.search.spec import StudySpec, check_study

REQUEST = Request("m", (UserMessage("hello"),))


class Busy:
    """Counts how many requests are under way at once."""

    ref = "openai:busy"
    concurrency = 8

    def __init__(self) -> None:
        self.now = self.most = 0

    async def complete(self, request: Request) -> Response:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.01)
        self.now -= 1
        return Response(AssistantMessage("x"), Tokens(400, 0, 0, 0, 100, 0), 0.01)

    async def close(self) -> None:
        """Nothing."""


@given(st.floats(1, 10_000), st.lists(st.floats(0, 3), min_size=1, max_size=60))
def test_no_more_than_the_rate_goes_out_but_for_a_burst(per_minute, gaps):
    pace, now, out = Pace(per_minute), 1000.0, []
    for gap in gaps:
        now += gap
        out.append(now + pace.take(1, now))
    for i in range(len(out)):
        for j in range(i, len(out)):
            allowed = (out[j] - out[i] + BURST_S) * per_minute / 60 + 1
            assert j - i + 1 <= allowed + 1e-6


async def test_models_of_one_provider_share_what_is_under_way():
    spec = ModelSpec("openai", "a", base_url="http://127.0.0.1:1/v1", concurrency=3)
    other = ModelSpec("openai", "b", base_url="http://127.0.0.1:1/v1", concurrency=2)
    apart = ModelSpec("openai", "c", base_url="http://127.0.0.1:2/v1", concurrency=4)
    busy, elsewhere = Busy(), Busy()
    paced = pace_models({"a": busy, "b": busy, "c": elsewhere}, {"a": spec, "b": other, "c": apart})
    await asyncio.gather(*(paced[name].complete(REQUEST) for name in "aabbcccccc" * 3))
    assert busy.most == 2
    assert elsewhere.most == 4


async def test_a_wait_for_ones_turn_is_no_latency():
    paced = PacedModel(Busy(), asyncio.Semaphore(8), Pace(60 * 20))
    start = time.monotonic()
    found = await asyncio.gather(*(paced.complete(REQUEST) for _ in range(30)))
    passed = time.monotonic() - start
    assert passed >= (30 - 1) / 20 - BURST_S
    assert {r.latency_s for r in found} == {0.01}


async def test_tokens_of_earlier_requests_are_waited_for():
    paced = PacedModel(Busy(), asyncio.Semaphore(1), tokens=Pace(60 * 2000))
    start = time.monotonic()
    for _ in range(6):
        await paced.complete(REQUEST)
    # 2,500 tokens are used before the last begins, 2,000 of them in the burst.
    assert time.monotonic() - start >= 0.2


def test_models_in_this_process_wait_for_nobody():
    busy = Busy()
    assert pace_models({"a": busy}, {"a": ModelSpec("scripted", "x:y")}) == {"a": busy}


@pytest.mark.parametrize("field", ["requests_per_minute", "tokens_per_minute"])
def test_a_rate_is_more_than_nothing(field):
    model = msgspec.structs.replace(ModelSpec("scripted", "x:y"), **{field: 0.0})
    spec = StudySpec("s", models={"a": model})
    with pytest.raises(BadInputError, match=f"models.a.{field}"):
        check_study(spec)
