"""The gateway: whose call it is, whether it may be made, and how it is carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError
from leanloop.core.run import ModelCall
from leanloop.gateway.access import Access, digest_of_key, given_keys
from leanloop.gateway.builtin import wire_of
from leanloop.gateway.canary import Canary
from leanloop.gateway.conversation import Conversation
from leanloop.gateway.exchange import Call, Exchange, refused
from leanloop.gateway.meter import Recorder
from leanloop.gateway.own_pages import OWN_PATH, OwnPages
from leanloop.gateway.protocol import Peeked, Wire
from leanloop.gateway.session import MOST, Matched, Said, Session, Sessions
from leanloop.gateway.settings import GatewaySettings
from leanloop.gateway.steering import Steering
from leanloop.gateway.upstream import (
    Target,
    UnreachableError,
    Upstream,
    Upstreams,
    answer_headers,
    request_headers,
    unpacked,
)
from leanloop.levers.builtin import all_levers

LONGEST_LABEL = 200
MOST_TOLD = 100
"""Different things that are told; clients may name as many models as they like."""


@dataclass(frozen=True)
class Bounds:
    """What no request may pass.

    Args:
        body_bytes: Of a request's body.
        idle_s: Seconds without a byte from upstream.
    """

    body_bytes: int = 64 * 1024 * 1024
    idle_s: float = 600.0


class Gateway:
    """Passes calls on, meters them, keeps caps, and runs the levers of each session.

    Args:
        settings: Levers, caps and canary.
        upstreams: Where calls go.
        meter: What writes them down.
        access: Who may use it.
        bounds: What no request may pass.
        tell: Says what a user should know, in a line.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        upstreams: Upstreams,
        meter: Recorder,
        access: Access,
        bounds: Bounds | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.settings = settings
        self.sessions = Sessions()
        self.meter = meter
        self.canary = _canary(settings, meter)
        self.bounds = bounds or Bounds()
        self._upstreams = upstreams
        self._upstream = Upstream(self.bounds.idle_s)
        self._access = access
        self._tell = tell
        self._levers = all_levers()
        self._told: set[str] = set()
        self._pages = OwnPages(self)
        known = (settings.configuration, settings.canary_configuration)
        self._configurations: dict[str, Configuration] = {c.id: c for c in known}
        self._recall_sessions()

    async def open(self) -> None:
        """Make ready to pass calls on."""
        await self._upstream.open()

    async def close(self) -> None:
        """Close connections and write down what is left; calls under way are to be over."""
        await self._upstream.close()
        self.meter.close()

    async def handle(self, http: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        wire, keys = wire_of(http.method, http.path), given_keys(http.headers)
        unwelcome = self._access.refusal(keys, http.headers)
        if unwelcome is not None:
            status, why = unwelcome
            return refused(wire, status, "access", why)
        if http.path.startswith(OWN_PATH):
            return await self._pages.handle(http)
        try:
            if (http.content_length or 0) > self.bounds.body_bytes:
                raise web.HTTPRequestEntityTooLarge(self.bounds.body_bytes, 0)
            await _let_send(http)
            raw = await http.read()
            return await self._pass(http, wire, raw, keys)
        except Exception as error:  # a client must not hang, whatever happens here
            return refused(wire, *self._refusal_of(error))

    def _refusal_of(self, error: Exception) -> tuple[int, str, str]:
        """What a client is told: status, kind and text."""
        if isinstance(error, web.HTTPRequestEntityTooLarge):
            most = self.bounds.body_bytes // 1024**2
            return 413, "request", f"a body may have {most} MB (--max-body-mb)"
        if isinstance(error, UnreachableError):
            return 502, "upstream", str(error)
        if isinstance(error, BadInputError):
            return 400, "request", str(error)
        self._tell(f"a call failed here: {type(error).__name__}")
        return 500, "upstream", f"a mistake here ({type(error).__name__})"

    async def _pass(
        self, http: web.BaseRequest, wire: Wire | None, raw: bytes, keys: list[str]
    ) -> web.StreamResponse:
        packed = http.headers.get("content-encoding", "").lower()
        plain = unpacked(raw, packed)
        if raw and not plain and wire is not None:
            self._tell_once(f"bodies packed as {packed[:20]!r} pass unread and unmetered")
        peeked = _peeked(wire, plain)
        if wire is None or peeked is None:
            return await self._relay_other(http, wire, raw, keys)
        session, matched = self._session(http, wire, peeked, keys)
        over = self.meter.refusal(session)
        if over is not None:
            return refused(wire, *over)
        if session.steering is None and session.configuration:
            prices = self.meter.prices.usd
            session.steering = Steering(wire, session.configuration, self._levers, prices)
        success = self._success(http, session)
        call = Call(http, wire, raw, plain, peeked, session, matched, success)
        exchange = Exchange(
            call,
            self._upstream,
            self.meter,
            lambda model: self._target(wire, model, keys),
            self._check_price,
            self._tell,
        )
        self.sessions.sent(session, matched)
        session.under_way += 1
        try:
            if session.steering is None or peeked.chained:
                return await exchange.relay()
            async with session.lock:
                return await exchange.steered(session.steering)
        finally:
            session.under_way -= 1

    async def _relay_other(
        self, http: web.BaseRequest, wire: Wire | None, raw: bytes, keys: list[str]
    ) -> web.StreamResponse:
        """Pass on what is no call of a model, or one that nobody here can read."""
        target = self._target(wire, "", keys, http.headers)
        headers = request_headers(http.headers, target.key)
        upstream = await self._upstream.send(http.method, http.path_qs, headers, raw, target)
        answer = web.StreamResponse(
            status=upstream.status, reason=upstream.reason, headers=answer_headers(upstream.headers)
        )
        try:
            await answer.prepare(http)
            async for piece in upstream.content.iter_any():
                await answer.write(piece)
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            if http.transport is not None:
                http.transport.abort()
            return answer
        finally:
            upstream.release() if upstream.content.at_eof() else upstream.close()
        await answer.write_eof()
        return answer

    def _target(
        self,
        wire: Wire | None,
        model: str,
        keys: list[str],
        headers: Mapping[str, str] | None = None,
    ) -> Target:
        anthropic = bool(headers) and "anthropic-version" in (headers or {})
        target = self._upstreams.target(wire, model, anthropic=anthropic)
        if target.key is None and self._access.is_own(keys):
            # The gateway's own key is no provider's business.
            return Target(target.base, target.model, "")
        return target

    # Whose call it is.

    def _session(
        self, http: web.BaseRequest, wire: Wire, peeked: Peeked, keys: list[str]
    ) -> tuple[Session, Matched]:
        key, named = digest_of_key(keys), _label(http, "session")
        matched = self.sessions.match(peeked, key, named, Said(wire.messages, peeked.items))
        if matched.session is not None:
            return matched.session, matched
        session_id = self.sessions.free_id(named, key)
        session = self._remember(session_id, self.choose(session_id, key), key)
        session.task = _label(http, "task")
        return session, matched

    def _remember(self, session_id: str, configuration: Configuration, key: str) -> Session:
        session = Session(session_id, configuration, key)
        session.conversation = Conversation(contents=self.meter.contents)
        self.sessions.add(session)
        return session

    def _recall_sessions(self) -> None:
        """Sessions that began with a gateway of this name that was here before go on."""
        for found in self.meter.earlier(MOST):
            own = self._configurations.get(found.configuration_id)
            configuration = own or self.choose(found.session_id, found.key)
            session = self._remember(found.session_id, configuration, found.key)
            session.task = found.task
            session.answered = found.trace.response is not None
            self.sessions.mark(session, bytes.fromhex(found.mark))

    def choose(self, session_id: str, key: str) -> Configuration:
        """The levers of a new session.

        Args:
            session_id: Its id.
            key: A digest of the client's key.
        """
        del key
        if self.canary is None:
            return self.settings.configuration
        return self.canary.choose(session_id)

    # What clients say of sessions.

    def _success(self, http: web.BaseRequest, session: Session) -> float | None:
        try:
            success = float(http.headers.get("x-leanloop-success", ""))
        except ValueError:
            return None
        if not 0 <= success <= 1:
            return None
        self.heard(session.session_id, session.configuration.id, success)
        return success

    def heard(self, session_id: str, configuration_id: str, success: float) -> None:
        """Take a session's outcome to the canary."""
        if self.canary is not None and self.canary.tell(session_id, configuration_id, success):
            self._tell(
                f"the canary {configuration_id} is shown worse: new sessions run "
                f"{self.canary.old.id} again"
            )

    def _check_price(self, made: ModelCall) -> None:
        name = made.model_ref
        capped = any(c.unit == "usd" for c in self.settings.caps)
        if not capped or made.tokens.total_tokens is None:
            return
        if self.meter.prices.usd(made) is None:
            what = name[:LONGEST_LABEL] or "a model"
            self._tell_once(f"the price of {what} is unknown: caps in dollars leave it out")

    def _tell_once(self, text: str) -> None:
        if text not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(text)
            self._tell(text)


def _canary(settings: GatewaySettings, meter: Recorder) -> Canary | None:
    if settings.canary is None:
        return None
    canary = Canary(settings.configuration, settings.canary_configuration, settings.canary)
    for outcome in meter.outcomes():
        canary.tell(outcome.session_id, outcome.configuration_id, outcome.success)
    return canary


async def _let_send(http: web.BaseRequest) -> None:
    """Tell a client that asks first, as curl does with a long body, to send it."""
    if http.headers.get("expect", "").lower() == "100-continue":
        await http.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        http.writer.output_size = 0  # no part of the answer, which has not begun


def _peeked(wire: Wire | None, raw: bytes) -> Peeked | None:
    if wire is None:
        return None
    try:
        return wire.peek(raw)
    except BadInputError:
        return None  # the endpoint says best what is wrong with it


def _label(http: web.BaseRequest, what: str) -> str:
    return http.headers.get(f"x-leanloop-{what}", "")[:LONGEST_LABEL]
