"""Runs a gateway: listens, and ends without cutting off what is under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from aiohttp import web

from leanloop.core.errors import BadInputError
from leanloop.gateway.server import Gateway

DRAIN_S = 60.0


@asynccontextmanager
async def serving(
    gateway: Gateway, host: str = "127.0.0.1", port: int = 0, drain_s: float = DRAIN_S
) -> AsyncIterator[str]:
    """Run a gateway while the block runs; yields its address.

    Args:
        gateway: What answers.
        host: Where to listen.
        port: Which port; a free one when 0.
        drain_s: Seconds that calls under way have to end, once the block has.

    Raises:
        BadInputError: The port cannot be had.
    """
    await gateway.open()
    server = web.Server(
        gateway.handle,
        handler_cancellation=True,
        access_log=None,
        keepalive_timeout=75,
        request_factory=partial(_request, gateway.bounds.body_bytes),
        auto_decompress=False,
    )
    try:
        async with listening(server, host, port, drain_s) as url:
            yield url
    finally:
        await gateway.close()


@asynccontextmanager
async def listening(
    server: web.Server, host: str = "127.0.0.1", port: int = 0, drain_s: float = 1.0
) -> AsyncIterator[str]:
    """Listen while the block runs; yields the address.

    Args:
        server: What answers.
        host: Where to listen.
        port: Which port; a free one when 0.
        drain_s: Seconds that requests under way have to end, once the block has.

    Raises:
        BadInputError: The port cannot be had.
    """
    runner = web.ServerRunner(server, shutdown_timeout=drain_s, handle_signals=False)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port, backlog=1024).start()
        except OSError as error:
            raise BadInputError(f"--port {port}", error.strerror or "cannot be had") from None
        name, bound = runner.addresses[0][:2]
        yield f"http://{f'[{name}]' if ':' in name else name}:{bound}"
    finally:
        await runner.cleanup()


def _request(most: int, *parts: Any) -> web.BaseRequest:  # noqa: ANN401 - aiohttp's own types
    message, payload, protocol, writer, task = parts
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=most)
