"""Say which part of the prompt every task shares, so that a new task starts warm."""

from __future__ import annotations

import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.domain import Choice
from leanloop.core.message import Message, Request, SystemMessage
from leanloop.levers.planning.examples import example_messages
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage

NAME = "memory.warm_prefix"


class WarmPrefix(Stage):
    """Marks the end of what every task of the suite begins with.

    That is the system texts and the suite's first worked examples, in its order;
    examples chosen for the task, skills and facts stand behind them. What a model does
    with the mark is its own: the embedded one saves llama.cpp's state there, to disk, and
    goes on from it where another prompt came in between or the process is new; the
    Messages API gets a breakpoint that lasts an hour. Nothing is added or left out.

    Args:
        context: The run.
    """

    def __init__(self, context: RunContext) -> None:
        self._shared: list[Message] = []
        for i, example in enumerate(context.examples):
            self._shared += example_messages(i, example)

    async def on_request(self, request: Request) -> Request:
        """Mark the prefix."""
        at = 0
        while at < len(request.messages) and isinstance(request.messages[at], SystemMessage):
            at += 1
        for message in self._shared:
            if at >= len(request.messages) or request.messages[at] != message:
                break
            at += 1
        return msgspec.structs.replace(request, shared_messages=at)


def _make(setting: Setting, context: RunContext) -> Stage:
    del setting
    return WarmPrefix(context)


LEVER = SimpleLever(
    Card(
        name=NAME,
        summary="Mark what every task begins with, so that a prompt cache or a saved state holds "
        "it from one task to the next.",
        domain=Choice(("on",)),
        search=("on",),
        acts_on=("request",),
        source="Prompt Cache, arXiv 2311.04934; one-hour breakpoints: Anthropic, Prompt caching, "
        "2026-11; llama.cpp slot save and restore.",
    ),
    _make,
)
