"""Show worked examples before the task."""

from __future__ import annotations

import json
from collections.abc import Sequence

from leanloop.core.configuration import Setting
from leanloop.core.domain import IntRange
from leanloop.core.message import (
    AssistantMessage,
    Message,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
    with_messages,
)
from leanloop.core.task import Example, ExampleStep
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage

PREFIX = "example"


class Examples(Stage):
    """Puts the first examples of the suite between the instructions and the task.

    They are the same for every task, so that a prompt cache can hold them.

    Args:
        examples: The examples to show.
    """

    def __init__(self, examples: Sequence[Example]) -> None:
        self._shown = tuple(m for i, e in enumerate(examples) for m in example_messages(i, e))

    async def on_request(self, request: Request) -> Request:
        """Insert the examples after the system text."""
        at = 0
        while at < len(request.messages) and isinstance(request.messages[at], SystemMessage):
            at += 1
        return with_messages(
            request, (*request.messages[:at], *self._shown, *request.messages[at:])
        )


def example_messages(index: int, example: Example) -> list[Message]:
    """A worked example as the conversation that it would have been."""
    messages: list[Message] = [UserMessage(example.prompt)]
    for j, step in enumerate(example.steps):
        call = ToolCall(f"{PREFIX}-{index}-{j}", step.tool, step.arguments)
        text = step.result if isinstance(step.result, str) else _json(step.result)
        messages.append(AssistantMessage(tool_calls=(call,)))
        messages.append(ToolMessage(call.call_id, step.tool, text))
    messages.append(AssistantMessage(text=example.answer))
    return messages


def example_step(examples: Sequence[Example], call_id: str) -> ExampleStep | None:
    """The step of a worked example that a call belongs to, or None for a real call."""
    prefix, _, rest = call_id.partition("-")
    if prefix != PREFIX:
        return None
    index, _, step = rest.partition("-")
    return examples[int(index)].steps[int(step)]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _make(setting: Setting, context: RunContext) -> Stage:
    return Examples(context.examples[: int(setting)])


LEVER = SimpleLever(
    Card(
        name="planning.examples",
        summary="Show the first N worked examples of the suite before the task.",
        domain=IntRange(1, 64),
        search=(2, 4, 8),
        acts_on=("request",),
        source="Language Models are Few-Shot Learners, arXiv 2005.14165.",
    ),
    _make,
)
