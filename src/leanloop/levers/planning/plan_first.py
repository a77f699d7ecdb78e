"""Ask for a plan before the first step."""

from __future__ import annotations

import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.domain import Choice
from leanloop.core.message import (
    AssistantMessage,
    Message,
    Request,
    UserMessage,
    with_messages,
)
from leanloop.levers.placing import between_rounds
from leanloop.levers.protocol import Card, Complete, RunContext, SimpleLever, Stage

NAME = "planning.plan_first"
ASK = "First write a short plan: which tools you will call, in order, and what each must tell you."
GO_ON = "Now follow the plan, one tool call at a time."


class PlanFirst(Stage):
    """Queries for a plan once, without tool calls, and keeps it in the conversation.

    The question goes behind the same prefix as the steps, so the plan costs
    little more than its own words where prompts are cached.

    Args:
        complete: Queries the acting model.
    """

    def __init__(self, complete: Complete) -> None:
        self._complete = complete
        self._plan: tuple[Message, ...] = ()
        self._at: int | None = None

    async def on_request(self, request: Request) -> Request:
        """Insert the plan behind the task, asking for it the first time."""
        if self._at is None:
            self._at = len(request.messages)
            await self._ask(request)
        if not self._plan:
            return request
        return with_messages(request, between_rounds(request.messages, self._at, self._plan))

    async def _ask(self, request: Request) -> None:
        ask = UserMessage(ASK)
        question = msgspec.structs.replace(
            request,
            messages=(*request.messages, ask),
            tools_allowed=False,
            max_output_tokens=120,
        )
        plan = (await self._complete(question, NAME)).message
        if plan.tool_calls:  # nobody will make them, and a call may not stand without its result
            plan = AssistantMessage(plan.text)
        if plan.text:
            self._plan = (ask, plan, UserMessage(GO_ON))


def _make(setting: Setting, context: RunContext) -> Stage:
    del setting
    return PlanFirst(context.complete)


LEVER = SimpleLever(
    Card(
        name=NAME,
        summary="Ask for a short plan before the first step and keep it in the conversation.",
        domain=Choice(("on",)),
        search=("on",),
        acts_on=("request",),
        source="Plan-and-Solve Prompting, arXiv 2305.04091.",
        needs=("model",),
    ),
    _make,
)
