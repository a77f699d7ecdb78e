"""Show only the tools that fit the task."""

from __future__ import annotations

import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.domain import IntRange
from leanloop.core.message import Request, ToolSpec
from leanloop.levers.bm25 import top_k
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage


class Shortlist(Stage):
    """Shows the tools that rank highest for the task's text, in their own order.

    Only tools of the task are left out: one that a lever has added stays.

    Args:
        left_out: Names of the tools that are not shown.
    """

    def __init__(self, left_out: frozenset[str]) -> None:
        self._left_out = left_out

    async def on_request(self, request: Request) -> Request:
        """Leave the other tools out."""
        tools = tuple(t for t in request.tools if t.name not in self._left_out)
        if len(tools) == len(request.tools):
            return request
        return msgspec.structs.replace(request, tools=tools)


def rank_tools(tools: tuple[ToolSpec, ...], text: str, k: int) -> frozenset[str]:
    """Names of the ``k`` tools with the highest BM25 score for the text.

    Ties go to the tool that comes first. All are returned when there are no
    more than ``k``.
    """
    if len(tools) <= k:
        return frozenset(t.name for t in tools)
    return frozenset(tools[i].name for i in top_k([_text(t) for t in tools], text, k))


def _text(tool: ToolSpec) -> str:
    words = [tool.name, tool.description, *tool.parameters.get("properties", {})]
    return " ".join([*words, *tool.result_fields]).replace("_", " ")


def _make(setting: Setting, context: RunContext) -> Stage:
    shown = rank_tools(context.tools, context.task.prompt, int(setting))
    return Shortlist(frozenset(t.name for t in context.tools) - shown)


LEVER = SimpleLever(
    Card(
        name="tools.shortlist",
        summary="Show only the k tools that rank highest for the task by BM25.",
        domain=IntRange(1, 128),
        search=(4, 8),
        acts_on=("request",),
        source="RAG-MCP, arXiv 2505.03275: prompt -50%, selection 13.6 to 43.1% (not reproduced "
        "here).",
    ),
    _make,
)
