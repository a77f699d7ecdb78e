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
    """Listen while the block runs; yields the address.

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
    runner = web.ServerRunner(server, shutdown_timeout=drain_s, handle_signals=False)
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=1024)
    try:
        try:
            await site.start()
        except OSError as error:
            raise BadInputError(f"--port {port}", error.strerror or "cannot be had") from None
        bound = runner.addresses[0]
        yield f"http://{f'[{bound[0]}]' if ':' in bound[0] else bound[0]}:{bound[1]}"
    finally:
        await runner.cleanup()
        await gateway.close()


def _request(most: int, *parts: Any) -> web.BaseRequest:  # noqa: ANN401 - aiohttp's own types
    message, payload, protocol, writer, task = parts
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=most)
