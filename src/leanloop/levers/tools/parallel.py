"""Make look-ups that stand next to each other at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from leanloop.core.configuration import Setting
from leanloop.core.domain import IntRange
from leanloop.core.message import Request, SystemMessage, ToolCall, with_messages
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage
from leanloop.levers.tools.result_cache import call_key

HINT = SystemMessage(
    "Look-ups that do not need each other's results may be asked for together, as several tool "
    "calls in one turn."
)


class Parallel(Stage):
    """Makes neighbouring calls of read-only tools at once, and tells the model that it may.

    The order of the calls, and so of their results, stays. The hint stands behind the
    first system messages, the same at every step, so that a prompt cache can hold it.
    Where no read-only tool is shown there is no hint.

    Args:
        most: How many calls are made at once.
        read_only: Names of the tools marked read-only.
    """

    def __init__(self, most: int, read_only: frozenset[str]) -> None:
        self._most = most
        self._read_only = read_only

    async def on_request(self, request: Request) -> Request:
        """Add the hint."""
        if not any(t.name in self._read_only for t in request.tools):
            return request
        at = 0
        while at < len(request.messages) and isinstance(request.messages[at], SystemMessage):
            at += 1
        return with_messages(request, (*request.messages[:at], HINT, *request.messages[at:]))

    def on_calls(self, calls: Sequence[ToolCall]) -> Sequence[Sequence[ToolCall]]:
        """Group the calls."""
        return neighbours(calls, self._read_only, self._most)


def neighbours(
    calls: Sequence[ToolCall], read_only: Collection[str], most: int
) -> list[list[ToolCall]]:
    """The calls in groups: look-ups next to each other, and any other call alone.

    A call that its group has already starts a new one, so that a lever that remembers
    results can answer it.

    Args:
        calls: In the order in which the model gave them, which they keep.
        read_only: Names of the tools marked read-only.
        most: Calls in a group at most; 1 or more.
    """
    groups: list[list[ToolCall]] = []
    keys: set[str] = set()
    for call in calls:
        key = call_key(call)
        joins = call.name in read_only and 0 < len(keys) < most and key not in keys
        if not joins:
            groups.append([])
            keys = set()
        groups[-1].append(call)
        if call.name in read_only:
            keys.add(key)
    return groups


def _make(setting: Setting, context: RunContext) -> Stage:
    return Parallel(int(setting), frozenset(t.name for t in context.tools if t.read_only))


LEVER = SimpleLever(
    Card(
        name="tools.parallel",
        summary="Make up to N neighbouring read-only calls at once, and tell the model so.",
        domain=IntRange(2, 64),
        search=(4,),
        acts_on=("request", "calls"),
        source="LLMCompiler, arXiv 2312.04511: up to 3.7 times faster than one call after the "
        "other (not reproduced here).",
    ),
    _make,
)
