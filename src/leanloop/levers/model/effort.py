"""How much the model reasons before it speaks."""

from __future__ import annotations

import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.domain import Choice
from leanloop.core.message import Request
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage


class Effort(Stage):
    """Asks for an effort in every step, and in what levers ask in the same words.

    Args:
        effort: In the provider's own words.
    """

    def __init__(self, effort: str) -> None:
        self._effort = effort

    async def on_request(self, request: Request) -> Request:
        """Set the effort."""
        return msgspec.structs.replace(request, effort=self._effort)


def _make(setting: Setting, context: RunContext) -> Stage:
    del context
    return Effort(str(setting))


LEVER = SimpleLever(
    Card(
        name="model.effort",
        summary="How much a reasoning model reasons, where its provider takes a wish; others may "
        "refuse it, and the embedded one does not heed it.",
        domain=Choice(("low", "medium", "high")),
        search=("low", "medium", "high"),
        acts_on=("request",),
        source="reasoning_effort of Chat Completions, output_config.effort of Messages.",
    ),
    _make,
)
