"""Dollars of calls as they pass."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from leanloop.core.run import ModelCall
from leanloop.models.builtin import ModelSpec
from leanloop.models.own_price import own_price
from leanloop.pricing.machine import DEFAULT_USD_PER_HOUR
from leanloop.pricing.protocol import PriceRule
from leanloop.traces.prices import TracePrices


class Prices:
    """Prices calls by what a gateway's file states, else by the list.

    Args:
        models: Names that the file gives to models; their prices go before the list, and
            models of this machine cost its time.
        usd_per_hour: Price of this machine.
    """

    def __init__(
        self, models: Mapping[str, ModelSpec], usd_per_hour: Decimal = DEFAULT_USD_PER_HOUR
    ) -> None:
        self._listed = TracePrices()
        self._stated: dict[str, PriceRule] = {}
        for alias, spec in models.items():
            rule = own_price(alias, spec, usd_per_hour)
            if rule is not None:
                names = (spec.name, f"{spec.provider}:{spec.name}", alias)
                self._stated |= dict.fromkeys(names, rule)

    def usd(self, call: ModelCall) -> Decimal | None:
        """Dollars of one call; None when the model's price or a class of tokens is unknown.

        The model is looked for as it was asked for, and then as the answer names it.
        """
        for name in (call.model, call.model_ref):
            stated = self._stated.get(name)
            if stated is not None:
                return stated.usd(call)
            found = self._listed.find(name)
            if found is not None:
                return found.usd(call.tokens, call.started_at)
        return None
