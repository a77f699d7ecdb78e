"""What a model costs where a file of the user's says so."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from leanloop.core.errors import BadInputError
from leanloop.models.builtin import ModelSpec
from leanloop.pricing.machine import MachineHour
from leanloop.pricing.per_token import PerToken
from leanloop.pricing.protocol import PriceRule

LOCAL = frozenset({"embedded", "scripted"})
"""Providers whose models run on this machine, and cost its time."""
PRICED = ("input", "output", "cache_read", "cache_write")
"""Classes of tokens that a price names."""


def own_price(alias: str, spec: ModelSpec, usd_per_hour: Decimal) -> PriceRule | None:
    """The price that is stated, or the machine's; None where a list has to say it.

    Args:
        alias: The file's name for the model, for errors.
        spec: What the file says of it.
        usd_per_hour: Price of this machine.

    Raises:
        BadInputError: A class of tokens is unknown or missing.
    """
    if spec.price is not None:
        return per_token(spec.price, f"models.{alias}.price")
    return MachineHour(usd_per_hour) if spec.provider in LOCAL else None


def per_token(price: Mapping[str, Decimal], where: str) -> PerToken:
    """A table of prices a million tokens as a rule.

    Args:
        price: Class of tokens to dollars.
        where: Where it stands, for errors.

    Raises:
        BadInputError: A class of tokens is unknown or missing.
    """
    for name in price:
        if name not in PRICED:
            raise BadInputError(f"{where}.{name}", f"no such class; there are {', '.join(PRICED)}")
    try:
        return PerToken(
            price["input"], price["output"], price.get("cache_read"), price.get("cache_write")
        )
    except KeyError as error:
        raise BadInputError(f"{where}.{error.args[0]}", "is missing") from error
