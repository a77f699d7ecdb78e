"""Send an answer that the tool results do not prove back for more steps."""

from __future__ import annotations

import re

import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.domain import Choice
from leanloop.core.message import (
    AssistantMessage,
    Message,
    Request,
    Response,
    UserMessage,
    with_messages,
)
from leanloop.core.run import Step
from leanloop.levers.protocol import (
    GO,
    Answer,
    Card,
    Complete,
    RunContext,
    SimpleLever,
    Stage,
    Verdict,
)

NAME = "stopping.self_check"
CHECK = (
    "Before this answer is taken: do the tool results of this task prove every part of it? Reply "
    "yes, or no and in one sentence what is still missing or was guessed."
)
DOUBT = (
    "This answer is not proven yet. {missing}Call the tools that can settle it, then give the "
    "whole answer again."
)
CHECK_TOKENS = 80
_NO = re.compile(r"\W*(?:no|not)\b[\s,.:;!-]*", re.IGNORECASE)


class SelfCheck(Stage):
    """Asks the acting model once whether the tool results prove its answer.

    When it says no, the same request is sent again with the answer and what is
    missing behind it, tools allowed, and that reply takes the answer's place.
    The loop keeps the reply alone; so that the model still knows of its first
    answer, both messages are put back at their place in every later request,
    which also keeps the prompt's prefix. The next answer is taken as it is.

    No answer is checked that comes in the last step or when tools cannot be
    called, since nothing could come of it; and none that is empty or cut off.
    Where the reply is empty or cut off the first answer stands. A run sent back
    has to answer in the last step that its limit allows.

    Args:
        complete: Queries the acting model.
        max_steps: Steps that the run may not pass; None when there is no such limit.
    """

    def __init__(self, complete: Complete, max_steps: int | None) -> None:
        self._complete = complete
        self._left = max_steps
        self._checked = False
        self._length = 0
        self._at = 0
        self._doubt: tuple[Message, ...] = ()

    async def on_request(self, request: Request) -> Request:
        """Put the doubted answer and the doubt back where they came up."""
        messages, at = request.messages, self._at
        self._length = len(messages)
        # Elsewhere than before the reply to it the doubt could tear a round apart.
        fits = at < len(messages) and isinstance(messages[at], AssistantMessage)
        if not self._doubt or not fits:
            return request
        return with_messages(request, (*messages[:at], *self._doubt, *messages[at:]))

    async def on_response(self, request: Request, response: Response) -> Response:
        """Check an answer; go on when it is not proven."""
        if not self._is_due(request, response):
            return response
        self._checked = True
        missing = await self._missing(request, response.message)
        if missing is None:
            return response
        doubt = (response.message, UserMessage(DOUBT.format(missing=missing)))
        again = with_messages(request, (*request.messages, *doubt))
        reply = await self._complete(again, NAME)
        if reply.truncated or not (reply.message.text or reply.message.tool_calls):
            return response
        self._doubt, self._at = doubt, self._length
        return reply

    def after_step(self, step: Step) -> Verdict:
        """Count down to the limit; a run sent back must not end without an answer there."""
        del step
        if self._left is not None:
            self._left -= 1
        return Answer("self_check") if self._doubt and self._left == 1 else GO

    def _is_due(self, request: Request, response: Response) -> bool:
        message = response.message
        is_last = self._left is not None and self._left <= 1
        may_go_on = request.tools_allowed and request.tools and not is_last
        is_answer = message.text.strip() and not message.tool_calls and not response.truncated
        return bool(may_go_on and is_answer and not self._checked)

    async def _missing(self, request: Request, answer: AssistantMessage) -> str | None:
        """What the model says is missing, perhaps nothing in particular; None when it is proven."""
        question = msgspec.structs.replace(
            request,
            messages=(*request.messages, answer, UserMessage(CHECK)),
            tools_allowed=False,
            max_output_tokens=CHECK_TOKENS,
        )
        said = (await self._complete(question, NAME)).message.text.strip()
        no = _NO.match(said)
        if no is None:
            return None
        rest = said[no.end() :].strip()
        return f"You said of it: {rest}\n" if rest else ""


def _make(setting: Setting, context: RunContext) -> Stage:
    del setting
    return SelfCheck(context.complete, context.max_steps)


LEVER = SimpleLever(
    Card(
        name=NAME,
        summary="Ask the model once whether tool results prove its answer, and go on if not.",
        domain=Choice(("on",)),
        search=("on",),
        acts_on=("request", "response", "step"),
        source="Self-Refine, arXiv 2303.17651, and FrugalGPT, arXiv 2305.05176, for single "
        "queries; here for a loop.",
        needs=("model",),
    ),
    _make,
)
