"""Where a hosted model answers, and how long to wait for it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from leanloop.core.errors import BadInputError
from leanloop.models.wire_errors import shown

KEY = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Endpoint:
    """Where a hosted model answers.

    Args:
        api_key: The key; an endpoint that asks for none takes any text. It is
            left out of the representation.
        base_url: The address up to the version; None for the provider's own.
            The address that an SDK may find in the environment is never used,
            so the key goes nowhere but here.
        concurrency: Requests worth having under way at once.
        timeout_s: Seconds of silence after which a try is given up.
        max_retries: Tries after the first one. The SDKs wait half a second, then
            twice as long each time up to eight, or as long as the endpoint asks.
        alias: The study's name for the model, for errors; empty without a study.

    Raises:
        BadInputError: The key is empty or cannot be a key.
    """

    api_key: str = field(repr=False)
    base_url: str | None = None
    concurrency: int = 8
    timeout_s: float = 120.0
    max_retries: int = 5
    alias: str = ""

    def __post_init__(self) -> None:
        if not KEY.fullmatch(self.api_key):
            raise BadInputError(
                "api_key",
                "it is empty or has a space in it; check the variable that the study names",
            )

    @property
    def connect_s(self) -> float:
        """Seconds after which a connection is given up."""
        return min(10.0, self.timeout_s)

    def called(self, ref: str, usual_url: str) -> str:
        """A model as errors name it: whose it is, what it is, and where it answers.

        Args:
            ref: ``provider:model``.
            usual_url: Where it answers when there is no ``base_url``.
        """
        place = shown(shown_address(self.base_url or usual_url), self.api_key)
        return f"{f'[models.{self.alias}] ' if self.alias else ''}{ref} at {place}"


def shown_address(url: str) -> str:
    """An address as it may be shown: no user, no password, no query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
