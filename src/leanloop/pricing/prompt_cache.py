"""A model of providers' prompt caches: what of a request is read from one, and what is written."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

FIVE_MINUTES_S = 300.0
HOUR_S = 3600.0


@dataclass(frozen=True)
class CacheRule:
    """How a provider caches prompts.

    Args:
        name: The provider, and what sets the rule apart from its others.
        minimum_tokens: A shorter prefix is not cached.
        step_tokens: A prefix is read in whole steps behind the minimum; 1 for any length.
        ttl_s: Seconds after its last use for which a prefix is kept.
        refreshed: Whether a read starts the time anew.
        breakpoints: Whether prefixes end at marks that the client sets, behind blocks that
            are marked and behind each request's last; else anywhere.
        lookback_blocks: With breakpoints: how many blocks before a mark an older prefix is
            looked for.
        writes_cost: Whether what is written is counted and priced apart from other input.
        last_only: Whether only the last request is kept, as in a slot of llama.cpp.
        unread_tokens: Tokens at the end that are never read: a model has to see one at least.
        source: Where this is written, and when it was read.
        doubts: What of it is not sure.
    """

    name: str
    minimum_tokens: int = 0
    step_tokens: int = 1
    ttl_s: float = FIVE_MINUTES_S
    refreshed: bool = True
    breakpoints: bool = False
    lookback_blocks: int = 20
    writes_cost: bool = False
    last_only: bool = False
    unread_tokens: int = 0
    source: str = ""
    doubts: str = ""


@dataclass(frozen=True)
class Block:
    """A part of a prompt, in the order in which the provider has them.

    Args:
        key: Equal for equal blocks; it alone says what is the same. Sizes may be estimates
            that differ from request to request.
        tokens: Its size, as this request has it.
        mark: Whether the client sets a mark behind it, where the provider has such marks.
    """

    key: int
    tokens: int
    mark: bool = False


@dataclass(frozen=True)
class CachedInput:
    """A request's input by class; the sum is the input.

    Args:
        uncached_tokens: Neither read nor written.
        read_tokens: Read from the cache.
        write_5m_tokens: Written for five minutes, or for less than an hour.
        write_1h_tokens: Written for an hour or more.
    """

    uncached_tokens: int
    read_tokens: int
    write_5m_tokens: int = 0
    write_1h_tokens: int = 0


@dataclass
class PromptCache:
    """One cache: the requests of an organisation to one model, in order of time.

    A request's work is that of its blocks: prefixes are told by a hash that rolls over them.
    Prefixes whose time is over are dropped.

    Args:
        rule: How the provider caches.
    """

    rule: CacheRule
    _kept: dict[int, float] = field(default_factory=dict)
    """Prefixes, and when the time of each is over."""
    _last: tuple[Block, ...] = ()
    _last_until_s: float = float("-inf")
    _cleaned_s: float = float("-inf")

    def call(self, blocks: Sequence[Block], at_s: float) -> CachedInput:
        """Send a request.

        Args:
            blocks: The whole prompt.
            at_s: When, in seconds of any clock; not before the call before.

        Returns:
            Its input by class.
        """
        total = sum(b.tokens for b in blocks)
        if self.rule.last_only:
            return self._of_slot(blocks, total, at_s)
        self._clean(at_s)
        ends = list(_ends(blocks))
        marks = [i for i, b in enumerate(blocks) if b.mark or i == len(blocks) - 1]
        read = self._read(ends, marks, at_s)
        read = min(read, max(total - self.rule.unread_tokens, 0))
        written = self._write(ends, marks, read, at_s)
        if not self.rule.writes_cost:
            return CachedInput(total - read, read)
        if self.rule.ttl_s >= HOUR_S:
            return CachedInput(total - read - written, read, 0, written)
        return CachedInput(total - read - written, read, written)

    def _read(self, ends: list[tuple[int, int]], marks: list[int], at_s: float) -> int:
        """Tokens of the longest prefix that is kept."""
        for place in self._looked_at(len(ends), marks):
            key, tokens = ends[place]
            if not self._keeps(key, at_s):
                continue
            if self.rule.refreshed:
                self._refresh(ends[: place + 1], at_s)
            return self._steps(tokens)
        return 0

    def _looked_at(self, blocks: int, marks: list[int]) -> Iterator[int]:
        """Ends of blocks at which a prefix is looked for, the last first."""
        if not self.rule.breakpoints:
            yield from range(blocks - 1, -1, -1)
            return
        above = blocks
        for mark in reversed(marks):
            oldest = max(mark - self.rule.lookback_blocks, 0)
            yield from range(min(mark, above - 1), oldest - 1, -1)
            above = min(above, oldest)

    def _refresh(self, ends: list[tuple[int, int]], at_s: float) -> None:
        for key, _ in ends:
            if self._keeps(key, at_s):
                self._kept[key] = at_s + self.rule.ttl_s

    def _keeps(self, key: int, at_s: float) -> bool:
        return self._kept.get(key, -math.inf) >= at_s

    def _write(self, ends: list[tuple[int, int]], marks: list[int], read: int, at_s: float) -> int:
        """Keep the request's prefixes; returns how many tokens were written."""
        least = self.rule.minimum_tokens
        if not ends or ends[-1][1] < least:
            return 0
        until = at_s + self.rule.ttl_s
        for key, tokens in (ends[i] for i in marks) if self.rule.breakpoints else ends:
            if tokens >= least and not self._keeps(key, at_s):
                self._kept[key] = until
        return ends[-1][1] - read

    def _steps(self, tokens: int) -> int:
        """A prefix's length in whole steps; 0 below the minimum."""
        least, step = self.rule.minimum_tokens, self.rule.step_tokens
        if tokens < least:
            return 0
        return least + (tokens - least) // step * step

    def _of_slot(self, blocks: Sequence[Block], total: int, at_s: float) -> CachedInput:
        same = 0
        if at_s <= self._last_until_s:
            for old, new in zip(self._last, blocks, strict=False):
                if old.key != new.key:
                    break
                same += new.tokens
        self._last, self._last_until_s = tuple(blocks), at_s + self.rule.ttl_s
        read = self._steps(min(same, max(total - self.rule.unread_tokens, 0)))
        return CachedInput(total - read, read)

    def _clean(self, at_s: float) -> None:
        """Drop what is over, now and then, so that memory is that of what is kept."""
        if at_s - self._cleaned_s < self.rule.ttl_s:
            return
        self._cleaned_s = at_s
        self._kept = {k: v for k, v in self._kept.items() if v >= at_s}


def _ends(blocks: Sequence[Block]) -> list[tuple[int, int]]:
    """Of each block's end: what stands for all blocks up to it, and their tokens."""
    ends, key, tokens = [], 0, 0
    for block in blocks:
        key = hash((key, block.key))
        tokens += block.tokens
        ends.append((key, tokens))
    return ends
