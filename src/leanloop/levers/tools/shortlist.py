"""Show only the tools that fit the task."""

from __future__ import annotations

import re

import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.domain import IntRange
from leanloop.core.message import Request, ToolSpec
from leanloop.levers import bm25, embeddings
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage

NAME = "tools.shortlist"
MOST = IntRange(1, 128)
BY_EMBEDDINGS = re.compile(r"embeddings:([0-9]{1,3})")


class ShortlistDomain:
    """How many tools, ranked by BM25, or by embeddings where that is written in front."""

    def accepts(self, value: object) -> bool:
        """Whether the value is a number of tools, with or without ``embeddings:``."""
        named = BY_EMBEDDINGS.fullmatch(value) if isinstance(value, str) else None
        return MOST.accepts(int(named[1]) if named else value)

    def __str__(self) -> str:
        """As an error message says it."""
        return f"{MOST}, or embeddings:N"


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


def rank_tools(tools: tuple[ToolSpec, ...], text: str, setting: Setting) -> frozenset[str]:
    """Names of the tools that rank highest for the text.

    Ties go to the tool that comes first. All are returned when there are no more than
    are asked for.

    Args:
        tools: To choose from.
        text: The task's.
        setting: How many, by BM25; ``embeddings:N`` for N by embeddings.

    Raises:
        BadInputError: Embeddings are asked for and cannot be had.
    """
    named = BY_EMBEDDINGS.fullmatch(str(setting))
    k = int(named[1]) if named else int(setting)
    if len(tools) <= k:
        return frozenset(t.name for t in tools)
    texts = [_text(t) for t in tools]
    best = embeddings.top_k(texts, text, k, NAME) if named else bm25.top_k(texts, text, k)
    return frozenset(tools[i].name for i in best)


def _text(tool: ToolSpec) -> str:
    words = [tool.name, tool.description, *tool.parameters.get("properties", {})]
    return " ".join([*words, *tool.result_fields]).replace("_", " ")


def _make(setting: Setting, context: RunContext) -> Stage:
    shown = rank_tools(context.tools, context.task.prompt, setting)
    return Shortlist(frozenset(t.name for t in context.tools) - shown)


LEVER = SimpleLever(
    Card(
        name=NAME,
        summary="Show only the k tools that rank highest for the task, by BM25 or by embeddings.",
        domain=ShortlistDomain(),
        search=(4, 8),
        acts_on=("request",),
        source="RAG-MCP, arXiv 2505.03275: prompt -50%, selection 13.6 to 43.1% (not reproduced "
        "here).",
    ),
    _make,
)
