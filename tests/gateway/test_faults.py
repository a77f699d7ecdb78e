"""What goes wrong on either side: nothing crashes, is lost, or is sent twice."""

from __future__ import annotations

import asyncio
import errno
import gzip
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from leanloop.gateway.journal import Journal, left_behind, lines_of
from leanloop.gateway.server import Bounds
from leanloop.store.sql import SqlStore
from leanloop.traces.call_record import DECODER
from tests.gateway.conftest import Running
from tests.gateway.test_pass_through import post
from tests.gateway.upstream import Fault, calls, upstream

Start = Callable[..., Any]
BODY: dict[str, Any] = {"model": "gpt-4.1-mini", "messages": [{"role": "user", "content": "hi"}]}
STREAM = {**BODY, "stream": True, "stream_options": {"include_usage": True}}
PATH = "/v1/chat/completions"


async def test_a_cut_stream_is_cut_for_the_client_too(start: Start) -> None:
    running: Running = await start()
    running.upstream.say(Fault(cut_after=300))
    with pytest.raises(aiohttp.ClientError):
        await post(running.url + PATH, STREAM)
    (record,) = await running.records()
    assert record.trace.error.startswith("upstream: ")
    assert len(running.upstream.requests) == 1


async def test_an_answer_that_never_comes_is_an_error(start: Start) -> None:
    running: Running = await start()
    running.upstream.say(Fault(drop=True))
    status, _, raw = await post(running.url + PATH, BODY)
    assert (status, json.loads(raw)["error"]["code"]) == (502, "upstream_error")
    (record,) = await running.records()
    assert record.status == 502
    assert len(running.upstream.requests) == 1


async def test_nobody_there(start: Start) -> None:
    running: Running = await start(base="http://127.0.0.1:9")
    status, _, raw = await post(
        f"{running.url}/v1/messages", {**BODY, "max_tokens": 3}, **{"x-api-key": "sk-ant"}
    )
    assert (status, json.loads(raw)["error"]["type"]) == (502, "api_error")
    assert "http://127.0.0.1:9: no answer" in json.loads(raw)["error"]["message"]


async def test_a_model_that_is_not_there_is_named_with_its_address(start: Start) -> None:
    spec = {"provider": "openai", "name": "m", "base_url": "http://127.0.0.1:9/v1"}
    running: Running = await start(models={BODY["model"]: spec})
    _, _, raw = await post(running.url + PATH, BODY)
    said = json.loads(raw)["error"]["message"]
    assert f"[models.{BODY['model']}] at http://127.0.0.1:9/v1: no answer" in said


@pytest.mark.parametrize("stream", [False, True])
async def test_a_stall_ends(start: Start, stream: bool) -> None:
    running: Running = await start(bounds=Bounds(idle_s=0.3))
    running.upstream.say(Fault(delay_s=30))
    if stream:
        with pytest.raises(aiohttp.ClientError):
            await post(running.url + PATH, STREAM)
    else:
        assert (await post(running.url + PATH, BODY))[0] == 502
    (record,) = await running.records()
    assert "Timeout" in record.trace.error


async def test_a_slow_stream_comes_as_it_comes(start: Start) -> None:
    running: Running = await start()
    running.upstream.say(Fault(delay_s=0.1))
    loop = asyncio.get_running_loop()
    async with (
        aiohttp.ClientSession() as client,
        client.post(running.url + PATH, json=STREAM) as answer,
    ):
        begun = loop.time()
        first = await answer.content.readany()
        early = loop.time() - begun
        rest = await answer.read()
    assert b"[DONE]" in rest
    assert first
    assert early < 0.25
    (record,) = await running.records()
    assert record.first_byte_s is not None
    assert record.trace.latency_s is not None
    assert record.first_byte_s < record.trace.latency_s - 0.1


