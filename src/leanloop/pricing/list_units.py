"""List prices of many calls: genai-prices asked once for each model, day and tier, then multiplied.

genai-prices takes a third of a millisecond a call, which is too much for a million of them.
Within a tier its price is linear in every class of tokens, so that five questions are enough.
"""

from __future__ import annotations

import functools
import time
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from genai_prices import Usage, calc_price
from genai_prices.types import StartDateConstraint, Tier, TieredPrices

from leanloop.core.tokens import Tokens

PROBE = 1_000_000
"""Tokens of a question outside every tier."""


@dataclass(frozen=True)
class Listed:
    """A model of the price list.

    Args:
        provider: The provider's id.
        model: The model's id.
        tiers: Input tokens beyond which another price holds for all of them, ascending.
        seconds: How long a price may be taken to hold: 0 where it never changes.
    """

    provider: str
    model: str
    tiers: tuple[int, ...]
    seconds: int


@functools.lru_cache(maxsize=4096)
def listed(model: str, provider: str | None = None) -> Listed | None:
    """The model as the price list knows it; None when it does not.

    Args:
        model: A name that the list can match.
        provider: The provider's id; any when None.
    """
    try:
        found = calc_price(Usage(input_tokens=1), model, provider_id=provider)
    except (LookupError, ValueError):
        return None
    prices = found.model.prices
    options = prices if isinstance(prices, list) else []
    each = [o.prices for o in options] or [found.model_price]
    starts = {t.start for p in each for v in vars(p).values() for t in _tiers(v)}
    days = all(isinstance(o.constraint, StartDateConstraint | None) for o in options)
    seconds = 0 if not options else 86400 if days else 60
    return Listed(found.provider.id, found.model.id, tuple(sorted(starts)), seconds)


def _tiers(value: object) -> list[Tier]:
    return list(value.tiers) if isinstance(value, TieredPrices) else []


def list_usd(at: Listed, tokens: Tokens, when_s: float | None) -> Decimal | None:
    """Dollars of one call; None when a class of its tokens is unknown, or has no price.

    Args:
        at: The model.
        tokens: By class.
        when_s: Unix seconds of the call; now when None.
    """
    sent, out = tokens.input_tokens, tokens.all_output_tokens
    if sent is None or out is None:
        return None
    when = time.time() if when_s is None else when_s
    slot = int(when // at.seconds) if at.seconds else 0
    prices = _units(at, bisect_left(at.tiers, sent), slot)
    if prices is None:
        return None
    counts = (
        tokens.uncached_input_tokens,
        tokens.cache_read_tokens,
        tokens.cache_write_5m_tokens,
        tokens.cache_write_1h_tokens,
        out,
    )
    return sum((n * p for n, p in zip(counts, prices, strict=True) if n), Decimal(0))


@functools.lru_cache(maxsize=65536)
def _units(at: Listed, tier: int, slot: int) -> tuple[Decimal, ...] | None:
    """Dollars a token by class, in a tier and at a time."""
    size = at.tiers[tier - 1] + 1 if tier else min(at.tiers[0], PROBE) if at.tiers else PROBE
    when = datetime.fromtimestamp(slot * at.seconds, tz=UTC) if at.seconds else None
    ways: tuple[Mapping[str, int], ...] = (
        {},
        {"cache_read_tokens": size},
        {"cache_write_tokens": size},
        {"cache_write_tokens": size, "cache_write_1h_tokens": size},
        {"output_tokens": size},
    )
    found = []
    for way in ways:
        try:
            asked = Usage(input_tokens=size, **way)
            price = calc_price(
                asked, at.model, provider_id=at.provider, genai_request_timestamp=when
            )
        except (LookupError, ValueError):
            return None
        found.append(price.total_price / size)
    return (*found[:4], found[4] - found[0])
