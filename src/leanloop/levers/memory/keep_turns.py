"""Leave out all but the last rounds."""

from __future__ import annotations

from collections.abc import Sequence

from leanloop.core.configuration import Setting
from leanloop.core.domain import IntRange
from leanloop.core.message import (
    AssistantMessage,
    Message,
    Request,
    SystemMessage,
    UserMessage,
    with_messages,
)
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage


class KeepTurns(Stage):
    """Sends system and user text and the last ``keep`` rounds, and leaves out the older ones.

    A round is what the model said with the results of its calls; it is kept whole or
    left out whole. What the user said between the rounds left out stays, in its order.

    Args:
        keep: How many rounds are sent; 1 or more.
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep

    async def on_request(self, request: Request) -> Request:
        """Leave out the rounds before the last ``keep``."""
        start = _start_of_last(request.messages, self._keep)
        old = request.messages[:start]
        kept = [m for m in old if isinstance(m, SystemMessage | UserMessage)]
        if len(kept) == len(old):
            return request
        return with_messages(request, (*kept, *request.messages[start:]))


def _start_of_last(messages: Sequence[Message], keep: int) -> int:
    """Index of the message that begins the last ``keep`` rounds; 0 when there are no more."""
    left = keep
    for i in range(len(messages) - 1, -1, -1):
        if isinstance(messages[i], AssistantMessage):
            left -= 1
            if left == 0:
                return i
    return 0


def _make(setting: Setting, context: RunContext) -> Stage:
    del context
    return KeepTurns(int(setting))


LEVER = SimpleLever(
    Card(
        name="memory.keep_turns",
        summary="Send the last N rounds of calls and results and leave out the older ones.",
        domain=IntRange(1, 1000),
        search=(2, 4, 8),
        acts_on=("request",),
        source="A sliding window. The Complexity Trap, arXiv 2508.21433, masks observations "
        "instead, so that the agent still sees what it did; compare memory.keep_observations.",
    ),
    _make,
)
