"""Ask for the answer several times and take the one most often given."""

from __future__ import annotations

import unicodedata
from collections import Counter

import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.domain import IntRange
from leanloop.core.message import Request, Response
from leanloop.levers.protocol import Card, Complete, RunContext, SimpleLever, Stage
from leanloop.levers.tools.result_cache import call_key

NAME = "planning.samples"
MOST = 16
TEMPERATURE = 0.7


class Samples(Stage):
    """Puts every answer to the vote; a step that calls tools passes.

    The model's own reply has the first vote. The same request is then sent again with
    other seeds at a temperature of 0.7, and whatever comes back votes, a call where the
    first reply was an answer too. Ties go to what came first. A reply that is empty or
    cut off does not vote. It is not asked again once nothing can change the outcome.

    Args:
        count: Replies at most, the first included.
        complete: Queries the acting model.
    """

    def __init__(self, count: int, complete: Complete) -> None:
        self._count = count
        self._complete = complete

    async def on_response(self, request: Request, response: Response) -> Response:
        """Put an answer to the vote."""
        if request.tools_allowed and response.message.tool_calls:
            return response
        votes: Counter[str] = Counter()
        first: dict[str, Response] = {}
        reply = response
        for left in reversed(range(self._count)):
            ballot = _ballot(request, reply)
            if ballot:
                votes[ballot] += 1
                first.setdefault(ballot, reply)
            if _settled(votes, left):
                break
            reply = await self._complete(self._again(request, self._count - left), NAME)
        ranked = votes.most_common(1)  # equal counts stay in the order in which they came
        return first[ranked[0][0]] if ranked else response

    def _again(self, request: Request, number: int) -> Request:
        # Steps of 16 keep the samples of two runs that differ by seed from being the same.
        seed = request.seed * MOST + number
        return msgspec.structs.replace(request, seed=seed, temperature=TEMPERATURE)


def normalised(text: str) -> str:
    """An answer as it is counted: without case, outer punctuation and spare white space."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(folded.split()).strip(" .!?,;:\"'`*")


def _ballot(request: Request, reply: Response) -> str:
    if reply.truncated:
        return ""
    if request.tools_allowed and reply.message.tool_calls:
        return "calls " + "\n".join(map(call_key, reply.message.tool_calls))
    text = normalised(reply.message.text)
    return f"answer {text}" if text else ""


def _settled(votes: Counter[str], left: int) -> bool:
    """Whether no ``left`` further votes can change who wins."""
    if left == 0:
        return True
    if not votes:
        return False
    order = list(votes)
    (leader, most), *rest = votes.most_common(2)
    lead = most - (rest[0][1] if rest else 0)
    before = any(votes[b] + left >= most for b in order[: order.index(leader)])
    return lead >= left and not before


def _make(setting: Setting, context: RunContext) -> Stage:
    return Samples(int(setting), context.complete)


LEVER = SimpleLever(
    Card(
        name=NAME,
        summary="Ask for each answer up to N times and take the majority's; steps that call "
        "tools are not voted on.",
        domain=IntRange(2, MOST),
        search=(3, 5),
        acts_on=("response",),
        source="Self-consistency, arXiv 2203.11171: +17.9 points on GSM8K with 40 samples (not "
        "reproduced here).",
        needs=("model",),
    ),
    _make,
)
