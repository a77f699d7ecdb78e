"""Serve the chosen configuration to any agent that speaks the OpenAI or the Anthropic API."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from leanloop.cli.options import JsonOption, StoreOption, emit, errors_console, store_place
from leanloop.cli.studies import tell_fetch
from leanloop.core.errors import BadInputError
from leanloop.gateway.access import Access
from leanloop.gateway.meter import Keeping, Meter
from leanloop.gateway.metrics import metrics
from leanloop.gateway.model_server import local_models_served, spec_of
from leanloop.gateway.prices import Prices
from leanloop.gateway.server import Bounds, Gateway
from leanloop.gateway.serving import DRAIN_S, serving
from leanloop.gateway.session_runs import FINGERPRINT
from leanloop.gateway.settings import GatewaySettings, read_settings
from leanloop.gateway.spans import spans
from leanloop.gateway.standing import standing_of
from leanloop.gateway.upstream import Upstreams, check_base
from leanloop.store.protocol import StudyRecord
from leanloop.store.sql import SqlStore

KEYS = "LEANLOOP_GATEWAY_KEYS"
UPSTREAM = "upstream"
"""The name of the model of this machine that ``--upstream`` names."""

UpstreamOption = Annotated[
    str | None,
    typer.Option(
        "--upstream",
        help="Where calls go: an address, or embedded:MODEL for a model of this machine; "
        "OpenAI's and Anthropic's own when left out.",
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="TOML of lever settings, and perhaps models, caps and canary."),
]
HostOption = Annotated[str, typer.Option("--host", help="Where to listen.")]
PortOption = Annotated[int, typer.Option("--port", min=0, max=65535, help="0 is any free one.")]
NameOption = Annotated[str, typer.Option("--name", help="The gateway's name in the store.")]
KeyOption = Annotated[
    str | None,
    typer.Option("--upstream-key-env", help="Variable with the key to use in place of clients'."),
]
ContentsOption = Annotated[
    bool, typer.Option("--keep-contents", help="Keep what was said, and not only its sizes.")
]
BodyOption = Annotated[int, typer.Option("--max-body-mb", min=1, help="Of one request.")]
IdleOption = Annotated[
    float, typer.Option("--idle-s", min=1, help="Seconds without a byte from upstream.")
]


def gateway(
    upstream: UpstreamOption = None,
    config: ConfigOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8899,
    name: NameOption = "gateway",
    upstream_key_env: KeyOption = None,
    keep_contents: ContentsOption = False,
    max_body_mb: BodyOption = 64,
    idle_s: IdleOption = 600.0,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Pass calls on, metered and capped, with a configuration's levers; all off without one."""
    console = errors_console()
    if not re.fullmatch(r"[\w.-]{1,100}", name):
        raise BadInputError("--name", "takes letters, digits, '.', '-' and '_'")
    settings = GatewaySettings() if config is None else read_settings(config)
    access = Access(own_keys(), host)
    place = store_place(store)
    opened = SqlStore(place)
    watchers = tuple(w for w in (metrics(), spans()) if w is not None)
    asked = _Asked(upstream, _upstream_key(upstream_key_env), host, port, json)
    bounds = Bounds(max_body_mb * 1024**2, idle_s)
    try:
        opened.open_study(StudyRecord(name, "{}", FINGERPRINT))
        opened.save_standing(name, standing_of(settings))
        folder = place.parent if isinstance(place, Path) else Path(".leanloop")

        def made(settings: GatewaySettings, upstreams: Upstreams) -> Gateway:
            tell = partial(_say, console)
            meter = Meter(
                opened.call_log(name),
                folder,
                Prices(settings.models),
                settings.caps,
                Keeping(keep_contents, watchers, tell),
            )
            return Gateway(settings, upstreams, meter, access, bounds, tell)

        asyncio.run(_serve(asked, settings, made, console))
    finally:
        opened.close()


class _Asked(msgspec.Struct, frozen=True):
    upstream: str | None
    key: str | None
    host: str
    port: int
    json: bool

    def __repr__(self) -> str:
        return f"_Asked({self.upstream!r}, {self.host!r}, {self.port!r})"


async def _serve(
    asked: _Asked,
    settings: GatewaySettings,
    made: Callable[[GatewaySettings, Upstreams], Gateway],
    console: Console,
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        base = asked.upstream
        specs, other = dict(settings.models), None
        if base is not None and "://" not in base:
            specs[UPSTREAM] = spec_of(base, "--upstream")
        elif base is not None:
            check_base(base, "--upstream")
        answering = await stack.enter_async_context(local_models_served(specs, tell_fetch(console)))
        if UPSTREAM in specs and base is not None and "://" not in base:
            base, other = None, answering[UPSTREAM]
        settings = msgspec.structs.replace(settings, models=specs)
        upstreams = Upstreams(base, asked.key, answering, other)
        gateway = made(settings, upstreams)
        url = await stack.enter_async_context(serving(gateway, asked.host, asked.port))
        _introduce(console, url, settings)
        if asked.json:
            levers = dict(settings.configuration)
            emit({"url": url, "levers": levers, "refused": settings.refused})
        await stop.wait()
        console.print(
            f"leanloop: stopping; calls under way have {DRAIN_S:g} s to end", highlight=False
        )


def _introduce(console: Console, url: str, settings: GatewaySettings) -> None:
    lines = [f"leanloop gateway at {url}; levers: {settings.configuration}"]
    lines += [f"  {name} does not act here: {why}" for name, why in settings.refused.items()]
    if settings.canary is not None:
        share = f"{100 * settings.canary.share:g}%"
        lines.append(f"  canary, {share} of new sessions: {settings.canary_configuration}")
    lines.append(f"  export OPENAI_BASE_URL={url}/v1 ANTHROPIC_BASE_URL={url}")
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)


def _say(console: Console, text: str) -> None:
    console.print(f"leanloop: {text}", highlight=False, soft_wrap=True)


def own_keys() -> tuple[str, ...]:
    """The keys that let clients in, as the environment has them."""
    return tuple(k.strip() for k in os.environ.get(KEYS, "").split(",") if k.strip())


def _upstream_key(variable: str | None) -> str | None:
    if variable is None:
        return None
    key = os.environ.get(variable)
    if not key:
        raise BadInputError("--upstream-key-env", f"the variable {variable} is not set")
    return key
