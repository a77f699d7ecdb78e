"""Cut the middle out of long observations."""

from __future__ import annotations

from leanloop.core.configuration import Setting
from leanloop.core.domain import IntRange
from leanloop.core.message import Message, Request, ToolMessage, with_messages
from leanloop.levers.memory import fold
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage


class TruncateObservation(Stage):
    """Sends head and tail of an observation that is longer than ``limit``.

    Errors are cut like any other observation: what went wrong is said at their end.

    Args:
        limit: Characters that an observation may have, the mark for what is left out included.
        whole: Names of tools whose results are not cut.
    """

    def __init__(self, limit: int, whole: frozenset[str] = frozenset()) -> None:
        self._limit = limit
        self._whole = whole
        self._cut: dict[ToolMessage, ToolMessage] = {}

    async def on_request(self, request: Request) -> Request:
        """Cut what is too long."""
        if not any(self._is_long(m) for m in request.messages):
            return request
        return with_messages(request, [self._shown(m) for m in request.messages])

    def _is_long(self, message: Message) -> bool:
        return (
            isinstance(message, ToolMessage)
            and len(message.text) > self._limit
            and message.name not in self._whole
        )

    def _shown(self, message: Message) -> Message:
        if not isinstance(message, ToolMessage) or not self._is_long(message):
            return message
        cut = self._cut.get(message)
        if cut is None:
            text = truncate(message.text, self._limit)
            cut = ToolMessage(message.call_id, message.name, text, message.is_error)
            self._cut[message] = cut
        return cut


def truncate(text: str, limit: int) -> str:
    """Head and tail of a text with a mark between them that says how much is left out.

    Args:
        text: Longer than ``limit``.
        limit: Characters of the result at most; room for the mark, 40 or more.
    """
    room = limit - len(_mark(len(text)))
    tail = room // 2
    head = room - tail
    return text[:head] + _mark(len(text) - room) + text[len(text) - tail :]


def _mark(left_out: int) -> str:
    return f"\n[{left_out} characters left out]\n"


def _make(setting: Setting, context: RunContext) -> Stage:
    # The pages that memory.fold gives out are asked for, and have a bound of their own.
    whole = {fold.TOOL.name} - {t.name for t in context.tools}
    return TruncateObservation(int(setting), frozenset(whole))


LEVER = SimpleLever(
    Card(
        name="memory.truncate_observation",
        summary="Show head and tail of an observation longer than N characters.",
        domain=IntRange(200, 10_000_000),
        search=(500, 2000),
        acts_on=("request",),
        source="Common in agents: SWE-agent, arXiv 2405.15793, bounds the length of every "
        "observation.",
    ),
    _make,
)
