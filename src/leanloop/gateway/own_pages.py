"""What the gateway says of itself, below ``/leanloop/``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from leanloop.gateway.journal import MOST_WAITING

if TYPE_CHECKING:
    from leanloop.gateway.server import Gateway

OWN_PATH = "/leanloop/"
JSON = "application/json"


class _Told(msgspec.Struct, forbid_unknown_fields=True):
    """A session's outcome as a client reports it."""

    session: str
    success: float


class OwnPages:
    """Health, sessions, outcomes and metrics.

    Args:
        gateway: Whose.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def handle(self, http: web.BaseRequest) -> web.StreamResponse:
        """Answer a request below ``/leanloop/``."""
        match http.method, http.path.removeprefix(OWN_PATH):
            case "GET", "health":
                return _json(self._health())
            case "GET", "canary":
                return _json(self._canary())
            case "POST", "outcome":
                return await self._outcome(http)
            case "GET", "openapi.json":
                from leanloop.gateway.openapi import DOCUMENT  # noqa: PLC0415 - seldom asked for

                return _json(DOCUMENT)
            case "GET", "metrics":
                return self._metrics()
        return _json({"error": "there is no such page"}, 404)

    def _health(self) -> dict[str, object]:
        gateway = self._gateway
        return {
            "ok": gateway.meter.waiting < MOST_WAITING,
            "gateway": gateway.meter.name,
            "configuration": dict(gateway.settings.configuration),
            "sessions": len(gateway.sessions),
            "waiting_records": gateway.meter.waiting,
        }

    def _canary(self) -> object:
        canary = self._gateway.canary
        if canary is None:
            return {"canary": None}
        return {"old": canary.old.id, "new": canary.new.id, "verdict": canary.verdict()}

    async def _outcome(self, http: web.BaseRequest) -> web.StreamResponse:
        try:
            told = msgspec.json.decode(await http.read(), type=_Told)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _json({"error": str(error)}, 400)
        session = self._gateway.sessions.named(told.session)
        if session is None:
            return _json({"error": "no such session"}, 404)
        if not 0 <= told.success <= 1:
            return _json({"error": "success is 0 to 1"}, 400)
        configuration = session.configuration.id
        self._gateway.meter.outcome(told.session, configuration, told.success)
        self._gateway.heard(told.session, configuration, told.success)
        return _json({"ok": True})

    def _metrics(self) -> web.StreamResponse:
        shown = self._gateway.meter.metrics()
        if shown is None:
            return _json({"error": "install leanloop with the extra 'metrics'"}, 404)
        return web.Response(body=shown, content_type="text/plain", charset="utf-8")


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(value), content_type=JSON)
