"""Tokens by class: disjoint, so that they can be added and priced."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

CLASSES = (
    "uncached_input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
)


class Tokens(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tokens of one or more model calls, in disjoint classes.

    A class that nobody reported is None: unknown, not zero. Unknown stays
    unknown in a sum.

    Attributes:
        uncached_input_tokens: Input that was neither read from nor written to a cache.
        cache_read_tokens: Input that the provider took from its prompt cache.
        cache_write_5m_tokens: Input written to a cache that lives five minutes.
        cache_write_1h_tokens: Input written to a cache that lives one hour.
        output_tokens: What the model wrote, without reasoning.
        reasoning_tokens: Hidden or visible reasoning, not part of ``output_tokens``.
    """

    uncached_input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_5m_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None

    @property
    def input_tokens(self) -> int | None:
        """All input, cached or not; None when a class of it is unknown."""
        return add_known(
            self.uncached_input_tokens,
            self.cache_read_tokens,
            self.cache_write_5m_tokens,
            self.cache_write_1h_tokens,
        )

    @property
    def all_output_tokens(self) -> int | None:
        """Output with reasoning; None when a class of it is unknown."""
        return add_known(self.output_tokens, self.reasoning_tokens)

    @property
    def total_tokens(self) -> int | None:
        """All input and all output; None when a class is unknown."""
        return add_known(self.input_tokens, self.all_output_tokens)

    def __add__(self, other: Tokens) -> Tokens:
        """Add class by class; a class unknown on either side is unknown."""
        return Tokens(*(add_known(getattr(self, c), getattr(other, c)) for c in CLASSES))


NO_TOKENS = Tokens(0, 0, 0, 0, 0, 0)
"""The sum of no calls: every class is known to be zero."""


def add_known(*values: int | None) -> int | None:
    """Sum of the values, or None as soon as one is unknown."""
    total = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def sum_tokens(parts: Iterable[Tokens]) -> Tokens:
    """Sum of the parts by class; the sum of nothing is zero."""
    total = NO_TOKENS
    for part in parts:
        total = total + part
    return total
