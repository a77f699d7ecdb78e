"""Tokens and dollars of calls, added up without mixing what is reported and what is not."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from leanloop.core.run import Evidence
from leanloop.core.tokens import NO_TOKENS, Tokens, add_known
from leanloop.traces.profile_result import Dollars, TokenTotals
from leanloop.traces.repricing import CallPrice


@dataclass
class _Sum:
    """A sum that remembers how many of its parts were unknown."""

    total: Decimal = Decimal(0)
    known: int = 0

    def add(self, value: float | Decimal | None) -> None:
        if value is not None:
            self.total += value if isinstance(value, Decimal) else Decimal(repr(value))
            self.known += 1

    def of(self, calls: int) -> float | None:
        return float(self.total) if self.known == calls and calls else None


@dataclass
class Spending:
    """Adds up calls; ``merge`` adds up what was added up."""

    calls: int = 0
    _input: int | None = 0
    _output: int | None = 0
    _reported: int = 0
    _classes: Tokens = NO_TOKENS
    _recorded: _Sum = field(default_factory=_Sum)
    _list: _Sum = field(default_factory=_Sum)
    _modelled: _Sum = field(default_factory=_Sum)
    modelled_calls: int = 0
    """Calls whose cached input was modelled."""
    cache_read: int = 0
    cache_input: int = 0
    cache_calls: int = 0
    """Calls that report what they read from a cache, with their input."""

    def add(self, priced: CallPrice) -> None:
        """Add a call."""
        counts = priced.call.counts
        self.calls += 1
        self._reported += counts.input_tokens is not None and counts.output_tokens is not None
        self._input = add_known(self._input, priced.input_tokens)
        self._output = add_known(self._output, priced.output_tokens)
        self._classes = self._classes + counts.tokens
        self._recorded.add(priced.call.usd)
        self._list.add(priced.list_usd)
        self._modelled.add(priced.usd)
        self.modelled_calls += priced.modelled
        read = counts.tokens.cache_read_tokens
        if read is not None and counts.input_tokens is not None:
            self.cache_read += read
            self.cache_input += counts.input_tokens
            self.cache_calls += 1

    def merge(self, other: Spending) -> None:
        """Add what another has added up."""
        self.calls += other.calls
        self._input = add_known(self._input, other._input)
        self._output = add_known(self._output, other._output)
        self._reported += other._reported
        self._classes = self._classes + other._classes
        for mine, theirs in zip(self._sums, other._sums, strict=True):
            mine.total += theirs.total
            mine.known += theirs.known
        self.modelled_calls += other.modelled_calls
        self.cache_read += other.cache_read
        self.cache_input += other.cache_input
        self.cache_calls += other.cache_calls

    @property
    def _sums(self) -> tuple[_Sum, _Sum, _Sum]:
        return (self._recorded, self._list, self._modelled)

    @property
    def tokens(self) -> TokenTotals:
        """The tokens."""
        whole = self._reported == self.calls
        evidence = Evidence.REPORTED if whole and self.calls else Evidence.ESTIMATED
        return TokenTotals(
            self._input, self._output, self._classes, evidence, self._reported, self.calls
        )

    @property
    def dollars(self) -> Dollars:
        """The dollars."""
        recorded, listed, modelled = (s.of(self.calls) for s in self._sums)
        return Dollars(
            recorded,
            self._recorded.known,
            listed,
            modelled,
            self._list.known,
            self.calls,
            float(self._recorded.total),
            float(self._list.total),
            self.modelled_calls,
        )
