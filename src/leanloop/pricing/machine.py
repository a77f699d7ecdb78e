"""A model on one's own machine: seconds times a price an hour."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from leanloop.core.run import ModelCall

DEFAULT_USD_PER_HOUR = Decimal("0.10")
"""A stated default, about what two virtual cores with 8 GB rent for on demand."""


@dataclass(frozen=True)
class MachineHour:
    """Prices a call by the seconds that it kept the machine busy.

    Args:
        usd_per_hour: What the machine costs an hour.
    """

    usd_per_hour: Decimal = DEFAULT_USD_PER_HOUR

    def usd(self, call: ModelCall) -> Decimal | None:
        """Seconds of the call times the price a second."""
        return Decimal(repr(call.latency_s)) * self.usd_per_hour / 3600

    @property
    def label(self) -> str:
        """The price an hour."""
        return f"machine at ${self.usd_per_hour}/h"
