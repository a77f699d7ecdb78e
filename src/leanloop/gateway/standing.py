"""What a gateway was told to do, kept for those who watch it; no keys, no addresses."""

from __future__ import annotations

import msgspec

from leanloop.core.configuration import Configuration, Setting
from leanloop.gateway.canary import Canary, CanaryPlan
from leanloop.gateway.caps import Cap
from leanloop.gateway.settings import GatewaySettings


class GatewayStanding(msgspec.Struct, frozen=True):
    """What a gateway does with what passes it.

    Attributes:
        levers: Settings of the sessions that are not the canary's.
        caps: What may be spent.
        canary: The new configuration that is tried out, and how; None for none.
        canary_levers: Its settings, as they act.
    """

    levers: dict[str, Setting]
    caps: tuple[Cap, ...]
    canary: CanaryPlan | None
    canary_levers: dict[str, Setting]

    def new_canary(self) -> Canary | None:
        """The canary before any outcome; None for none."""
        if self.canary is None:
            return None
        old, new = Configuration(self.levers), Configuration(self.canary_levers)
        return Canary(old, new, self.canary)


def standing_of(settings: GatewaySettings) -> bytes:
    """What is kept of a gateway's settings."""
    return msgspec.json.encode(
        GatewayStanding(
            dict(settings.configuration),
            settings.caps,
            settings.canary,
            dict(settings.canary_configuration),
        )
    )
