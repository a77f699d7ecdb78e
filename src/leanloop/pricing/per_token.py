"""A price that the user states, in dollars a million tokens."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from leanloop.core.run import ModelCall

MILLION = 1_000_000


@dataclass(frozen=True)
class PerToken:
    """Prices a call by stated prices a million tokens.

    Args:
        input_usd: Uncached input.
        output_usd: Output and reasoning.
        cache_read_usd: Input read from a cache; the input price when None.
        cache_write_usd: Input written to a cache; the input price when None.
    """

    input_usd: Decimal
    output_usd: Decimal
    cache_read_usd: Decimal | None = None
    cache_write_usd: Decimal | None = None

    def usd(self, call: ModelCall) -> Decimal | None:
        """Price of one call; None when a token class is unknown."""
        tokens = call.tokens
        read = self.input_usd if self.cache_read_usd is None else self.cache_read_usd
        write = self.input_usd if self.cache_write_usd is None else self.cache_write_usd
        parts = (
            (tokens.uncached_input_tokens, self.input_usd),
            (tokens.cache_read_tokens, read),
            (tokens.cache_write_5m_tokens, write),
            (tokens.cache_write_1h_tokens, write),
            (tokens.all_output_tokens, self.output_usd),
        )
        total = Decimal(0)
        for count, usd_per_million in parts:
            if count is None:
                return None
            total += count * usd_per_million / MILLION
        return total

    @property
    def label(self) -> str:
        """Input and output price."""
        return f"${self.input_usd}/{self.output_usd} per million tokens"
