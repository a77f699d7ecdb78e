"""Answer a repeated read from memory."""

from __future__ import annotations

import json

import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.domain import Choice
from leanloop.core.message import ToolCall, ToolMessage
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage


def call_key(call: ToolCall) -> str:
    """Name and arguments of a call as one text; equal calls have equal keys."""
    return call.name + json.dumps(call.arguments, sort_keys=True, ensure_ascii=False)


class ResultCache(Stage):
    """Answers a call that was already made from its earlier result.

    Only tools marked read-only are answered; a call of any other tool may have
    changed what they return, so it empties the cache. Errors are not kept.

    Args:
        read_only: Names of the tools marked read-only.
    """

    def __init__(self, read_only: frozenset[str]) -> None:
        self._read_only = read_only
        self._results: dict[str, ToolMessage] = {}

    async def on_tool_call(self, call: ToolCall) -> ToolCall | ToolMessage:
        """Answer from memory where that is safe."""
        if call.name not in self._read_only:
            self._results.clear()
            return call
        known = self._results.get(call_key(call))
        if known is None:
            return call
        return msgspec.structs.replace(known, call_id=call.call_id)

    def on_tool_result(self, call: ToolCall, result: ToolMessage) -> ToolMessage:
        """Remember the result."""
        if call.name in self._read_only and not result.is_error:
            self._results[call_key(call)] = result
        return result


def _make(setting: Setting, context: RunContext) -> Stage:
    del setting
    return ResultCache(frozenset(t.name for t in context.tools if t.read_only))


LEVER = SimpleLever(
    Card(
        name="tools.result_cache",
        summary="Answer a repeated read-only call from its earlier result, until something writes.",
        domain=Choice(("on",)),
        search=("on",),
        acts_on=("tool call", "tool result"),
        source="Memoisation; in recorded runs up to 64% of calls were repeats, most in few runs.",
    ),
    _make,
)
