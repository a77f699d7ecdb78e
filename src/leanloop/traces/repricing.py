"""What a run would have cost by list price, with its prompts cached as the provider does."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from itertools import takewhile

from msgspec.structs import replace as replace_fields

from leanloop.core.message import ToolSpec
from leanloop.core.tokens import Tokens
from leanloop.pricing.prompt_cache import Block, CachedInput, PromptCache
from leanloop.traces.prices import Priced, TracePrices, listed_tokens
from leanloop.traces.sizes import Sizes, request_chars, schema_chars, sizes_of
from leanloop.traces.trace import ACT, Counts, Entry, Role, TraceCall, TraceRun, conversation

HIDDEN = -1
"""Goes into the key of what is in every request and in no entry."""
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


@dataclass(frozen=True)
class _Query:
    """A call before it is priced; its request is good only until the run's next is asked for."""

    at_s: float
    run: int
    call: TraceCall
    priced: Priced | None
    counts: Counts
    blocks: Callable[[], Sequence[Block]] | None


class Repricing:
    """Prices runs as the list price and the provider's prompt cache have it.

    Args:
        prices: Prices by model.
    """

    def __init__(self, prices: TracePrices) -> None:
        self._prices = prices

    def calls(self, run: TraceRun, model: str = "") -> Iterator[CallPrice]:
        """Each call of a run that has its caches to itself, in order.

        Args:
            run: A run.
            model: Who answered, where the trace does not say.
        """
        return (priced for _, priced in self.together([(run, model)]))

    def together(self, runs: Sequence[tuple[TraceRun, str]]) -> Iterator[tuple[int, CallPrice]]:
        """Each call of runs that read what any of them wrote, as at a provider, by time.

        Runs without times are taken to follow each other at once.

        Args:
            runs: Runs, each with who answered where the trace does not say.

        Yields:
            The run's place, and the price of its next call.
        """
        caches: dict[str, PromptCache] = {}
        each, begin_s = [], 0.0
        for place, (run, model) in enumerate(runs):
            each.append(self._queries(run, model, place, begin_s))
            begin_s += len(run.calls) * BETWEEN_CALLS_S
        for query in heapq.merge(*each, key=lambda q: q.at_s):
            yield query.run, self._price(query, caches)

    def _queries(self, run: TraceRun, model: str, place: int, begin_s: float) -> Iterator[_Query]:
        sizes, requests, chars = sizes_of(run), conversation(run), request_chars(run)
        head, times = head_key(run), _times(run, begin_s)
        at_s = begin_s
        for call in run.calls:
            priced = self._prices.find(call.model or model, call.provider)
            if call.purpose == ACT:
                at_s = next(times)
                _, entries = next(requests)
                counts = _filled(call, next(chars), sizes)
                blocks = partial(blocks_of, entries, sizes, head)
                yield _Query(at_s, place, call, priced, counts, blocks)
            else:
                yield _Query(at_s, place, call, priced, call.counts, None)

    def _price(self, query: _Query, caches: dict[str, PromptCache]) -> CallPrice:
        call, counts, priced = query.call, query.counts, query.priced
        plain = self._plain(call, counts, priced)
        reported = counts.tokens.cache_read_tokens is not None
        if query.blocks is None or priced is None or priced.rule is None:
            return plain
        if reported or counts.input_tokens is None:
            return plain
        name = f"{priced.provider}:{priced.model}"
        cache = caches.setdefault(name, PromptCache(priced.rule))
        cached = cache.call(query.blocks(), query.at_s)
        tokens = in_all(cached, counts.input_tokens, plain.tokens)
        usd = priced.usd(tokens, call.started_at)
        return replace(plain, tokens=tokens, usd=usd, modelled=True)

    def _plain(self, call: TraceCall, counts: Counts, priced: Priced | None) -> CallPrice:
        tokens = listed_tokens(counts)
        usd = None if priced is None else priced.usd(tokens, call.started_at)
        return CallPrice(
            call, counts.input_tokens, counts.output_tokens, usd, tokens, usd, modelled=False
        )


def _times(run: TraceRun, begin_s: float) -> Iterator[float]:
    """When each of the agent's own calls was made, never before the one before."""
    known = [c.started_at for c in run.acts if c.started_at is not None]
    at_s = known[0] if known else begin_s
    for call in run.acts:
        at_s = at_s + BETWEEN_CALLS_S if call.started_at is None else max(at_s, call.started_at)
        yield at_s


def head_key(run: TraceRun) -> int:
    """What stands for the hidden tokens of a run's requests: equal where these may be equal.

    That is so for the same tools, where the run says what was shown, or else for the same
    system text. A run that has neither is like no other.
    """
    tools = next((c.tools for c in run.acts if c.tools), None)
    if tools:
        return tools_key(tools)
    first = next(run.acts, None)
    told = takewhile(lambda e: e.role is Role.SYSTEM, first.added if first else ())
    system = tuple(e.digest for e in told)
    return hash((HIDDEN, *system) if system else (HIDDEN, run.source, run.run_id))


def tools_key(tools: Sequence[ToolSpec]) -> int:
    """Equal for equal tools in the same order, with their contents or without."""
    return hash((HIDDEN, *((t.name, schema_chars(t)) for t in tools)))


def _filled(call: TraceCall, chars: int, sizes: Sizes) -> Counts:
    """What the call reports, or else what its characters come to."""
    counts = call.counts
    sent, out = counts.input_tokens, counts.output_tokens
    if sent is None:
        sent = round(sizes.hidden_tokens) + sizes.tokens(chars)
    if out is None:
        out = sizes.tokens(call.response.chars) if call.response else 0
    return replace_fields(counts, input_tokens=sent, output_tokens=out)


def blocks_of(entries: Sequence[Entry], sizes: Sizes, head: int = HIDDEN) -> list[Block]:
    """A request as a cache sees it: hidden tokens, then the entries; system text is marked.

    Args:
        entries: The request.
        sizes: How characters become tokens.
        head: What stands for the hidden tokens. They have a block even where there are none:
            that is an estimate, and another run with the same head may have some.
    """
    hidden, marked = Block(head, round(sizes.hidden_tokens), mark=True), Role.SYSTEM
    return [hidden, *(Block(_key(e), sizes.tokens(e.chars), e.role is marked) for e in entries)]


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
