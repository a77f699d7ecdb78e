"""Dollars spent against a cap: reserved before a call, settled after it, kept across kills."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal

from leanloop.core.errors import BadInputError, OutageError, SpentError
from leanloop.core.message import Request, Response
from leanloop.core.run import ModelCall
from leanloop.loop.agent import Agent
from leanloop.models.protocol import Model
from leanloop.models.wrapped import WrappedModel
from leanloop.pricing.cost import PriceBook
from leanloop.search.protocol import PaidRunner, Runner
from leanloop.store.protocol import Paid

Keep = Callable[[Decimal | None], Paid]
"""Keeps a payment for good, and says what was paid in all."""


@dataclass
class Purse:
    """Dollars spent, against a cap that is never passed by more than the calls in flight.

    What a call will cost is not known before it, so as much is reserved as the
    dearest call so far has cost; near the cap calls wait for those in flight.

    Args:
        max_usd: The cap; None is no cap.
        keep: Keeps each payment before anything else is done with it; None where what
            is paid for is itself kept.
        spent_usd: So far; a call whose price is unknown adds nothing.
        unknown_calls: Calls whose price is unknown.
        look: Says what was paid in all, where others pay too.
        raised: Says what the cap is at this moment, where it may be raised meanwhile.
    """

    max_usd: float | None
    keep: Keep | None = None
    spent_usd: Decimal = Decimal(0)
    unknown_calls: int = 0
    look: Callable[[], Paid] | None = None
    raised: Callable[[], float | None] | None = None
    _dearest: Decimal = Decimal(0)
    _in_flight: int = 0
    _settled: asyncio.Event = field(default_factory=asyncio.Event)

    def check(self) -> None:
        """Refuse once the cap is reached.

        Raises:
            SpentError: It is reached.
        """
        self.refresh()
        if self._is_reached() and self.raised is not None:
            self.max_usd = self.raised()
        if self._is_reached():
            raise SpentError(f"the cap of ${self.max_usd:g} is reached")

    def refresh(self) -> None:
        """Take in what others have paid."""
        if self.look is not None:
            self.learn(self.look())

    @asynccontextmanager
    async def reserved(self) -> AsyncIterator[None]:
        """Hold money for one call while it is under way.

        Raises:
            SpentError: The cap is reached.
        """
        self.check()
        while self._in_flight and not self._room():
            self._settled.clear()
            await self._settled.wait()
            self.check()
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1
            self._settled.set()

    def add(self, usd: Decimal | None) -> None:
        """Count a call.

        Raises:
            OutageError: The payment could not be kept.
        """
        self._dearest = max(self._dearest, usd or Decimal(0))
        if usd is None:
            self.unknown_calls += 1
        else:
            self.spent_usd += usd
        if self.keep is not None:
            try:
                self.learn(self.keep(usd))
            except BadInputError as error:
                raise OutageError(str(error)) from error

    def learn(self, paid: Paid) -> None:
        """Take in what is known to have been paid, by another worker or a session before."""
        self.spent_usd = max(self.spent_usd, paid.usd)
        self.unknown_calls = max(self.unknown_calls, paid.unknown_calls)

    def _is_reached(self) -> bool:
        return self.max_usd is not None and self.spent_usd >= Decimal(repr(self.max_usd))

    def _room(self) -> bool:
        """Whether one more call would fit if all in flight were as dear as the dearest."""
        if self.max_usd is None:
            return True
        held = self._dearest * (self._in_flight + 1)
        return self.spent_usd + held <= Decimal(repr(self.max_usd))


class CappedModel(WrappedModel):
    """A model that refuses to be called once the purse is empty.

    Args:
        model: The model.
        alias: The study's name for it.
        prices: Prices its calls.
        purse: What they are paid from.
    """

    def __init__(self, model: Model, alias: str, prices: PriceBook, purse: Purse) -> None:
        super().__init__(model)
        self._alias, self._prices, self._purse = alias, prices, purse

    async def complete(self, request: Request) -> Response:
        """Answer a request, if there is money left.

        Raises:
            SpentError: There is not.
        """
        async with self._purse.reserved():
            started_at = time.time()
            response = await self.model.complete(request)
            call = ModelCall(
                self._alias, self.ref, "act", response.tokens, response.latency_s, started_at
            )
            self._purse.add(self._prices.call_usd(call))
        return response


def pay_from(runner: Runner, prices: PriceBook, purse: Purse) -> Runner:
    """A runner whose model calls are paid from a purse, where it calls models itself."""
    if isinstance(runner, PaidRunner):
        return runner.paying(purse.check, purse.add)
    if not isinstance(runner, Agent):
        return runner
    capped = {n: CappedModel(m, n, prices, purse) for n, m in runner.models.items()}
    return replace(runner, models=capped)
