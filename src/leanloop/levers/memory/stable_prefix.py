"""Hold back edits of the history until they pay for the prompt cache that they break."""

from __future__ import annotations

import json
from collections.abc import Sequence

from leanloop.core.configuration import Setting
from leanloop.core.domain import NumberRange
from leanloop.core.message import AssistantMessage, Message, Request, ToolMessage, with_messages
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage

READ_RATIO = 0.1
RATIO = NumberRange(0, 1)


class ReadRatioDomain:
    """``on``, or what cached input costs as a share of input, 0 to 1."""

    def accepts(self, value: object) -> bool:
        """Whether the value is ``on`` or a ratio."""
        return value == "on" or RATIO.accepts(value)

    def __str__(self) -> str:
        return (
            f"on, which is {READ_RATIO:g}, or the price of cached input by that of input, {RATIO}"
        )


class StablePrefix(Stage):
    """Sends what was sent before and what is new, until editing it is the cheaper way.

    A provider reads the part of a request that starts like the one before from its cache.
    An edit of old messages makes the request shorter, now and later, but all behind the
    edit is read anew once. Both ways are reckoned for this request and for as many more
    as there have been: nobody knows how long a run will be, and who acts once the rent
    paid equals the price is never far from who knew. Edits held back are made together.

    Sizes are characters, about four a token, thinking not counted; they matter only by
    their ratio. Nothing is held back where the conversation does not go on from the one
    before. When the tools or the model changed, nothing is cached and edits are free.

    Args:
        read_ratio: The price of cached input as a share of that of input, 0 to 1.
    """

    def __init__(self, read_ratio: float = READ_RATIO) -> None:
        self._read_ratio = read_ratio
        self._requests = 0
        self._raw: tuple[Message, ...] = ()
        self._sent: Request | None = None
        self._sizes: dict[str, int] = {}

    def on_edit(self, before: Request, after: Request) -> Request:
        """Take the edited request, or the last one with the new messages behind it."""
        sent = after
        if after is not before and self._sent is not None:
            sent = self._cheaper(before.messages, after, self._sent)
        self._requests += 1
        self._raw, self._sent = before.messages, sent
        return sent

    def _cheaper(self, raw: tuple[Message, ...], edited: Request, last: Request) -> Request:
        same = _same(last.messages, edited.messages)
        if same == len(last.messages):
            return edited
        new = self._new(raw, edited.messages, last.messages)
        if new is None:
            return edited
        held = (*last.messages, *new)
        cached = len(last.messages)
        if (last.model, last.tools) != (edited.model, edited.tools):
            same = cached = 0
        if self._cost(edited.messages, same) < self._cost(held, cached):
            return edited
        return with_messages(edited, held)

    def _new(
        self, raw: tuple[Message, ...], edited: tuple[Message, ...], last: tuple[Message, ...]
    ) -> tuple[Message, ...] | None:
        """The end of the edited request that stands behind what was sent; None when there is none.

        New messages are taken as edited, since nothing of them is cached, and with what a
        lever has put in front of them.
        """
        known = len(self._raw)
        start = len(edited) - (len(raw) - known)
        if start <= 0 or raw[:known] != self._raw:
            return None
        if not all(map(_stands_for, edited[start:], raw[known:])):
            return None
        while start > 0:
            message = edited[start - 1]
            if _stands_for(message, self._raw[-1]) or message in last:
                return edited[start:]
            start -= 1
        return None

    def _cost(self, messages: Sequence[Message], cached: int) -> float:
        """This request and those to come, in characters at the price of input.

        Args:
            messages: The request's.
            cached: How many of them the provider has in its cache.
        """
        sizes = [self._size(m) for m in messages]
        whole, read = sum(sizes), sum(sizes[:cached])
        later = self._requests * self._read_ratio * whole
        return whole - read + self._read_ratio * read + later

    def _size(self, message: Message) -> int:
        if not isinstance(message, AssistantMessage) or not message.tool_calls:
            return len(message.text)
        key = message.tool_calls[0].call_id
        size = self._sizes.get(key)
        if size is None:
            size = self._sizes[key] = size_of(message)
        return size


def size_of(message: Message) -> int:
    """Characters of a message, those of its calls included."""
    calls = message.tool_calls if isinstance(message, AssistantMessage) else ()
    return len(message.text) + sum(len(c.name) + len(json.dumps(c.arguments)) for c in calls)


def _stands_for(edited: Message, message: Message) -> bool:
    """Whether a message is another as levers may have left it."""
    if isinstance(edited, ToolMessage) and isinstance(message, ToolMessage):
        return edited.call_id == message.call_id
    return edited == message


def _same(one: Sequence[Message], other: Sequence[Message]) -> int:
    """How many messages the two start with alike."""
    for i, (a, b) in enumerate(zip(one, other, strict=False)):
        if a is not b and a != b:
            return i
    return min(len(one), len(other))


def _make(setting: Setting, context: RunContext) -> Stage:
    del context
    return StablePrefix(READ_RATIO if setting == "on" else float(setting))


LEVER = SimpleLever(
    Card(
        name="memory.stable_prefix",
        summary="Hold back edits of the history until they pay for the prompt cache they break.",
        domain=ReadRatioDomain(),
        search=("on",),
        acts_on=("edit",),
        source="Anthropic, Prompt caching, 2026-11: cached input at a tenth of the price of input; "
        "Don't Break the Cache, arXiv 2601.06007: caching saves 45 to 80%, more steadily where "
        "what changes is kept out of the prefix; the rule is that of renting skis.",
    ),
    _make,
)
