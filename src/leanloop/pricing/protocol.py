"""What a price rule must do."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

from leanloop.core.run import ModelCall


class PriceRule(Protocol):
    """Prices the calls of one model."""

    def usd(self, call: ModelCall) -> Decimal | None:
        """Dollars of one call; None when the price or a token class is unknown."""

    @property
    def label(self) -> str:
        """Where the price comes from, in a few words."""
