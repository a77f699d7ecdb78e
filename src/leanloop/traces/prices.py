"""Prices of calls in traces: by model name as traces write it, or as the user states."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.run import ModelCall
from leanloop.core.tokens import Tokens
from leanloop.pricing.list_units import Listed, list_usd, listed
from leanloop.pricing.per_token import PerToken
from leanloop.pricing.prompt_cache import CacheRule
from leanloop.pricing.prompt_cache_rules import RULES, rule_of
from leanloop.traces.trace import Counts

PREFIXES = frozenset(
    [
        "openai",
        "anthropic",
        "google",
        "gemini",
        "vertex_ai",
        "azure",
        "bedrock",
        "models",
        "deepseek",
        "xai",
        "mistral",
        "groq",
        "openrouter",
        "litellm_proxy",
        "together_ai",
        "cohere",
        "responses",
    ]
)
"""What stands before a slash in front of a model's name."""
PROVIDERS = {"gemini": "google", "vertex_ai": "google", "models": "google", "xai": "x-ai"}
"""Prefix to the price list's own name, where they differ."""


@dataclass(frozen=True)
class Priced:
    """A model that has a price.

    Args:
        provider: As the price list names it; empty where the user stated the price.
        model: As the price list names it, or as the user does.
        stated: The price, where the user stated it.
        listed: The model as the price list has it, where it does.
        rule: How its prompts are cached; None when nobody knows.
    """

    provider: str
    model: str
    stated: PerToken | None
    listed: Listed | None
    rule: CacheRule | None

    def usd(self, tokens: Tokens, at_s: float | None) -> Decimal | None:
        """Dollars of one call; None when a class of tokens is unknown.

        Args:
            tokens: By class.
            at_s: When it was made, since prices change; today when None.
        """
        if tokens.total_tokens is None:
            return None
        if self.stated is not None:
            return self.stated.usd(ModelCall("", "", "", tokens, 0.0, at_s or 0.0))
        return None if self.listed is None else list_usd(self.listed, tokens, at_s)


class StatedPrice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of a price file: dollars a million tokens, and how prompts are cached."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    cache: str | None = None


class TracePrices:
    """Finds the price of a model by the name that a trace gives it.

    Args:
        stated: Prices that the user states, by name; they go before the list.
    """

    def __init__(self, stated: dict[str, Priced] | None = None) -> None:
        self._stated = stated or {}

    def find(self, model: str, provider: str = "") -> Priced | None:
        """The model with its price; None when nobody knows it.

        Args:
            model: As the trace names it, such as ``openai/gpt-4.1-2025-04-14``.
            provider: As the trace names it; empty when it does not.
        """
        return self._stated.get(model) or _listed(model, provider)

    @property
    def stated(self) -> dict[str, Priced]:
        """What the user stated, by name."""
        return dict(self._stated)


@functools.lru_cache(maxsize=4096)
def _listed(model: str, provider: str) -> Priced | None:
    for name, maker in _spellings(model, provider):
        found = listed(name, maker or None)
        if found is not None:
            rule = rule_of(found.provider, found.model)
            return Priced(found.provider, found.model, None, found, rule)
    return None


def _spellings(model: str, provider: str) -> list[tuple[str, str]]:
    """Ways in which the price list may know a name, the most literal first."""
    if not model:
        return []
    bare, found = model, [(model, provider), (model, "")]
    while "/" in bare and bare.split("/")[0].lower() in PREFIXES:
        prefix, _, bare = bare.partition("/")
        maker = PROVIDERS.get(prefix.lower(), prefix.lower())
        found += [(bare, maker), (bare, "")]
    inner = bare.rpartition("anthropic.")[2].partition("-v1:")[0].partition("@")[0]
    return [*found, (inner, "")] if inner != bare else found


def listed_tokens(counts: Counts) -> Tokens:
    """The classes that a call is priced by where the trace says nothing of a cache: none read.

    Args:
        counts: What the trace says. Where classes are known they are kept.
    """
    tokens = counts.tokens
    if tokens.total_tokens is not None:
        return tokens
    read, out = tokens.cache_read_tokens, counts.output_tokens
    if tokens.input_tokens is not None:
        return msgspec.structs.replace(tokens, output_tokens=out, reasoning_tokens=0)
    if read is not None and counts.input_tokens is not None:
        return Tokens(max(counts.input_tokens - read, 0), read, 0, 0, out, 0)
    return Tokens(counts.input_tokens, 0, 0, 0, out, 0)


def read_prices(path: Path) -> TracePrices:
    """Prices that the user states in a TOML file: a table a model, or a study with its models.

    Raises:
        BadInputError: The file cannot be read, or a field of it is wrong.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(str(path), error.strerror or "cannot be read") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(str(path), f"is no TOML: {error}") from None
    models = tables.get("models", tables)
    if not isinstance(models, dict) or not models:
        raise BadInputError(str(path), 'has no table such as [models."gpt-4.1"]')
    stated: dict[str, Priced] = {}
    for name, table in models.items():
        where = f"{path}: models.{name}"
        if isinstance(table, dict) and "provider" in table:
            stated |= _of_study(where, name, table)
        else:
            stated[name] = _stated(where, name, table)
    if not stated:
        raise BadInputError(str(path), "states no price: none of its models has one")
    return TracePrices(stated)


def _of_study(where: str, alias: str, table: dict[str, Any]) -> dict[str, Priced]:
    """A model of a study by the names that a trace may give it; none where it states no price."""
    if "price" not in table:
        return {}
    name = str(table.get("name", alias))
    priced = _stated(f"{where}.price", name, table["price"])
    return dict.fromkeys((name, f"{table['provider']}:{name}", alias), priced)


def _stated(where: str, name: str, table: Any) -> Priced:  # noqa: ANN401 - checked here
    try:
        said = msgspec.convert(table, StatedPrice, strict=False)
    except msgspec.ValidationError as error:
        raise BadInputError(where, f"{error}; takes input, output, cache_read, cache_write "
                            "in dollars a million tokens, and cache") from None  # fmt: skip
    amounts = (said.input, said.output, said.cache_read, said.cache_write)
    if any(a is not None and not 0 <= a < 1e9 for a in amounts):
        raise BadInputError(where, "a price is 0 or more")
    if said.cache is not None and said.cache not in RULES:
        raise BadInputError(f"{where}.cache", f"is one of {', '.join(RULES)}")
    price = PerToken(*(None if a is None else Decimal(repr(a)) for a in amounts))  # type: ignore[arg-type]
    rule = RULES[said.cache] if said.cache else rule_of("", name)
    return Priced("", name, price, None, rule)
