"""What a run would have cost by list price, with its prompts cached as the provider does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from msgspec.structs import replace as replace_fields

from leanloop.core.tokens import Tokens
from leanloop.pricing.prompt_cache import Block, CachedInput, CacheRule, PromptCache
from leanloop.traces.prices import Priced, TracePrices, listed_tokens
from leanloop.traces.sizes import Sizes, request_chars, sizes_of
from leanloop.traces.trace import ACT, Counts, Entry, Role, TraceCall, TraceRun, conversation

HIDDEN = -1
"""The key of what is in every request and in no entry."""
BETWEEN_CALLS_S = 1.0
"""Seconds between two calls where the trace has no times: far below any cache's life."""


@dataclass(frozen=True)
class CallPrice:
    """What one call used and costs; None is unknown.

    Args:
        call: The call.
        input_tokens: As reported, or estimated from characters.
        output_tokens: The same.
        list_usd: By list price, with what the trace says was cached and no more.
        tokens: Its tokens, with cached input as reported, or else as modelled.
        usd: By list price of these.
        modelled: Whether its cached input was modelled.
    """

    call: TraceCall
    input_tokens: int | None
    output_tokens: int | None
    list_usd: Decimal | None
    tokens: Tokens
    usd: Decimal | None
    modelled: bool


class Repricing:
    """Prices runs; caches are shared by all runs that are priced after each other.

    Args:
        prices: Prices by model.
        shared: Whether a run may read what an earlier run of the same model wrote, as at a
            provider. Runs without times are then taken to follow each other at once.
    """

    def __init__(self, prices: TracePrices, *, shared: bool = False) -> None:
        self._prices = prices
        self._shared = shared
        self._caches: dict[str, PromptCache] = {}
        self._clock_s = 0.0

    def calls(self, run: TraceRun, model: str = "") -> Iterator[CallPrice]:
        """Each call with its price, in order.

        Args:
            run: A run.
            model: Who answered, where the trace does not say.
        """
        if not self._shared:
            self._caches = {}
        sizes, requests, chars = sizes_of(run), conversation(run), request_chars(run)
        for call in run.calls:
            priced = self._prices.find(call.model or model, call.provider)
            if call.purpose == ACT:
                _, entries = next(requests)
                counts = _filled(call, next(chars), sizes)
                yield self._act(call, counts, partial(blocks_of, entries, sizes), priced)
            else:
                yield self._plain(call, call.counts, priced)

    def _plain(self, call: TraceCall, counts: Counts, priced: Priced | None) -> CallPrice:
        tokens = listed_tokens(counts)
        usd = None if priced is None else priced.usd(tokens, call.started_at)
        return CallPrice(
            call, counts.input_tokens, counts.output_tokens, usd, tokens, usd, modelled=False
        )

    def _act(
        self,
        call: TraceCall,
        counts: Counts,
        blocks: Callable[[], Sequence[Block]],
        priced: Priced | None,
    ) -> CallPrice:
        plain = self._plain(call, counts, priced)
        reported = counts.tokens.cache_read_tokens is not None
        if priced is None or priced.rule is None or reported or counts.input_tokens is None:
            return plain
        cached = self._cached(call, blocks(), priced, priced.rule)
        tokens = in_all(cached, counts.input_tokens, plain.tokens)
        usd = priced.usd(tokens, call.started_at)
        return replace(plain, tokens=tokens, usd=usd, modelled=True)

    def _cached(
        self, call: TraceCall, blocks: Sequence[Block], priced: Priced, rule: CacheRule
    ) -> CachedInput:
        name = f"{priced.provider}:{priced.model}"
        cache = self._caches.get(name)
        if cache is None:
            cache = self._caches[name] = PromptCache(rule)
        self._clock_s += BETWEEN_CALLS_S
        return cache.call(blocks, self._clock_s if call.started_at is None else call.started_at)


def _filled(call: TraceCall, chars: int, sizes: Sizes) -> Counts:
    """What the call reports, or else what its characters come to."""
    counts = call.counts
    sent, out = counts.input_tokens, counts.output_tokens
    if sent is None:
        sent = round(sizes.hidden_tokens) + sizes.tokens(chars)
    if out is None:
        out = sizes.tokens(call.response.chars) if call.response else 0
    return replace_fields(counts, input_tokens=sent, output_tokens=out)


def blocks_of(entries: Sequence[Entry], sizes: Sizes) -> list[Block]:
    """A request as a cache sees it: hidden tokens, then the entries; system text is marked."""
    hidden = [Block(HIDDEN, round(sizes.hidden_tokens), mark=True)] if sizes.hidden_tokens else []
    marked = Role.SYSTEM
    return hidden + [Block(_key(e), sizes.tokens(e.chars), e.role is marked) for e in entries]


def _key(entry: Entry) -> int:
    if not entry.calls:
        return entry.digest
    return hash((entry.digest, *(c.digest for c in entry.calls)))


def in_all(cached: CachedInput, total: int, listed: Tokens) -> Tokens:
    """Modelled input in the proportions of the model and with the sum that was reported.

    Args:
        cached: As the model of the cache has it.
        total: All input, as reported.
        listed: Where the output is taken from.
    """
    parts = (cached.read_tokens, cached.write_5m_tokens, cached.write_1h_tokens)
    size = sum(parts) + cached.uncached_tokens
    read, write_5m, write_1h = (round(p * total / size) if size else 0 for p in parts)
    rest = max(total - read - write_5m - write_1h, 0)
    out, thought = listed.output_tokens, listed.reasoning_tokens
    return Tokens(rest, read, write_5m, write_1h, out, thought)
