"""With every lever off, requests and answers pass byte for byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from tests.gateway.conftest import Running
from tests.gateway.upstream import Fault, calls, text

Start = Callable[..., Any]
ODD = (
    b'{ "model":"gpt-4.1-mini",\n "messages" : [{"role":"user",'
    b'"content":"h\\u00efi \xf0\x9f\x98\x80"}],'
    b'"future_field":{"a":[1.50,null]}, "stream":false}'
)
PATHS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "hi"}]},
    "/v1/responses": {"input": "hi"},
    "/v1/messages": {"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
}


async def post(
    url: str, raw: bytes | dict[str, Any], **headers: str
) -> tuple[int, dict[str, str], bytes]:
    data = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    sent = {"content-type": "application/json", "authorization": "Bearer sk-secret", **headers}
    async with (
        aiohttp.ClientSession(auto_decompress=False) as client,
        client.post(url, data=data, headers=sent) as answer,
    ):
        low = {k.lower(): v for k, v in answer.headers.items()}
        return answer.status, low, await answer.read()


async def test_the_body_goes_up_byte_for_byte(start: Start) -> None:
    running: Running = await start()
    status, headers, body = await post(f"{running.url}/v1/chat/completions?x=1", ODD, beta="yes")
    sent = running.upstream.requests[0]
    assert (status, sent.raw, sent.path) == (200, ODD, "/v1/chat/completions?x=1")
    assert sent.headers["authorization"] == "Bearer sk-secret"
    assert sent.headers["beta"] == "yes"
    assert headers["x-request-id"] == "r-1"
    assert json.loads(body)["choices"][0]["message"]["content"].startswith("I heard: hïi")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("stream", [False, True])
async def test_the_answer_comes_back_byte_for_byte(start: Start, path: str, stream: bool) -> None:
    running: Running = await start()
    body = {"model": "m", "stream": stream, **PATHS[path]}
    fixed = text("the same every time")
    running.upstream.say(fixed)
    direct = await post(running.upstream.url + path, body)
    running.upstream.say(fixed)
    through = await post(running.url + path, body)
    assert through[0] == direct[0] == 200
    assert _still(through[2]) == _still(direct[2])
    (record,) = await running.records()
    if _silent(path, stream):
        assert record.trace.evidence == "estimated"
    else:
        assert (record.trace.evidence, record.trace.counts.input_tokens) == ("reported", 25)
    assert record.first_byte_s is not None
    assert record.trace.latency_s is not None
    assert record.first_byte_s <= record.trace.latency_s


def _silent(path: str, stream: bool) -> bool:
    """Chat Completions say nothing of usage in a stream unless they are asked to."""
    return stream and path.endswith("completions")


def _still(body: bytes) -> list[str]:
    """An answer without the ids that the upstream draws anew each time."""
    parts = body.decode().replace('"', " ").split()
    drawn = ("chatcmpl-", "msg_", "resp_", "fc_")
    return [p for p in parts if not any(d in p for d in drawn) and not p.isdigit()]


async def test_other_requests_pass_too(start: Start) -> None:
    running: Running = await start()
    count = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    _, _, body = await post(f"{running.url}/v1/messages/count_tokens", count)
    assert json.loads(body)["input_tokens"] == 3
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{running.url}/v1/models?limit=2") as answer,
    ):
        assert (await answer.json())["path"] == "/v1/models?limit=2"
    assert await running.records() == []


async def test_what_is_no_call_is_left_to_the_upstream(start: Start) -> None:
    running: Running = await start()
    running.upstream.say(Fault(400), Fault(400))
    for raw in (b"{not json", b'{"messages": 3}'):
        status, _, body = await post(f"{running.url}/v1/chat/completions", raw)
        assert (status, body) == (400, Fault().body)
    assert [s.raw for s in running.upstream.requests] == [b"{not json", b'{"messages": 3}']


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 503, 529])
async def test_errors_come_back_as_they_are(start: Start, status: int) -> None:
    running: Running = await start()
    body = b'{"error":  {"message":"as it is"}}'
    running.upstream.say(Fault(status, body, {"retry-after": "7", "x-ratelimit-limit": "3"}))
    got = await post(f"{running.url}/v1/messages", {"model": "m", **PATHS["/v1/messages"]})
    assert (got[0], got[2]) == (status, body)
    assert (got[1]["retry-after"], got[1]["x-ratelimit-limit"]) == ("7", "3")
    (record,) = await running.records()
    assert (record.status, record.trace.error) == (status, f"HTTP {status}")
    assert record.trace.counts.input_tokens is None


async def test_a_tool_conversation_is_one_session(start: Start) -> None:
    running: Running = await start()
    messages: list[Any] = [{"role": "user", "content": "find"}]
    running.upstream.say(calls(("c1", "look", {"id": 3})), text("found"))
    for _ in range(2):
        _, headers, raw = await post(
            f"{running.url}/v1/chat/completions", {"model": "m", "messages": messages}
        )
        said = json.loads(raw)["choices"][0]["message"]
        result = {"role": "tool", "tool_call_id": "c1", "content": "it is here"}
        messages += [said, result]
    one, two = await running.records()
    assert one.session_id == two.session_id == headers["x-leanloop-session"]
    assert (two.trace.kept, len(two.trace.added), two.tool_results) == (2, 1, 1)
    assert all(e.message is None for e in (*one.trace.added, *two.trace.added))


async def test_keys_are_written_down_nowhere(start: Start, tmp_path: Any) -> None:
    running: Running = await start(contents=True)
    await post(
        f"{running.url}/v1/chat/completions", {"model": "m", **PATHS["/v1/chat/completions"]}
    )
    await running.records()
    held = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    assert b"sk-secret" not in held


async def test_a_client_that_asks_before_it_sends(start: Start) -> None:
    """curl does, with a body of more than a megabyte, and waits a second if it is not told."""
    running: Running = await start()
    host, port = running.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\nexpect: 100-continue\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode())
    async with asyncio.timeout(5):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    await writer.wait_closed()
