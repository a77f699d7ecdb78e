"""A thousand bodies made from the gateway's own description, right and wrong, are all answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leanloop.gateway.openapi import DOCUMENT
from tests.gateway.conftest import Running

Start = Callable[..., Any]
BODIES = 1000
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)


def bodies(path: str, count: int) -> list[Any]:
    """What schemathesis sends to a path, and what breaks its schema."""
    found: list[Any] = []
    operation = SCHEMA[path]["POST"]
    wrong = st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=9),
        lambda v: (
            st.lists(v, max_size=3)
            | st.dictionaries(
                st.sampled_from(["messages", "input", "model", "role", "content", "tools", "type"]),
                v,
            )
        ),
        max_leaves=9,
    )

    @settings(
        max_examples=count,
        database=None,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), other=wrong)
    def draw(case: Any, other: Any) -> None:
        found.append(case.body)
        found.append(other)

    draw()
    return found


async def test_it_answers_whatever_comes(start: Start) -> None:
    running: Running = await start(
        memory={"fold": 400, "keep_observations": 1}, caps={"day": {"tokens": 1e12}}
    )
    paths = [p for p in DOCUMENT["paths"] if "post" in DOCUMENT["paths"][p]]
    sent = 0
    gate = asyncio.Semaphore(16)

    async def post(client: aiohttp.ClientSession, path: str, body: Any) -> int:
        data = json.dumps(body, default=str).encode()
        async with gate, client.post(running.url + path, data=data) as answer:
            await answer.read()
            return answer.status

    async with aiohttp.ClientSession() as client:
        for path in paths:
            drawn = bodies(path, BODIES // len(paths) // 2)
            statuses = await asyncio.gather(*(post(client, path, b) for b in drawn))
            sent += len(drawn)
            assert set(statuses) <= {200, 400, 404}, path
    assert sent >= BODIES - 10
    assert running.told == []
    assert (await _health(running.url))["ok"]


async def _health(url: str) -> Any:
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{url}/leanloop/health") as answer,
    ):
        return await answer.json()
