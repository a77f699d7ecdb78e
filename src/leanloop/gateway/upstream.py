"""Where calls go on to, and what goes with them."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from leanloop.core.errors import BadInputError
from leanloop.gateway.protocol import Wire
from leanloop.models.builtin import ModelSpec
from leanloop.models.endpoint import shown_address
from leanloop.models.wire_errors import shown

OPENAI = "https://api.openai.com/v1"
ANTHROPIC = "https://api.anthropic.com"
HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers of one connection (RFC 9110, section 7.6.1) and those that aiohttp writes itself."""
OWN = "x-leanloop-"
CONNECT_S = 10.0


@dataclass(frozen=True)
class Target:
    """Where a call goes.

    Args:
        base: The address that its path is put behind.
        model: The model's name there; None to leave what the body has.
        key: The key to use there; None for the client's own. It is in no representation.
        alias: The name of the table ``[models.NAME]`` that says so, for errors; empty
            for none.
    """

    base: str
    model: str | None = None
    key: str | None = field(default=None, repr=False)
    alias: str = ""

    @property
    def called(self) -> str:
        """The place as errors name it, without secrets."""
        place = shown(shown_address(self.base), self.key or "")
        return f"[models.{self.alias}] at {place}" if self.alias else place


@dataclass(frozen=True)
class Upstreams:
    """Knows where each model answers.

    Args:
        base: Where calls go that no model of ``models`` says otherwise of; the provider's
            own address when None.
        key: The key to use there; None for the client's own.
        models: Names that levers and clients may use for models, with their addresses.
        other: Answers calls of any other model; None to let them pass under their name.
    """

    base: str | None = None
    key: str | None = field(default=None, repr=False)
    models: Mapping[str, ModelSpec] = field(default_factory=dict)
    other: ModelSpec | None = None

    def target(self, wire: Wire | None, model: str, *, anthropic: bool = False) -> Target:
        """Where a call of that model goes.

        Args:
            wire: Its API; None for a request that is no call.
            model: As the body names it.
            anthropic: Whether a request that is no call is one of Anthropic's.

        Raises:
            BadInputError: The model's provider does not speak the API.
        """
        of_messages = wire is not None and wire.name == "messages"
        usual = ANTHROPIC if of_messages or anthropic else OPENAI
        base = self.base or usual
        spec = self.models.get(model, self.other)
        if spec is None:
            return Target(base, None, self.key)
        alias = model if model in self.models else ""
        if spec.base_url is None and self.base is None and wire is not None:
            _check_speaks(spec, model, of_messages=of_messages)
        if spec.base_url is None and spec.api_key_env is None:
            return Target(base, spec.name, self.key, alias)
        return Target(spec.base_url or usual, spec.name, _key_of(spec) or self.key, alias)


def _check_speaks(spec: ModelSpec, model: str, *, of_messages: bool) -> None:
    if (spec.provider == "anthropic") != of_messages:
        raise BadInputError(
            f"models.{model}",
            f"is {spec.provider}'s, which does not speak this API; calls are not translated",
        )


def _key_of(spec: ModelSpec) -> str | None:
    return None if spec.api_key_env is None else os.environ.get(spec.api_key_env)


def joined(base: str, path_qs: str) -> URL:
    """The address of a path behind a base, whichever of the two has the version."""
    base = base.rstrip("/")
    own = URL(base).path
    if own not in ("", "/") and path_qs.startswith(f"{own}/"):
        path_qs = path_qs[len(own) :]
    elif own.endswith("/v1") and path_qs.startswith("/v1/"):
        path_qs = path_qs[3:]
    return URL(f"{base}{path_qs}", encoded=True)


def check_base(base: str, where: str) -> str:
    """An address that calls can be sent to.

    Raises:
        BadInputError: It is none.
    """
    try:
        url = URL(base)
    except ValueError:
        url = URL("")
    if url.scheme not in {"http", "https"} or not url.host:
        raise BadInputError(where, "takes an address such as https://api.openai.com/v1")
    return base


def request_headers(given: CIMultiDictProxy[str], key: str | None) -> CIMultiDict[str]:
    """The client's headers as they go on.

    Args:
        given: The client's.
        key: A key in the place of the client's; None to leave that.
    """
    named = {h.strip().lower() for h in given.get("connection", "").split(",")}
    sent: CIMultiDict[str] = CIMultiDict()
    for name, value in given.items():
        low = name.lower()
        if low not in HOP_BY_HOP and low not in named and not low.startswith(OWN):
            sent.add(name, value)
    # What an answer says of its usage must be readable here.
    sent["accept-encoding"] = "identity"
    if key is not None:
        if "x-api-key" in sent:
            sent["x-api-key"] = key
            sent.pop("authorization", None)
        else:
            sent["authorization"] = f"Bearer {key}"
    return sent


def answer_headers(given: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """The upstream's headers as they go back."""
    return CIMultiDict((n, v) for n, v in given.items() if n.lower() not in HOP_BY_HOP)


class UnreachableError(Exception):
    """Upstream could not be reached, or went away before it had answered."""


class Upstream:
    """Sends requests on; nothing is ever sent twice.

    Args:
        idle_s: Seconds without a byte after which an answer is given up.
    """

    def __init__(self, idle_s: float) -> None:
        self._idle_s = idle_s
        self._client: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make ready to send."""
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30, ttl_dns_cache=60),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_S, sock_read=self._idle_s
            ),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()

    async def send(
        self, method: str, path_qs: str, headers: CIMultiDict[str], body: bytes, target: Target
    ) -> aiohttp.ClientResponse:
        """Send a request; what comes back has its status and headers, and not yet its body.

        Args:
            method: Of the request.
            path_qs: The client's path with its query.
            headers: As ``request_headers`` made them.
            body: As it goes on.
            target: Where it goes.

        Raises:
            UnreachableError: There is no answer.
        """
        assert self._client is not None
        try:
            return await self._client.request(
                method,
                joined(target.base, path_qs),
                headers=headers,
                data=body or None,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            said = f"{target.called}: no answer ({type(error).__name__})"
            raise UnreachableError(said) from None


def unpacked(data: bytes, encoding: str) -> bytes:
    """An answer's bytes as text; nothing where they are packed in a way that is not known."""
    if encoding in ("", "identity"):
        return data
    try:
        if encoding in ("gzip", "deflate"):
            return zlib.decompress(data, 47)
    except zlib.error:
        pass
    return b""
