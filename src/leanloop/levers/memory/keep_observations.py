"""Mask all but the last observations."""

from __future__ import annotations

from leanloop.core.configuration import Setting
from leanloop.core.domain import IntRange
from leanloop.core.message import Message, Request, ToolMessage, with_messages
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage

MASK = "[older observation left out]"


class KeepObservations(Stage):
    """Sends the last ``keep`` observations whole and a short mark for each older one.

    Args:
        keep: How many observations stay whole.
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._masked: dict[str, ToolMessage] = {}

    async def on_request(self, request: Request) -> Request:
        """Mask what is older than the last ``keep`` observations."""
        left = self._keep
        messages: list[Message] = []
        changed = False
        for message in reversed(request.messages):
            if isinstance(message, ToolMessage):
                left -= 1
                if left < 0 and len(message.text) > len(MASK):
                    messages.append(self._mask(message))
                    changed = True
                    continue
            messages.append(message)
        if not changed:
            return request
        messages.reverse()
        return with_messages(request, messages)

    def _mask(self, message: ToolMessage) -> ToolMessage:
        masked = self._masked.get(message.call_id)
        if masked is None:
            masked = ToolMessage(message.call_id, message.name, MASK, message.is_error)
            self._masked[message.call_id] = masked
        return masked


def _make(setting: Setting, context: RunContext) -> Stage:
    del context
    return KeepObservations(int(setting))


LEVER = SimpleLever(
    Card(
        name="memory.keep_observations",
        summary="Keep the last N observations whole and mask the older ones.",
        domain=IntRange(1, 1000),
        search=(1, 2, 4),
        acts_on=("request",),
        source="The Complexity Trap, arXiv 2508.21433: about -50% cost; success 53.8 to 54.8% "
        "on one model, -11 points on another scaffold (not reproduced here).",
    ),
    _make,
)
