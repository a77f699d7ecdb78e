"""List prices from genai-prices' offline data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from genai_prices import Usage, calc_price

from leanloop.core.run import ModelCall
from leanloop.core.tokens import Tokens, add_known


@dataclass(frozen=True)
class ListPrice:
    """Prices a call by its provider's list price at the time of the call.

    Tiers are cliffs, so each call is priced alone, never a sum of calls.

    Args:
        provider: The provider's id in genai-prices, such as ``openai``.
        model: The model's name as the provider writes it.
    """

    provider: str
    model: str

    def usd(self, call: ModelCall) -> Decimal | None:
        """List price of one call; None when the model or a token class is unknown."""
        usage = _usage(call.tokens)
        if usage is None:
            return None
        when = datetime.fromtimestamp(call.started_at, tz=UTC)
        try:
            price = calc_price(
                usage, self.model, provider_id=self.provider, genai_request_timestamp=when
            )
        except LookupError:
            return None
        return price.total_price

    @property
    def label(self) -> str:
        """Provider and model."""
        return f"list price of {self.provider}:{self.model}"


def _usage(tokens: Tokens) -> Usage | None:
    writes = add_known(tokens.cache_write_5m_tokens, tokens.cache_write_1h_tokens)
    if tokens.total_tokens is None:
        return None
    return Usage(
        input_tokens=tokens.input_tokens,
        cache_read_tokens=tokens.cache_read_tokens,
        cache_write_tokens=writes,
        cache_write_1h_tokens=tokens.cache_write_1h_tokens,
        output_tokens=tokens.all_output_tokens,
    )
