"""Who may use a gateway, and a digest of who did."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from hashlib import blake2b
from urllib.parse import urlsplit

from leanloop.core.errors import BadInputError

HEADERS = ("x-leanloop-key", "authorization", "x-api-key", "api-key")
NOBODY = "none"


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def given_keys(headers: Mapping[str, str]) -> list[str]:
    """The keys that a request carries, its own for the gateway first."""
    found = []
    for name in HEADERS:
        value = headers.get(name, "")
        scheme, _, rest = value.partition(" ")
        key = rest.strip() if scheme.lower() == "bearer" else value.strip()
        if key:
            found.append(key)
    return found


def digest_of_key(keys: list[str]) -> str:
    """Tells clients apart without keeping their keys: 64 bits of a digest."""
    if not keys:
        return NOBODY
    return blake2b(keys[-1].encode(), digest_size=8, person=b"leanloop").hexdigest()


def _host_of(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


class Access:
    """Lets through who has one of the gateway's own keys; everybody where it has none.

    Args:
        keys: The gateway's own.
        host: The address that it listens on.

    Raises:
        BadInputError: Others could reach it and it has no key.
    """

    def __init__(self, keys: tuple[str, ...], host: str) -> None:
        if not keys and not is_loopback(host):
            raise BadInputError(
                "--host",
                f"{host} can be reached by others: put keys for them, separated by commas, into "
                "LEANLOOP_GATEWAY_KEYS",
            )
        self._keys = tuple(k.encode() for k in keys)

    def __repr__(self) -> str:
        return f"Access({len(self._keys)} keys)"

    def allows(self, keys: list[str]) -> bool:
        """Whether a request with these keys may pass."""
        if not self._keys:
            return True
        return any(hmac.compare_digest(k.encode(), own) for k in keys for own in self._keys)

    def refusal(self, keys: list[str], headers: Mapping[str, str]) -> tuple[int, str] | None:
        """Why a request may not pass, with the HTTP status; None when it may."""
        if not self.allows(keys):
            return 401, "no key of this gateway was given"
        if not self.is_invited(headers):
            return 403, "a page of another site may not use this gateway"
        return None

    def is_invited(self, headers: Mapping[str, str]) -> bool:
        """Whether a request comes from a program, or from a page of this machine.

        A browser lets any site's page send requests to a loopback address; a gateway that
        asks for no key must not spend its owner's money for them. A name in ``Host`` that is
        none of this machine's is how such a page would reach its answers.
        """
        if self._keys:
            return True
        origin = headers.get("origin", "")
        if origin and not is_loopback(_host_of(origin)):
            return False
        return is_loopback(_host_of(f"http://{headers.get('host', 'localhost')}"))

    def is_own(self, keys: list[str]) -> bool:
        """Whether what stands in a provider's place is the gateway's own key."""
        provider = [k.encode() for k in keys[-1:]]
        return any(hmac.compare_digest(k, own) for k in provider for own in self._keys)
