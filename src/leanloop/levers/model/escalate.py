"""Start small, go on with a larger model when the small one fails its own check."""

from __future__ import annotations

import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.domain import ModelName
from leanloop.core.message import Request, Response, UserMessage
from leanloop.core.run import Step
from leanloop.levers.protocol import GO, Card, Complete, RunContext, SimpleLever, Stage, Verdict
from leanloop.levers.tools.result_cache import call_key

NAME = "model.escalate"
CHECK = (
    "Check the answer you just gave against the tool results above. Reply yes if they prove it, "
    "no if anything is missing or was guessed."
)


class Escalate(Stage):
    """Hands the run to a larger model when the acting one is in trouble.

    The checks, in order of price: the reply is empty or cut off, a call repeats
    an earlier one, a second observation is an error, and, for an answer, the
    acting model itself says that the tool results do not prove it. The larger
    model answers the same request again and acts until the run ends.

    Args:
        larger: The study's name for the larger model.
        complete: Queries a model.
    """

    def __init__(self, larger: str, complete: Complete) -> None:
        self._larger = larger
        self._complete = complete
        self._escalated = False
        self._calls: set[str] = set()
        self._errors = 0
        self._observed = False

    async def on_request(self, request: Request) -> Request:
        """Send to the larger model once the run is escalated."""
        return msgspec.structs.replace(request, model=self._larger) if self._escalated else request

    async def on_response(self, request: Request, response: Response) -> Response:
        """Check the reply; ask the larger model when the check fails."""
        if self._escalated or request.model == self._larger:
            return response
        if not await self._in_trouble(request, response):
            self._calls |= {call_key(c) for c in response.message.tool_calls}
            return response
        self._escalated = True
        again = msgspec.structs.replace(request, model=self._larger)
        return await self._complete(again, NAME)

    def after_step(self, step: Step) -> Verdict:
        """Note that there are observations, and count the errors among them."""
        self._observed = self._observed or bool(step.tool_uses)
        self._errors += sum(use.is_error for use in step.tool_uses)
        return GO

    async def _in_trouble(self, request: Request, response: Response) -> bool:
        message = response.message
        if response.truncated or not (message.text or message.tool_calls):
            return True
        if self._errors >= 2 or any(call_key(c) in self._calls for c in message.tool_calls):
            return True
        return not message.tool_calls and not await self._proven(request, response)

    async def _proven(self, request: Request, response: Response) -> bool:
        if not self._observed:  # a worked example's results prove nothing
            return False
        question = msgspec.structs.replace(
            request,
            messages=(*request.messages, response.message, UserMessage(CHECK)),
            tools_allowed=False,
            max_output_tokens=16,
        )
        reply = await self._complete(question, NAME)
        return not reply.message.text.strip().lower().startswith("no")


def _make(setting: Setting, context: RunContext) -> Stage:
    return Escalate(str(setting), context.complete)


LEVER = SimpleLever(
    Card(
        name=NAME,
        summary="Hand the run to a larger model when the acting one fails its own check.",
        domain=ModelName(),
        search=(),
        acts_on=("request", "response", "step"),
        source="FrugalGPT, arXiv 2305.05176, for single queries; here for a loop.",
        needs=("model",),
    ),
    _make,
)
