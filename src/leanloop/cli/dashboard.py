"""Show a study or a gateway on a live page, while it runs and after."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlsplit

import typer
from aiohttp import web

from leanloop.cli.gateway import own_keys
from leanloop.cli.options import JsonOption, StoreOption, emit, errors_console, store_place
from leanloop.cli.study_names import study_name
from leanloop.core.errors import BadInputError
from leanloop.gateway.access import Access
from leanloop.gateway.serving import listening
from leanloop.report.dashboard.pages import Pages
from leanloop.store.sql import SqlStore

StudyArgument = Annotated[
    str | None, typer.Argument(metavar="[STUDY]", help="The study's name; all when left out.")
]
GatewayOption = Annotated[str | None, typer.Option("--gateway", help="A gateway's name instead.")]
HostOption = Annotated[str, typer.Option("--host", help="Where to listen.")]
PortOption = Annotated[int, typer.Option("--port", min=0, max=65535, help="0 is any free one.")]
SuiteOption = Annotated[
    bool,
    typer.Option("--suite/--no-suite", help="Load the study's suite, to show what runs were sent."),
]


def dashboard(
    study: StudyArgument = None,
    gateway: GatewayOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8898,
    suite: SuiteOption = True,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Show studies and gateways on a live page; --json prints what it shows once and ends."""
    if study is not None and gateway is not None:
        raise BadInputError("--gateway", "takes the place of a study: name one of the two")
    access = Access(own_keys(), host)
    place = store_place(store)
    if isinstance(place, Path) and not place.exists():
        raise BadInputError(str(place), "no such store; --store names another")
    kind, name = ("gateway", gateway) if study is None else ("study", study_name(study))
    opened = SqlStore(place)
    try:
        pages = Pages(opened, access, _secrets(opened), load_suites=suite)
        if json:
            emit(asyncio.run(_once(pages, kind, name)))
        else:
            asyncio.run(_serve(pages, (kind, name), host, port))
    finally:
        opened.close()


async def _once(pages: Pages, kind: str, name: str | None) -> object:
    if name is None:
        return pages.names()
    found = await pages.opened(kind, name)
    return found.redaction.plain(await found.shared.state(whole=True))


async def _serve(pages: Pages, what: tuple[str, str | None], host: str, port: int) -> None:
    kind, name = what
    if name is not None:
        await pages.opened(kind, name)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = web.Server(pages.handle, access_log=None, handler_cancellation=True)
    async with listening(server, host, port) as url:
        path = "" if name is None else f"/{kind}/{quote(name, safe='')}"
        errors_console().print(f"Dashboard: {url}{path}", highlight=False, soft_wrap=True)
        await stop.wait()
        pages.closing.set()


def _secrets(store: SqlStore) -> list[str]:
    """What must not be on the page: the page's own keys, the store's password, usual keys."""
    usual = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")
    found = [*own_keys(), *(os.environ.get(name, "") for name in usual)]
    if "://" in store.address:
        found.append(urlsplit(store.address).password or "")
    return [s for s in found if s]