async def test_garbage_between_events_passes(start: Start) -> None:
    running: Running = await start()
    running.upstream.say(Fault(garbage=b"data: {not json\n\n: a comment\n\ndata: 7\n\n\xff\n\n"))
    status, _, raw = await post(running.url + PATH, STREAM)
    assert (status, raw.count(b"{not json")) == (200, 4)
    (record,) = await running.records()
    assert record.trace.counts.input_tokens == 25


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_goes_away_stops_upstream(start: Start, stream: bool) -> None:
    running: Running = await start()
    running.upstream.say(Fault(delay_s=5))
    body = STREAM if stream else BODY
    async with aiohttp.ClientSession() as client:
        with pytest.raises(asyncio.TimeoutError):
            async with asyncio.timeout(0.3), client.post(running.url + PATH, json=body) as answer:
                await answer.read()
    for _ in range(100):
        if running.upstream.cancelled:
            break
        await asyncio.sleep(0.02)
    assert running.upstream.cancelled == 1
    (record,) = await running.records()
    assert (record.status, record.trace.error) == (499, "the client went away")


async def test_calls_under_way_end_before_it_stops(start: Start) -> None:
    running: Running = await start()
    running.upstream.say(Fault(delay_s=0.5))
    asking = asyncio.create_task(post(running.url + PATH, BODY))
    await asyncio.sleep(0.2)
    records = await running.records()
    assert (await asking)[0] == 200
    assert [r.status for r in records] == [200]


async def test_a_body_may_not_be_too_long(start: Start) -> None:
    running: Running = await start(bounds=Bounds(body_bytes=1000))
    long = {**BODY, "messages": [{"role": "user", "content": "x" * 2000}]}
    status, _, raw = await post(running.url + PATH, long)
    assert (status, json.loads(raw)["error"]["type"]) == (413, "invalid_request_error")

    async def pieces() -> Any:
        for _ in range(30):
            yield b"x" * 100

    async with (
        aiohttp.ClientSession() as client,
        client.post(running.url + PATH, data=pieces()) as answer,
    ):
        assert answer.status == 413
    assert running.upstream.requests == []


# Caps.


async def test_a_cap_in_dollars_is_kept(start: Start) -> None:
    # 25 tokens in, 5 of them cached, 7 out: $0.0000197 a call by the list of 2026-11.
    running: Running = await start(caps={"day": {"usd": 0.00003}})
    client = openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key="sk-test")
    for _ in range(2):
        await client.chat.completions.create(model="gpt-4.1-mini", messages=BODY["messages"])
    with pytest.raises(openai.RateLimitError) as caught:
        await client.chat.completions.create(model="gpt-4.1-mini", messages=BODY["messages"])
    await client.close()
    assert caught.value.code == "insufficient_quota"
    assert "cap of $3e-05 for today" in str(caught.value)
    # Neither sent on, nor tried again by the client.
    assert len(running.upstream.requests) == 2


async def test_caps_outlive_the_gateway(start: Start) -> None:
    first: Running = await start(caps={"key": {"tokens": 40}})
    await post(first.url + PATH, BODY)
    await first.stop()
    second: Running = await start(caps={"key": {"tokens": 40}})
    assert (await post(second.url + PATH, BODY))[0] == 200
    assert (await post(second.url + PATH, BODY))[0] == 429
    assert (await post(second.url + PATH, BODY, authorization="Bearer other"))[0] == 200


async def test_a_session_has_a_cap_of_its_own(start: Start) -> None:
    running: Running = await start(caps={"session": {"tokens": 40}})
    for session, statuses in (("one", [200, 200, 429]), ("two", [200])):
        for status in statuses:
            got = await post(running.url + PATH, BODY, **{"x-leanloop-session": session})
            assert got[0] == status


async def test_an_unknown_price_is_told(start: Start) -> None:
    running: Running = await start(caps={"day": {"usd": 1}})
    for _ in range(2):
        await post(running.url + PATH, {**BODY, "model": "nobody-knows-it"})
    assert running.told == ["the price of nobody-knows-it is unknown: caps in dollars leave it out"]


# Who may use it.


