"""A tighter bound on what the model writes in a step."""

from __future__ import annotations

import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.domain import IntRange
from leanloop.core.message import Request
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage


class MaxOutput(Stage):
    """Lowers the bound on a step's output; never raises it.

    What other levers ask for themselves, such as a plan or a summary, has bounds
    of its own.

    Args:
        tokens: The most that is written in a step, inclusive.
    """

    def __init__(self, tokens: int) -> None:
        self._tokens = tokens

    async def on_request(self, request: Request) -> Request:
        """Lower the bound."""
        if request.max_output_tokens <= self._tokens:
            return request
        return msgspec.structs.replace(request, max_output_tokens=self._tokens)


def _make(setting: Setting, context: RunContext) -> Stage:
    del context
    return MaxOutput(int(setting))


LEVER = SimpleLever(
    Card(
        name="model.max_output",
        summary="Bound what the model writes in a step to N tokens, where the study allows more.",
        domain=IntRange(1, 1_000_000),
        search=(64, 96, 128),
        acts_on=("request",),
        source="The knob of every provider: output tokens cost several times what input ones do.",
    ),
    _make,
)
