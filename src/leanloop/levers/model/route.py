"""One model takes the first step, another the rest."""

from __future__ import annotations

import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.domain import ModelName
from leanloop.core.message import Request
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage


class Route(Stage):
    """Sends the first step to one model and leaves the others to the acting one.

    What levers ask of the acting model in the first step goes to it too, a plan
    for instance.

    Args:
        planner: The study's name for the model of the first step.
    """

    def __init__(self, planner: str) -> None:
        self._planner = planner
        self._first = True

    async def on_request(self, request: Request) -> Request:
        """Set the model of the first step."""
        if not self._first:
            return request
        self._first = False
        return msgspec.structs.replace(request, model=self._planner)


def _make(setting: Setting, context: RunContext) -> Stage:
    del context
    return Route(str(setting))


LEVER = SimpleLever(
    Card(
        name="model.route",
        summary="The model that takes the first step, in which it plans; the acting one goes on.",
        domain=ModelName(),
        search=(),
        acts_on=("request",),
        source="RouteLLM, arXiv 2406.18665, for whole queries by a learned rule; here by the step.",
    ),
    _make,
)
