"""Show worked examples before the task."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from leanloop.core.configuration import Setting
from leanloop.core.domain import Count
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
from leanloop.levers.bm25 import top_k
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage

PREFIX = "example"
CALL_ID = re.compile(rf"{PREFIX}-([0-9]{{1,9}})-([0-9]{{1,9}})")
NEAREST = "nearest:"
DOMAIN = Count(64, NEAREST)
"""The suite's first examples, or those most like the task."""


class Examples(Stage):
    """Puts worked examples between the instructions and the task.

    The suite's first examples are the same for every task, so that a prompt
    cache can hold them; the nearest ones fit better, need fewer, and are read
    anew for every task.

    Args:
        examples: The examples to show, each with its index in the suite.
    """

    def __init__(self, examples: Sequence[tuple[int, Example]]) -> None:
        self._shown = tuple(m for i, e in examples for m in example_messages(i, e))

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
    match = CALL_ID.fullmatch(call_id)
    if match is None:
        return None
    index, step = int(match[1]), int(match[2])
    if index >= len(examples) or step >= len(examples[index].steps):
        return None
    return examples[index].steps[step]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def choose(examples: Sequence[Example], setting: Setting, prompt: str) -> list[int]:
    """Indices of the examples that a setting shows for a task, the nearest one last."""
    wanted = DOMAIN.read(setting)
    if wanted is None:
        raise ValueError(f"not a number of examples: {setting!r}")
    count = min(wanted[0], len(examples))
    if not wanted[1]:
        return list(range(count))
    return top_k([e.prompt for e in examples], prompt, count)[::-1]


def _make(setting: Setting, context: RunContext) -> Stage:
    chosen = choose(context.examples, setting, context.task.prompt)
    return Examples([(i, context.examples[i]) for i in chosen])


LEVER = SimpleLever(
    Card(
        name="planning.examples",
        summary="Show N worked examples of the suite before the task: the first, or the nearest.",
        domain=DOMAIN,
        search=(4, 8, f"{NEAREST}1", f"{NEAREST}2"),
        acts_on=("request",),
        source="Language Models are Few-Shot Learners, arXiv 2005.14165; nearest examples: "
        "arXiv 2101.06804.",
    ),
    _make,
)
