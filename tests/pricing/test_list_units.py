"""List prices of many calls are those of genai-prices, to the last digit."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage, calc_price
from hypothesis import given, settings
from hypothesis import strategies as st

from leanloop.core.tokens import Tokens
from leanloop.pricing.list_units import list_usd, listed

MODELS = (
    ("openai", "gpt-4o"),
    ("openai", "gpt-4.1"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-opus-4-5"),
    ("google", "gemini-2.5-pro"),
    ("deepseek", "deepseek-chat"),
)
COUNTS = st.lists(st.integers(0, 400_000), min_size=4, max_size=4)


@pytest.mark.parametrize(("provider", "model"), MODELS)
@settings(deadline=None)
@given(counts=COUNTS, out=st.integers(0, 20_000), when=st.integers(1_680_000_000, 1_790_000_000))
def test_the_price_is_the_librarys(provider, model, counts, out, when):
    at = listed(model, provider)
    usage = Usage(
        input_tokens=sum(counts),
        cache_read_tokens=counts[1],
        cache_write_tokens=counts[2] + counts[3],
        cache_write_1h_tokens=counts[3],
        output_tokens=out,
    )
    stamp = datetime.fromtimestamp(when, tz=UTC)
    wanted = calc_price(usage, model, provider_id=provider, genai_request_timestamp=stamp)
    found = list_usd(at, Tokens(counts[0], counts[1], counts[2], counts[3], out, 0), when)
    assert abs(found - wanted.total_price) < Decimal("1e-12")


def test_an_unknown_model_has_no_price():
    assert listed("no-such-model") is None


def test_unknown_tokens_have_no_price():
    at = listed("gpt-4o", "openai")
    assert list_usd(at, Tokens(100, 0, 0, 0, None, 0), 0) is None
    assert list_usd(at, Tokens(None, 0, 0, 0, 1, 0), 0) is None


def test_a_tier_is_a_cliff_for_all_tokens():
    at = listed("claude-sonnet-4-5", "anthropic")
    below, above = (list_usd(at, Tokens(n, 0, 0, 0, 0, 0), 1.76e9) for n in (200_000, 200_001))
    assert above > below * 19 / 10
