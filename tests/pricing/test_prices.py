"""From calls to dollars."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from genai_prices import Usage, calc_price
from hypothesis import given
from hypothesis import strategies as st

from leanloop.core.run import ModelCall, Run, RunKey, Status, Step, ToolUse
from leanloop.core.task import Split
from leanloop.core.tokens import CLASSES, Tokens
from leanloop.pricing.catalogue import ListPrice
from leanloop.pricing.cost import AXES, Cost, PriceBook
from leanloop.pricing.machine import DEFAULT_USD_PER_HOUR, MachineHour
from leanloop.pricing.per_token import PerToken
from leanloop.pricing.protocol import PriceRule

WHEN = datetime(2026, 6, 1, tzinfo=UTC)
SONNET = ListPrice("anthropic", "claude-sonnet-4-5")
MINI = ListPrice("openai", "gpt-5-mini")


def call(tokens: Tokens, *, model: str = "small", latency_s: float = 1.0) -> ModelCall:
    return ModelCall(model, "x:y", "act", tokens, latency_s, WHEN.timestamp())


def run_of(*calls: ModelCall, tools: int = 0) -> Run:
    uses = tuple(ToolUse("t", "{}", 0.0) for _ in range(tools))
    return Run(
        RunKey("c", "t"), Split.SEARCH, Status.FINISHED, 1.0, (Step(calls, uses),), 2.5, 2.0, 0.0
    )


class TestMachineHour:
    @pytest.mark.parametrize(
        ("latency_s", "per_hour", "usd"),
        [
            (36.0, "0.10", "0.001"),
            (3600.0, "0.10", "0.1"),
            (0.1, "3.6", "0.0001"),
            (0.0, "1", "0"),
        ],
    )
    def test_exact(self, latency_s: float, per_hour: str, usd: str) -> None:
        rule = MachineHour(Decimal(per_hour))
        assert rule.usd(call(Tokens(), latency_s=latency_s)) == Decimal(usd)

    def test_default_is_stated(self) -> None:
        assert MachineHour().usd_per_hour == DEFAULT_USD_PER_HOUR == Decimal("0.10")
        assert MachineHour().label == "machine at $0.10/h"

    def test_tokens_need_not_be_known(self) -> None:
        assert MachineHour().usd(call(Tokens(), latency_s=36)) == Decimal("0.001")


class TestListPrice:
    def test_hand_derived_with_writes(self) -> None:
        """claude-sonnet-4-5, a million: $3 in, $0.30 read, $3.75 and $6 written, $15 out."""
        tokens = Tokens(1000, 500, 200, 100, 100, 20)
        millionths = 1000 * 3 + 150 + 200 * Decimal("3.75") + 100 * 6 + 120 * 15
        assert millionths == 6300
        assert SONNET.usd(call(tokens)) == Decimal("0.0063")

    def test_hand_derived_with_reasoning(self) -> None:
        """gpt-5-mini, a million: $0.25 in, $0.025 read, $2 out and reasoning."""
        tokens = Tokens(1000, 500, 0, 0, 100, 20)
        assert MINI.usd(call(tokens)) == Decimal("0.0005025"), "250 + 12.5 + 240 millionths"

    @given(st.builds(Tokens, *[st.integers(0, 20_000)] * 6), st.sampled_from((SONNET, MINI)))
    def test_disjoint_classes_become_inclusive_counts(self, t: Tokens, rule: ListPrice) -> None:
        counts = [getattr(t, c) for c in CLASSES]
        uncached, read, write_5m, write_1h, output, reasoning = counts
        usage = Usage(
            input_tokens=uncached + read + write_5m + write_1h,
            cache_read_tokens=read,
            cache_write_tokens=write_5m + write_1h,
            cache_write_1h_tokens=write_1h,
            output_tokens=output + reasoning,
        )
        price = calc_price(
            usage, rule.model, provider_id=rule.provider, genai_request_timestamp=WHEN
        )
        assert rule.usd(call(t)) == price.total_price

    def test_tiers_are_cliffs_so_calls_are_priced_one_by_one(self) -> None:
        half = call(Tokens(150_000, 0, 0, 0, 0, 0))
        book = PriceBook({"small": SONNET})
        assert book.run_usd(run_of(half, half)) == Decimal("0.90")
        whole = call(Tokens(300_000, 0, 0, 0, 0, 0))
        assert book.run_usd(run_of(whole)) == Decimal("1.80"), "above 200,000 the price doubles"

    @pytest.mark.parametrize(
        ("provider", "model"), [("openai", "no-such-model"), ("no-such-provider", "gpt-5-mini")]
    )
    def test_unknown_model_has_no_price(self, provider: str, model: str) -> None:
        assert ListPrice(provider, model).usd(call(Tokens(1, 0, 0, 0, 1, 0))) is None

    @pytest.mark.parametrize("name", CLASSES)
    def test_unknown_class_has_no_price(self, name: str) -> None:
        tokens = msgspec.structs.replace(Tokens(1, 1, 1, 1, 1, 1), **{name: None})
        assert SONNET.usd(call(tokens)) is None

    def test_zero_tokens_cost_nothing(self) -> None:
        assert MINI.usd(call(Tokens(0, 0, 0, 0, 0, 0))) == 0

    def test_label(self) -> None:
        assert SONNET.label == "list price of anthropic:claude-sonnet-4-5"


class TestPerToken:
    FULL = PerToken(Decimal(2), Decimal(10), Decimal("0.5"), Decimal(3))

    def test_every_class_at_its_price(self) -> None:
        millionths = [
            (Tokens(1, 0, 0, 0, 0, 0), "2"),
            (Tokens(0, 1, 0, 0, 0, 0), "0.5"),
            (Tokens(0, 0, 1, 0, 0, 0), "3"),
            (Tokens(0, 0, 0, 1, 0, 0), "3"),
            (Tokens(0, 0, 0, 0, 1, 0), "10"),
            (Tokens(0, 0, 0, 0, 0, 1), "10"),
            (Tokens(1, 1, 1, 1, 1, 1), "28.5"),
        ]
        for tokens, price in millionths:
            assert self.FULL.usd(call(tokens)) == Decimal(price) / 1_000_000

    def test_without_cache_prices_input_is_input(self) -> None:
        rule = PerToken(Decimal(2), Decimal(10))
        assert rule.usd(call(Tokens(1, 1, 1, 1, 0, 0))) == Decimal(8) / 1_000_000
        free = PerToken(Decimal(2), Decimal(10), Decimal(0), Decimal(0))
        assert free.usd(call(Tokens(1, 1, 1, 1, 0, 0))) == Decimal(2) / 1_000_000

    @pytest.mark.parametrize("name", CLASSES)
    def test_unknown_class_has_no_price(self, name: str) -> None:
        tokens = msgspec.structs.replace(Tokens(1, 1, 1, 1, 1, 1), **{name: None})
        assert self.FULL.usd(call(tokens)) is None

    def test_label(self) -> None:
        assert self.FULL.label == "$2/10 per million tokens"


class TestPriceBook:
    BOOK = PriceBook({"small": PerToken(Decimal(1), Decimal(2)), "here": MachineHour(Decimal(36))})
    TOKENS = Tokens(100, 0, 0, 0, 10, 0)

    def test_sums_calls_of_different_rules(self) -> None:
        run = run_of(call(self.TOKENS), call(Tokens(), model="here", latency_s=2), tools=3)
        assert self.BOOK.run_usd(run) == Decimal("0.02012")

    def test_unknown_stays_unknown(self) -> None:
        known = call(self.TOKENS)
        for unknown in (call(Tokens(100, output_tokens=10)), call(self.TOKENS, model="nobody")):
            assert self.BOOK.call_usd(unknown) is None
            for run in (run_of(unknown), run_of(known, unknown), run_of(unknown, known)):
                assert self.BOOK.run_usd(run) is None
                assert self.BOOK.cost(run).axis("usd") is None

    def test_run_without_calls_is_free(self) -> None:
        assert self.BOOK.run_usd(run_of()) == 0

    def test_cost_on_all_axes(self) -> None:
        cost = self.BOOK.cost(run_of(call(self.TOKENS), call(self.TOKENS), tools=3))
        assert cost == Cost(Decimal("0.00024"), 2.5, 220, 3)
        assert [cost.axis(a) for a in AXES] == [0.00024, 2.5, 220.0, 3.0]
        assert all(isinstance(cost.axis(a), float) for a in AXES)

    def test_labels(self) -> None:
        assert self.BOOK.labels() == {
            "small": "$1/2 per million tokens",
            "here": "machine at $36/h",
        }

    @pytest.mark.parametrize(
        ("rule", "one", "total"),
        [
            (PerToken(Decimal("0.1"), Decimal("0.3")), Tokens(1, 0, 0, 0, 1, 0), "0.004"),
            (MachineHour(Decimal("0.36")), Tokens(), "0.1"),
            (MINI, Tokens(1000, 500, 0, 0, 100, 20), "5.025"),
        ],
        ids=["per token", "machine", "list"],
    )
    def test_ten_thousand_calls_do_not_drift(
        self, rule: PriceRule, one: Tokens, total: str
    ) -> None:
        run = run_of(*[call(one, latency_s=0.1)] * 10_000)
        assert PriceBook({"small": rule}).run_usd(run) == Decimal(total)

    def test_floats_would_drift(self) -> None:
        """The check above can fail: the same sum in floats is not exact."""
        floats = [0.1 * 0.36 / 3600] * 10_000
        total = 0.0
        for usd in floats:
            total += usd
        assert total != 0.1
