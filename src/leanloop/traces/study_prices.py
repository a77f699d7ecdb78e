"""How a study prices its runs, as far as what a store keeps of it says."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.models.builtin import ModelSpec
from leanloop.models.own_price import own_price
from leanloop.pricing.catalogue import ListPrice
from leanloop.pricing.cost import PriceBook
from leanloop.pricing.machine import DEFAULT_USD_PER_HOUR


class _Study(msgspec.Struct, frozen=True):
    """What of a study's description prices go by; the rest is passed over."""

    models: dict[str, ModelSpec] = {}
    usd_per_hour: Decimal = DEFAULT_USD_PER_HOUR


def book_of_study(spec_json: str | bytes | None) -> PriceBook | None:
    """The prices of a study that states one itself, or whose models cost this machine's time.

    Args:
        spec_json: The study's description as a store keeps it.

    Returns:
        None where every price is the list's, and where it is no study that can be read.
    """
    try:
        # A damaged store may hold anything where the description should be.
        study = msgspec.json.decode(spec_json or b"", type=_Study)
        own = {a: own_price(a, m, study.usd_per_hour) for a, m in study.models.items()}
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError, BadInputError):
        return None
    if not any(own.values()):
        return None
    listed = {a: ListPrice(m.provider, m.name) for a, m in study.models.items()}
    return PriceBook({a: rule or listed[a] for a, rule in own.items()})
