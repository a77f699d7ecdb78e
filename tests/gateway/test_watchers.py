"""Metrics and spans of calls, with the real libraries."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from leanloop.gateway.metrics import metrics
from leanloop.gateway.spans import spans
from tests.gateway.conftest import Running
from tests.gateway.test_faults import BODY, PATH
from tests.gateway.test_pass_through import post
from tests.gateway.upstream import Fault

Start = Callable[..., Any]


async def test_prometheus_reads_what_passed(start: Start) -> None:
    made = metrics()
    assert made is not None
    running: Running = await start(watchers=(made,))
    await post(running.url + PATH, BODY)
    running.upstream.say(Fault(429))
    await post(running.url + PATH, BODY)
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{running.url}/leanloop/metrics") as answer,
    ):
        text = await answer.text()
    about = 'configuration="44136fa355",model="gpt-4.1-mini"'
    assert f'leanloop_calls_total{{{about},purpose="act",status="200"}} 1.0' in text
    assert f'leanloop_calls_total{{{about},purpose="act",status="429"}} 1.0' in text
    assert f'leanloop_tokens_total{{class="cache_read",{about}}} 5.0' in text
    assert f"leanloop_usd_total{{{about}}} " in text
    assert f"leanloop_unpriced_calls_total{{{about}}} 1.0" in text


async def test_without_the_extra_there_is_no_such_page(start: Start) -> None:
    running: Running = await start()
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{running.url}/leanloop/metrics") as answer,
    ):
        assert answer.status == 404


async def test_spans_reach_a_collector(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[Any] = []

    async def collect(http: web.BaseRequest) -> web.StreamResponse:
        got.append(ExportTraceServiceRequest.FromString(await http.read()))
        return web.Response()

    runner = web.ServerRunner(web.Server(collect))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    assert spans() is None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    made = spans()
    assert made is not None
    running: Running = await start(watchers=(made,))
    _, headers, _ = await post(running.url + PATH, BODY, **{"x-leanloop-task": "t-1"})
    await asyncio.to_thread(made._provider.force_flush)
    await runner.cleanup()
    (span,) = [s for r in got for rs in r.resource_spans for ss in rs.scope_spans for s in ss.spans]
    told = {a.key: a.value for a in span.attributes}
    assert span.name == "chat gpt-4.1-mini"
    assert told["gen_ai.usage.input_tokens"].int_value == 25
    assert told["gen_ai.usage.cache_read.input_tokens"].int_value == 5
    assert told["gen_ai.conversation.id"].string_value == headers["x-leanloop-session"]
    assert told["leanloop.task"].string_value == "t-1"


def test_neither_is_loaded_with_the_gateway() -> None:
    code = "import sys, leanloop.gateway.server as s; print('prometheus_client' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
