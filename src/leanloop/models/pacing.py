"""How many requests at once, and how many a minute, a provider is sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from leanloop.core.message import Request, Response
from leanloop.models.builtin import HOSTED, ModelSpec
from leanloop.models.protocol import Model
from leanloop.models.wrapped import WrappedModel

BURST_S = 1.0
"""Seconds' worth of requests or tokens that may go at once after a pause."""


@dataclass
class Pace:
    """Spreads units over time: no more than a rate, but for a short burst.

    The generic cell rate algorithm (ITU-T Recommendation I.371): all that is kept
    is when the next unit is due.

    Args:
        per_minute: Units a minute.
    """

    per_minute: float
    _due: float = 0.0

    def take(self, units: float, now: float) -> float:
        """Take units.

        Args:
            units: How many.
            now: Seconds of a clock that only goes forward.

        Returns:
            Seconds to wait before they are used.
        """
        start = max(self._due, now - BURST_S)
        self._due = start + units * 60 / self.per_minute
        return max(start - now, 0.0)


class PacedModel(WrappedModel):
    """A model whose requests wait for their turn; the wait is not part of a latency.

    How many tokens a request takes is known after it, so it waits for the tokens of
    those before it.

    Args:
        model: The model.
        at_once: Held while a request is under way; shared by the models of one provider.
        requests: Requests a minute; None for no bound.
        tokens: Tokens a minute, input and output; None for no bound.
    """

    def __init__(
        self,
        model: Model,
        at_once: asyncio.Semaphore,
        requests: Pace | None = None,
        tokens: Pace | None = None,
    ) -> None:
        super().__init__(model)
        self._at_once = at_once
        self._requests, self._tokens = requests, tokens

    async def complete(self, request: Request) -> Response:
        """Answer one request when its turn has come.

        Raises:
            ModelError: The request can never succeed.
            OutageError: The provider stayed away after every retry.
        """
        async with self._at_once:
            await asyncio.sleep(self._wait_s())
            response = await self.model.complete(request)
        if self._tokens is not None:
            self._tokens.take(response.tokens.total_tokens or 0, time.monotonic())
        return response

    def _wait_s(self) -> float:
        now = time.monotonic()
        waits = [0.0]
        if self._requests is not None:
            waits.append(self._requests.take(1, now))
        if self._tokens is not None:
            waits.append(self._tokens.take(0, now))
        return max(waits)


def pace_models(models: Mapping[str, Model], specs: Mapping[str, ModelSpec]) -> dict[str, Model]:
    """Models that keep to what their study allows; those in this process are left as they are.

    Models of one provider, address and key share how many requests are under way at
    once: the least that any of them names. Rates are each model's own, as
    providers count them.

    Args:
        models: The study's name for a model, to the model.
        specs: What the study says of them.
    """
    least: dict[tuple[str | None, ...], int] = {}
    for spec in specs.values():
        at_once = spec.requests_at_once
        least[spec.place] = min(at_once, least.get(spec.place, at_once))
    turns = {place: asyncio.Semaphore(count) for place, count in least.items()}
    return {
        name: model
        if specs[name].provider not in HOSTED
        else PacedModel(
            model,
            turns[specs[name].place],
            _pace(specs[name].requests_per_minute),
            _pace(specs[name].tokens_per_minute),
        )
        for name, model in models.items()
    }


def _pace(per_minute: float | None) -> Pace | None:
    return None if per_minute is None else Pace(per_minute)
