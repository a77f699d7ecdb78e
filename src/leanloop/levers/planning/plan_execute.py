"""Plan every call before the first step, and make them without asking again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.domain import Choice
from leanloop.core.message import (
    Json,
    Message,
    Request,
    ToolCall,
    UserMessage,
    with_messages,
)
from leanloop.levers.placing import between_rounds
from leanloop.levers.plan import PlannedCall, fill, read_plan, result_value
from leanloop.levers.planning.plan_first import ASK as ASK_IN_WORDS
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage

NAME = "planning.plan_execute"
MAX_STEPS = 8
PLAN_TOKENS = 400
# Single quotes, since the embedded model writes its plan inside a JSON text, where it would have
# to escape double ones.
ASK = (
    "Before anything else, plan the tool calls. Reply with one list of steps and nothing more, "
    f"{MAX_STEPS} at most. A step is {{'id': 'E1', 'tool': NAME, 'args': {{...}}}}. In args, "
    "'#E1' stands for the result of step E1 and '#E1.field' for one field of it. An example with "
    "other tools, for the task 'Where does the boss of Ann live?': "
    "[{'id': 'E1', 'tool': 'find_person', 'args': {'name': 'Ann'}}, "
    "{'id': 'E2', 'tool': 'get_address', 'args': {'person': '#E1.boss'}}]"
)
MADE = "These calls have been made for you:"
GO_ON = "Make the calls that are still missing, or give your answer."

Schedule: TypeAlias = Callable[[Sequence[PlannedCall]], Sequence[Sequence[PlannedCall]]]
"""Puts the steps of a plan into groups, of which each needs earlier ones alone."""


class PlanExecute(Stage):
    """Queries for a plan of calls once, makes them, and tells the model what came back.

    Plan and results are put behind the task as user text. The plan ends at the first
    group in which a call fails or cannot be filled in, and the loop goes on as usual
    from what was found. Without a plan that can be read the request is left alone; so
    it is when no tool may be called, or when a lever before this one has put a plan
    into the conversation.

    Args:
        name: The lever's name, for the record and the ids of its calls.
        schedule: Which steps are made at once, and which after which.
        context: The run.
    """

    def __init__(self, name: str, schedule: Schedule, context: RunContext) -> None:
        self._name = name
        self._schedule = schedule
        self._complete = context.complete
        self._make_calls = context.make_calls
        self._told: tuple[Message, ...] = ()
        self._at: int | None = None

    async def on_request(self, request: Request) -> Request:
        """Insert plan and results behind the task, making them the first time."""
        if self._at is None:
            self._at = len(request.messages)
            if request.tools and request.tools_allowed and not has_plan(request.messages):
                await self._plan(request)
        if not self._told:
            return request
        return with_messages(request, between_rounds(request.messages, self._at, self._told))

    async def _plan(self, request: Request) -> None:
        question = msgspec.structs.replace(
            request,
            messages=(*request.messages, UserMessage(ASK)),
            tools_allowed=False,
            max_output_tokens=PLAN_TOKENS,
        )
        reply = await self._complete(question, self._name)
        plan = read_plan(reply.message.text, {t.name for t in request.tools}, MAX_STEPS)
        if plan:
            lines = await self._carry_out(plan)
            self._told = (UserMessage("\n".join((MADE, *lines, GO_ON))),)

    async def _carry_out(self, plan: Sequence[PlannedCall]) -> list[str]:
        results: dict[str, Json] = {}
        lines: list[str] = []
        for group in self._schedule(plan):
            lines += await self._make(group, results)
            if any(step.step_id not in results for step in group):
                break
        return lines

    async def _make(self, group: Sequence[PlannedCall], results: dict[str, Json]) -> list[str]:
        calls: dict[str, ToolCall] = {}
        lines: dict[str, str] = {step.step_id: "" for step in group}
        for step in group:
            try:
                arguments = fill(step.arguments, results)
            except LookupError as problem:
                lines[step.step_id] = f"{_shown(step, step.arguments)} not made: {problem.args[0]}"
            else:
                call_id = f"{self._name}-{step.step_id}"
                calls[step.step_id] = ToolCall(call_id, step.tool, arguments)
                lines[step.step_id] = _shown(step, arguments)
        made = await self._make_calls(list(calls.values())) if calls else ()
        for step_id, result in zip(calls, made, strict=True):
            lines[step_id] += f" {'error' if result.is_error else 'gave'}: {result.text}"
            if not result.is_error:
                results[step_id] = result_value(result.text)
        return list(lines.values())


def has_plan(messages: Sequence[Message]) -> bool:
    """Whether a lever has put a plan into the conversation already."""
    texts = (m.text for m in messages if isinstance(m, UserMessage))
    return any(text == ASK_IN_WORDS or text.startswith(MADE) for text in texts)


def _shown(step: PlannedCall, arguments: dict[str, Json]) -> str:
    return f"{step.step_id} {step.tool}({json.dumps(arguments, ensure_ascii=False)})"


def _one_by_one(plan: Sequence[PlannedCall]) -> list[list[PlannedCall]]:
    return [[step] for step in plan]


def _make(setting: Setting, context: RunContext) -> Stage:
    del setting
    return PlanExecute(NAME, _one_by_one, context)


LEVER = SimpleLever(
    Card(
        name=NAME,
        summary="Plan every call before the first step and make them one by one without the model.",
        domain=Choice(("on",)),
        search=("on",),
        acts_on=("request",),
        source="ReWOO, arXiv 2305.18323: a fifth of the tokens and +4% accuracy on HotpotQA (not "
        "reproduced here).",
        needs=("model", "tools"),
    ),
    _make,
)
