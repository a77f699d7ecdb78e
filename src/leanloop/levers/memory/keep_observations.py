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
        self._old: tuple[Message, ...] = ()
        self._sent: tuple[Message, ...] = ()

    async def on_request(self, request: Request) -> Request:
        """Mask what is older than the last ``keep`` observations.

        What was masked in the step before is taken over as it is, so that a step
        looks at what is new and at what is still whole.
        """
        messages = request.messages
        start = self._first_whole(messages)
        if start < len(self._old) or messages[: len(self._old)] != self._old:
            self._old, self._sent = (), ()
        if start > len(self._old):
            self._sent += tuple(map(_masked, messages[len(self._old) : start]))
            self._old = messages[:start]
        if self._sent == self._old:
            return request
        return with_messages(request, self._sent + messages[start:])

    def _first_whole(self, messages: tuple[Message, ...]) -> int:
        """Where the oldest observation is that stays whole; 0 when all do."""
        left = self._keep
        for at in range(len(messages) - 1, -1, -1):
            left -= isinstance(messages[at], ToolMessage)
            if not left:
                return at
        return 0


def _masked(message: Message) -> Message:
    if isinstance(message, ToolMessage) and len(message.text) > len(MASK):
        return ToolMessage(message.call_id, message.name, MASK, message.is_error)
    return message


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
