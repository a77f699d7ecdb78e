from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from leanloop.gateway.access import Access
from leanloop.gateway.meter import Keeping, Meter, Watcher
from leanloop.gateway.prices import Prices
from leanloop.gateway.server import Bounds, Gateway
from leanloop.gateway.serving import serving
from leanloop.gateway.settings import settings_of
from leanloop.gateway.upstream import Upstreams
from leanloop.store.sql import SqlStore
from leanloop.traces.call_record import DECODER, CallRecord
from tests.gateway.upstream import Upstream, upstream


@dataclass
class Running:
    """A gateway that listens, and what stands behind it."""

    url: str
    gateway: Gateway
    upstream: Upstream
    store: SqlStore
    told: list[str]
    stop: Callable[[], Any]

    async def records(self) -> list[CallRecord]:
        """Every call that was written down; the gateway is stopped for it."""
        await self.stop()
        return [DECODER.decode(raw) for raw in self.store.call_log("gw").calls()]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Starts gateways before one upstream."""
    stack = AsyncExitStack()
    behind = await stack.enter_async_context(upstream())

    async def make(
        *,
        contents: bool = False,
        watchers: tuple[Watcher, ...] = (),
        bounds: Bounds | None = None,
        keys: tuple[str, ...] = (),
        base: str | None = None,
        upstream_key: str | None = None,
        folder: Path = tmp_path,
        **table: Any,
    ) -> Running:
        own = AsyncExitStack()
        settings = settings_of(table, "gateway.toml")
        store = SqlStore(folder / "store.sqlite")
        stack.callback(store.close)
        told: list[str] = []
        log = store.call_log("gw")
        prices = Prices(settings.models)
        keeping = Keeping(contents, watchers, told.append)
        meter = Meter(log, folder, prices, settings.caps, keeping)
        upstreams = Upstreams(
            behind.url if base is None else base or None, upstream_key, settings.models
        )
        access = Access(keys, "127.0.0.1")
        gateway = Gateway(settings, upstreams, meter, access, bounds, told.append)
        url = await own.enter_async_context(serving(gateway, drain_s=5))
        await stack.enter_async_context(own)
        return Running(url, gateway, behind, store, told, own.aclose)

    async with stack:
        yield make
