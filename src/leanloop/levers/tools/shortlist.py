"""Show only the tools that fit the task."""

from __future__ import annotations

import bm25s
import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.domain import IntRange
from leanloop.core.message import Request, ToolSpec
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage


class Shortlist(Stage):
    """Shows the tools that rank highest for the task's text, in their own order.

    Args:
        names: The tools to show.
    """

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    async def on_request(self, request: Request) -> Request:
        """Leave the other tools out."""
        tools = tuple(t for t in request.tools if t.name in self._names)
        return msgspec.structs.replace(request, tools=tools)


def rank_tools(tools: tuple[ToolSpec, ...], text: str, k: int) -> frozenset[str]:
    """Names of the ``k`` tools with the highest BM25 score for the text.

    Ties go to the tool that comes first. All are returned when there are no
    more than ``k``.
    """
    if len(tools) <= k:
        return frozenset(t.name for t in tools)
    index = bm25s.BM25()
    tokenise = bm25s.tokenization.Tokenizer(stopwords="en")
    corpus = tokenise.tokenize([_text(t) for t in tools], show_progress=False)
    index.index((corpus, tokenise.get_vocab_dict()), show_progress=False)
    query = tokenise.tokenize([text], update_vocab=False, show_progress=False)
    scores = index.get_scores(query[0]) if query[0] else [0.0] * len(tools)
    order = sorted(range(len(tools)), key=lambda i: (-float(scores[i]), i))
    return frozenset(tools[i].name for i in order[:k])


def _text(tool: ToolSpec) -> str:
    words = [tool.name, tool.description, *tool.parameters.get("properties", {})]
    return " ".join([*words, *tool.result_fields]).replace("_", " ")


def _make(setting: Setting, context: RunContext) -> Stage:
    return Shortlist(rank_tools(context.tools, context.task.prompt, int(setting)))


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