async def test_keys_of_its_own(start: Start) -> None:
    running: Running = await start(keys=("own-key-1", "own-key-2"), upstream_key="sk-provider")
    assert (await post(running.url + PATH, BODY))[0] == 401
    assert (await post(running.url + PATH, BODY, authorization="Bearer own-key-2"))[0] == 200
    (sent,) = running.upstream.requests
    assert sent.headers["authorization"] == "Bearer sk-provider"
    status, _, _ = await post(
        f"{running.url}/v1/messages", {**BODY, "max_tokens": 9}, **{"x-api-key": "own-key-1"}
    )
    assert (status, running.upstream.requests[1].headers["x-api-key"]) == (200, "sk-provider")
    assert "authorization" not in running.upstream.requests[1].headers


async def test_its_own_key_is_not_sent_on(start: Start) -> None:
    running: Running = await start(keys=("own-key-1",))
    await post(running.url + PATH, BODY, authorization="Bearer own-key-1")
    assert "own-key-1" not in str(running.upstream.requests[0].headers)
    other = {"x-leanloop-key": "own-key-1", "authorization": "Bearer sk-mine"}
    await post(running.url + PATH, BODY, **other)
    assert running.upstream.requests[1].headers["authorization"] == "Bearer sk-mine"
    assert "own-key-1" not in str(running.upstream.requests[1].headers)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://somewhere.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "rebound.example:8899"}, 403),
        ({"origin": "http://localhost:3000"}, 200),
        ({"host": "localhost:8899"}, 200),
    ],
)
async def test_pages_of_other_sites_are_turned_away(
    start: Start, headers: dict[str, str], status: int
) -> None:
    running: Running = await start(upstream_key="sk-provider")
    assert (await post(running.url + PATH, BODY, **headers))[0] == status
    assert len(running.upstream.requests) == (status == 200)


async def test_a_session_of_that_name_may_be_somebody_elses(start: Start) -> None:
    running: Running = await start()
    named = {"x-leanloop-session": "mine"}
    seen = []
    for key in ("one", "two", "one"):
        _, headers, _ = await post(running.url + PATH, BODY, authorization=f"Bearer {key}", **named)
        seen.append(headers["x-leanloop-session"])
    assert seen[0] == seen[2] == "mine"
    assert seen[1].startswith("mine-")


async def test_a_packed_body_is_read_and_goes_as_it_came(start: Start) -> None:
    running: Running = await start(tools={"schema_trim": "on"})
    plain = gzip.compress(json.dumps(BODY).encode())
    tools = [{"type": "function", "function": {"name": "f", "description": "One. Two."}}]
    edited = gzip.compress(json.dumps({**BODY, "tools": tools}).encode())
    for raw in (plain, edited):
        assert (await post(running.url + PATH, raw, **{"content-encoding": "gzip"}))[0] == 200
    first, second = running.upstream.requests
    assert (first.raw, first.headers["content-encoding"]) == (plain, "gzip")
    assert "content-encoding" not in second.headers
    assert second.body["tools"][0]["function"]["description"] == "One."
    assert len(await running.records()) == 2


# Canary.


async def test_a_session_that_a_client_named_has_its_place_in_a_canary(start: Start) -> None:
    running: Running = await start(
        canary={"share": 0.5, "levers": {"tools": {"schema_trim": "on"}}}
    )
    canary = running.gateway.canary
    assert canary is not None
    names = [f"my session {i}" for i in range(200)]
    chosen = [canary.choose(name) == canary.new for name in names]
    assert 70 < sum(chosen) < 130
    assert [canary.choose(name) == canary.new for name in names] == chosen
    status, _, _ = await post(running.url + PATH, BODY, **{"x-leanloop-session": "mine"})
    assert status == 200


