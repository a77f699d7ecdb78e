"""Say what models cost, and how their prompts are cached."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.table import Table

from leanloop.cli.options import JsonOption, answers_console, emit
from leanloop.cli.trace_options import PricesOption, prices_of
from leanloop.core.errors import BadInputError
from leanloop.core.tokens import Tokens
from leanloop.pricing.prompt_cache import CacheRule
from leanloop.pricing.prompt_cache_rules import RULES
from leanloop.traces.prices import Priced, TracePrices

MILLION = 1_000_000
CLASSES = {
    "input": Tokens(MILLION, 0, 0, 0, 0, 0),
    "cache_read": Tokens(0, MILLION, 0, 0, 0, 0),
    "cache_write": Tokens(0, 0, MILLION, 0, 0, 0),
    "output": Tokens(0, 0, 0, 0, MILLION, 0),
}
SMALL = 1000
"""Tokens that are priced: a price that rises with the prompt's length is shown at its lowest."""

ModelsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[MODEL…]", help="As a trace names them; the caches' rules if left out."
    ),
]


class ModelPrice(msgspec.Struct, frozen=True):
    """What a model costs, in dollars a million tokens; None is unknown.

    Attributes:
        asked: The name that was asked for.
        provider: As the price list names it; empty where the price was stated.
        model: The same.
        usd_per_million: By class of tokens, for short prompts.
        rises_beyond_tokens: Prompts beyond these cost more.
        cache: How its prompts are cached.
        source: Where the price is from.
    """

    asked: str
    provider: str
    model: str
    usd_per_million: dict[str, float | None]
    rises_beyond_tokens: tuple[int, ...]
    cache: CacheRule | None
    source: str


def prices(
    models: ModelsArgument = None, prices: PricesOption = None, json: JsonOption = False
) -> None:
    """Say what models cost, and how their prompts are cached."""
    known = prices_of(prices)
    names = [*(models or ()), *(() if models else known.stated)]
    found = [_price(known, name) for name in names]
    rules = () if names else tuple(RULES.values())
    if json:
        emit({"models": found, "cache_rules": rules})
        return
    console = answers_console()
    if found:
        console.print(_table(found))
    for rule in {f.cache.name: f.cache for f in found if f.cache}.values() if found else rules:
        console.print(f"{rule.name}: {_said(rule)} Source: {rule.source}")
        if rule.doubts:
            console.print(f"  Not sure: {rule.doubts}")


def _price(known: TracePrices, name: str) -> ModelPrice:
    priced = known.find(name)
    if priced is None:
        raise BadInputError(name, "no price is known of this model; state one in --prices")
    per = {c: _usd(priced, t) for c, t in CLASSES.items()}
    tiers = priced.listed.tiers if priced.listed else ()
    source = "stated" if priced.stated else "list price, genai-prices"
    return ModelPrice(name, priced.provider, priced.model, per, tiers, priced.rule, source)


def _usd(priced: Priced, tokens: Tokens) -> float | None:
    small = Tokens(*(None if n is None else n * SMALL // MILLION for n in _counts(tokens)))
    usd = priced.usd(small, None)
    return None if usd is None else float(usd * MILLION / SMALL)


def _counts(tokens: Tokens) -> tuple[int | None, ...]:
    return tuple(msgspec.structs.astuple(tokens))


def _table(found: list[ModelPrice]) -> Table:
    table = Table(title="Dollars a million tokens", title_justify="left")
    for name in ("model", *CLASSES, "more beyond", "cache", "source"):
        table.add_column(name, overflow="fold")
    for f in found:
        costs = ["unknown" if v is None else f"{v:g}" for v in f.usd_per_million.values()]
        beyond = ", ".join(f"{t:,}" for t in f.rises_beyond_tokens)
        cache = f.cache.name if f.cache else "unknown"
        table.add_row(f.asked, *costs, beyond, cache, f.source)
    return table


def _said(rule: CacheRule) -> str:
    if rule.minimum_tokens > MILLION * MILLION:
        return "nothing is cached."
    kept = "as long as the slot holds it" if rule.last_only else f"{rule.ttl_s:,.0f} s"
    parts = [
        f"a prefix of {rule.minimum_tokens:,} tokens or more",
        f"in steps of {rule.step_tokens}",
    ]
    parts.append(f"kept {kept}{' from its last use' if rule.refreshed else ''}")
    if rule.breakpoints:
        parts.append(f"at marks, {rule.lookback_blocks} blocks back")
    parts.append("writes priced apart" if rule.writes_cost else "writes free")
    return ", ".join(parts) + "."
