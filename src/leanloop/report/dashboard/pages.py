"""Answers the live page's requests: the page's files, states, events and orders."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from urllib.parse import unquote, urlsplit

import msgspec
from aiohttp import web

from leanloop.core.errors import BadInputError
from leanloop.core.run import RunKey
from leanloop.gateway.access import Access, given_keys
from leanloop.gateway.session_runs import FINGERPRINT
from leanloop.report.dashboard.asked import Order, carry_out
from leanloop.report.dashboard.board import POLL_S, Document, Shared
from leanloop.report.dashboard.gateway_board import GatewayBoard
from leanloop.report.dashboard.redaction import Redaction, secrets_of
from leanloop.report.dashboard.run_view import Grounds, find_run, view_request, view_run
from leanloop.report.dashboard.study_board import StudyBoard
from leanloop.store.protocol import Store

TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
PAGE = "index.html"
LARGEST_ORDER = 4096
"""Bytes."""
BEAT_S = 15.0
"""Seconds between two signs of life on a connection that has nothing to tell."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class NotThereError(Exception):
    """There is no such page."""


@dataclass
class Open:
    """A study or a gateway that somebody looks at."""

    shared: Shared
    grounds: Grounds | None = None
    redaction: Redaction = field(default_factory=Redaction)


class Pages:
    """The live page over one store.

    Args:
        store: Where studies and gateways are.
        access: Who may see it.
        secrets: What must not be on it, beside what a study's models say.
        load_suites: Whether suites may be built here, to rebuild what was sent.
    """

    def __init__(
        self, store: Store, access: Access, secrets: list[str], *, load_suites: bool = True
    ) -> None:
        self._store, self._access, self._secrets = store, access, secrets
        self._load_suites = load_suites
        self._open: dict[str, Open] = {}
        self._opening = asyncio.Lock()
        self.closing = asyncio.Event()
        """Set when the server ends, so that connections that wait end too."""

    # Requests.

    async def handle(self, http: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        refused = self._refusal(http)
        if refused is not None:
            return refused
        try:
            return await self._answer(http)
        except NotThereError:
            return _problem(404, "there is no such page")
        except BadInputError as error:
            return self._json({"error": str(error)}, Redaction(self._secrets), 400)

    def _refusal(self, http: web.BaseRequest) -> web.Response | None:
        """Who has no key, and pages of other sites, are turned away."""
        keys = [*given_keys(http.headers), *_word(http.headers)]
        if not self._access.allows(keys):
            answer = _problem(401, "no key was given")
            answer.headers["WWW-Authenticate"] = 'Basic realm="leanloop", charset="UTF-8"'
            return answer
        if not self._access.is_invited(http.headers) or not _is_same_site(http):
            return _problem(403, "a page of another site may not use this one")
        return None

    async def _answer(self, http: web.BaseRequest) -> web.StreamResponse:
        parts = [unquote(p) for p in http.rel_url.raw_path.strip("/").split("/") if p]
        match http.method, parts:
            case "GET", [] | ["study", _] | ["gateway", _]:
                return _file(PAGE)
            case "GET", ["assets", name]:
                return _file(name)
            case "GET", ["api", "list"]:
                return self._json(await asyncio.to_thread(self.names), Redaction(self._secrets))
            case "GET", ["api", "study" | "gateway" as kind, name, *what]:
                return await self._read(http, await self.opened(kind, name), what)
            case "POST", ["api", "study", name, "control"]:
                return await self._order(http, await self.opened("study", name), name)
        raise NotThereError

    async def _read(
        self, http: web.BaseRequest, found: Open, what: list[str]
    ) -> web.StreamResponse:
        match what:
            case []:
                return self._json(await found.shared.state(whole=True), found.redaction)
            case ["events"]:
                return await self._events(http, found)
            case [name]:
                return await self._detail(http.query, found, name)
        raise NotThereError

    def names(self) -> Document:
        """Studies and gateways of the store, newest first."""
        found: Document = {"studies": [], "gateways": []}
        for name in reversed(self._store.studies()):
            record = self._store.study(name)
            is_gateway = record is not None and record.fingerprint == FINGERPRINT
            found["gateways" if is_gateway else "studies"].append(name)
        return found

    async def opened(self, kind: str, name: str) -> Open:
        """A study or gateway, opened once for all who look at it.

        Raises:
            BadInputError: There is none of that name.
        """
        key = f"{kind}/{name}"
        async with self._opening:
            if key not in self._open:
                made = self._new_study if kind == "study" else self._new_gateway
                self._open[key] = await asyncio.to_thread(made, name)
            return self._open[key]

    def _new_study(self, name: str) -> Open:
        if name in self.names()["gateways"]:
            raise BadInputError(f"study {name!r}", f"is a gateway: --gateway {name}")
        board = StudyBoard(self._store, name)
        redaction = Redaction([*self._secrets, *secrets_of(board.spec.models)])
        return Open(Shared(board), Grounds(board.spec, asked=self._load_suites), redaction)

    def _new_gateway(self, name: str) -> Open:
        if name not in self.names()["gateways"]:
            known = ", ".join(self.names()["gateways"]) or "none"
            raise BadInputError(f"gateway {name!r}", f"is not in the store; gateways: {known}")
        return Open(Shared(GatewayBoard(self._store, name)), None, Redaction(self._secrets))

    # Details.

    async def _detail(self, query: Mapping[str, str], found: Open, what: str) -> web.Response:
        board = found.shared.board
        views = self._study_views(board, found) if isinstance(board, StudyBoard) else {}
        if isinstance(board, GatewayBoard):
            views = {"session": lambda asked: board.session(asked.get("id", ""))}
        if what not in views:
            raise NotThereError
        # What the board has not taken in yet cannot be looked at.
        await found.shared.state()
        return self._json(await asyncio.to_thread(views[what], query), found.redaction)

    def _study_views(
        self, board: StudyBoard, found: Open
    ) -> dict[str, Callable[[Mapping[str, str]], Document]]:
        grounds = found.grounds or Grounds(board.spec, asked=False)
        prices = board.spec.price_book()

        def run(query: Mapping[str, str]) -> Document:
            key = _key(query)
            stored = find_run(self._store.find(board.name, key), key)
            configuration = board.settings_of(key.configuration_id)
            if "step" in query:
                return view_request(stored, configuration, grounds, _number(query["step"]))
            shown = view_run(stored, configuration, prices, grounds)
            return shown | {"others": board.others(key.task_id, key.seed)}

        return {
            "run": run,
            "configuration": lambda query: board.configuration(query.get("id", "")),
        }

    # Orders.

    async def _order(self, http: web.BaseRequest, found: Open, name: str) -> web.Response:
        if http.content_type != "application/json" or (http.content_length or 0) > LARGEST_ORDER:
            return _problem(415, "an order is a short JSON document")
        try:
            order = msgspec.json.decode(await http.content.read(LARGEST_ORDER), type=Order)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return self._json({"error": str(error)}, found.redaction, 400)
        state = await found.shared.state()
        await asyncio.to_thread(carry_out, order, self._store, name, state["head"])
        return self._json(await found.shared.state(whole=True), found.redaction)

    # Events.

    async def _events(self, http: web.BaseRequest, found: Open) -> web.StreamResponse:
        answer = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        await answer.prepare(http)
        try:
            await self._tell(found, answer.write)
        except (ConnectionError, asyncio.CancelledError):
            # Whoever watched has gone.
            return answer
        return answer

    async def _tell(self, found: Open, write: Callable[[bytes], Awaitable[None]]) -> None:
        """Send the whole state, then what changes, until the server ends."""
        seen, quiet_s = 0, 0.0
        while not self.closing.is_set():
            state = await found.shared.state(seen)
            if state["version"] != seen:
                seen, quiet_s = state["version"], 0.0
                document = found.redaction.clean(msgspec.json.encode(state))
                await write(b"id: %d\nevent: state\ndata: %s\n\n" % (seen, document))
            elif quiet_s >= BEAT_S:
                quiet_s = 0.0
                await write(b": still here\n\n")
            try:
                await asyncio.wait_for(self.closing.wait(), POLL_S)
            except TimeoutError:
                quiet_s += POLL_S

    def _json(self, value: Document, redaction: Redaction, status: int = 200) -> web.Response:
        body = redaction.clean(msgspec.json.encode(value))
        return web.Response(
            status=status, body=body, content_type="application/json", headers=HEADERS
        )


def _is_same_site(http: web.BaseRequest) -> bool:
    """Whether a request comes from our own page, from a program, or from a person's typing.

    ``Access`` lets pages of this machine's other ports use a gateway; what can stop a study is
    more careful.
    """
    origin = http.headers.get("origin")
    if origin is not None:
        return origin != "null" and urlsplit(origin).netloc == http.headers.get("host")
    site = http.headers.get("sec-fetch-site", "none")
    goes_there = http.headers.get("sec-fetch-mode") == "navigate" and http.method == "GET"
    return site in ("none", "same-origin") or goes_there


def _word(headers: Mapping[str, str]) -> list[str]:
    """The password that a browser asked its user for, who puts a key there."""
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return []
    try:
        return [base64.b64decode(rest, validate=True).decode().partition(":")[2]]
    except (binascii.Error, UnicodeDecodeError):
        return []


def _file(name: str) -> web.Response:
    ending = name.rpartition(".")[2]
    path = files("leanloop.report.dashboard") / name
    if ending not in TYPES or "/" in name or "\\" in name or not path.is_file():
        raise NotThereError
    body = path.read_bytes()
    return web.Response(body=body, content_type=TYPES[ending], charset="utf-8", headers=HEADERS)


def _problem(status: int, text: str) -> web.Response:
    body = msgspec.json.encode({"error": text})
    return web.Response(status=status, body=body, content_type="application/json", headers=HEADERS)


def _key(query: Mapping[str, str]) -> RunKey:
    seed = _number(query.get("seed", "0"))
    return RunKey(query.get("id", ""), query.get("task", ""), seed)


def _number(text: str) -> int:
    if not text.lstrip("-").isdigit() or len(text) > 18:
        raise BadInputError("seed or step", "takes a whole number")
    return int(text)