async def test_a_worse_canary_ends(start: Start) -> None:
    running: Running = await start(
        canary={"share": 0.5, "levers": {"tools": {"schema_trim": "on"}}}
    )
    canary = running.gateway.canary
    assert canary is not None
    for i in range(120):
        body = {**BODY, "messages": [{"role": "user", "content": f"task {i}"}]}
        _, headers, _ = await post(running.url + PATH, body)
        session = running.gateway.sessions.named(headers["x-leanloop-session"])
        assert session is not None
        good = 1 if session.configuration == canary.old else 0
        told = {"session": session.session_id, "success": good}
        assert (await post(f"{running.url}/leanloop/outcome", told))[0] == 200
        if canary.fell_back:
            break
    assert canary.fell_back
    assert "shown worse" in running.told[0]
    ran = canary.verdict().outcomes
    assert min(ran.values()) >= 8
    _, headers, _ = await post(
        running.url + PATH, {**BODY, "messages": [{"role": "user", "content": "after"}]}
    )
    after = running.gateway.sessions.named(headers["x-leanloop-session"])
    assert after is not None
    assert after.configuration == canary.old
    await running.stop()
    again: Running = await start(canary={"share": 0.5, "levers": {"tools": {"schema_trim": "on"}}})
    assert again.gateway.canary is not None
    assert again.gateway.canary.fell_back


async def test_an_equal_canary_goes_on(start: Start) -> None:
    running: Running = await start(
        canary={"share": 0.5, "levers": {"tools": {"schema_trim": "on"}}}
    )
    canary = running.gateway.canary
    assert canary is not None
    for i in range(400):
        arm = canary.new if i % 2 else canary.old
        canary.tell(f"{i:08x}", arm.id, float(i % 4 < 2))
    assert not canary.fell_back


# Killed, and a disk that is full.


async def test_killed_and_started_again(tmp_path: Path) -> None:
    """Each finished call is in the store after a kill -9, and the session goes on."""
    async with upstream() as behind:
        messages: list[Any] = [{"role": "user", "content": "find"}]
        finished = []
        for i in range(4):
            process, url = await _program(behind.url, tmp_path)
            behind.say(calls((f"c{i}", "look", {"id": i})))
            body = {"model": "gpt-4.1-mini", "messages": messages}
            _, headers, raw = await post(url + PATH, body)
            finished.append(headers["x-leanloop-session"])
            os.kill(process.pid, signal.SIGKILL)
            await process.wait()
            said = json.loads(raw)["choices"][0]["message"]
            result = {"role": "tool", "tool_call_id": f"c{i}", "content": "seen"}
            messages += [said, result]
        assert len(set(finished)) == 1
        assert len(behind.requests) == 4
        process, _ = await _program(behind.url, tmp_path)
        process.terminate()
        await process.wait()
    store = SqlStore(tmp_path / "store.sqlite")
    records = [DECODER.decode(raw) for raw in store.call_log("gateway").calls()]
    store.close()
    assert [r.session_id for r in records] == finished
    assert left_behind(tmp_path, "gateway") == []


async def _program(base: str, folder: Path) -> tuple[asyncio.subprocess.Process, str]:
    program = Path(sys.executable).parent / "leanloop"
    place = ("--store", str(folder / "store.sqlite"), "--port", "0")
    process = await asyncio.create_subprocess_exec(
        program, "gateway", "--upstream", base, *place, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    line = (await process.stderr.readline()).decode()
    return process, line.split(" at ")[1].split(";")[0]


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bytes] = []
    told: list[str] = []
    full = True
    real = os.write

    def write(file: int, data: bytes) -> int:
        if full and len(data) < 100:
            return real(file, data[: len(data) // 2])
        return real(file, data)

    def keep(lines: Any) -> None:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        kept.extend(lines)

    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr("leanloop.gateway.journal.GATHER_S", 0.01)
    monkeypatch.setattr("leanloop.gateway.journal.RETRY_S", 0.01)
    path = tmp_path / "gw.1.journal"
    journal = Journal(path, keep, told.append)
    for i in range(3):
        journal.append(b'{"call": %d}' % i)
    while len(told) < 2:
        pass
    assert lines_of(path) == []
    full = False
    journal.append(b'{"call": 3}')
    assert lines_of(path) == [b'{"call": 3}']
    journal.close()
    assert kept == [b'{"call": %d}' % i for i in range(4)]
    assert not path.exists()
    assert [t.split(":")[0] for t in told] == [str(path), "records wait for the store"]
