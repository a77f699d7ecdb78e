"""Which model acts."""

from __future__ import annotations

import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.domain import ModelName
from leanloop.core.message import Request
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage


class ModelChoice(Stage):
    """Sends every step to one model.

    Args:
        model: The study's name for it.
    """

    def __init__(self, model: str) -> None:
        self._model = model

    async def on_request(self, request: Request) -> Request:
        """Set the model."""
        return msgspec.structs.replace(request, model=self._model)


def _make(setting: Setting, context: RunContext) -> Stage:
    del context
    return ModelChoice(str(setting))


LEVER = SimpleLever(
    Card(
        name="model.choice",
        summary="The model that acts; off is the study's default model.",
        domain=ModelName(),
        search=(),
        acts_on=("request",),
        source="The knob that everybody turns first.",
    ),
    _make,
)
