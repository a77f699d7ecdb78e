"""Outside agents for tests, and what their models say."""

from __future__ import annotations

import json
from typing import Any

import openai

from leanloop.core.message import AssistantMessage, Request, ToolCall, ToolMessage, ToolSpec
from leanloop.core.task import Example, Split, Task
from leanloop.gateway.programs import AgentRun

LOOK = ToolSpec(
    "look",
    "Look at a thing.",
    {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
)


class Things:
    """The environment: two things, each with a long description."""

    tools = (LOOK,)

    async def call(self, call: ToolCall) -> ToolMessage:
        text = f"{call.arguments['id']} is blue; " + "long " * 100
        return ToolMessage(call.call_id, call.name, text)

    def verify(self, answer: str | None) -> float:
        return float("A-0 is blue" in (answer or "") and "A-1 is blue" in (answer or ""))

    def close(self) -> None:
        pass


class ThingsSuite:
    """Questions about two things."""

    name = "things"
    instructions = ""
    examples: tuple[Example, ...] = ()

    def __init__(self, tasks: int = 8) -> None:
        self._tasks = tasks

    def tasks(self, split: Split) -> list[Task]:
        return [Task(f"{split}-{i}", f"What colour? ({i})", split) for i in range(self._tasks)]

    def open(self, task: Task) -> Things:
        return Things()


def script(request: Request) -> AssistantMessage:
    """Look the thing up twice, then answer with what was seen, unless it was masked."""
    results = [m for m in request.messages if isinstance(m, ToolMessage)]
    if len(results) < 2 and request.tools_allowed:
        call = ToolCall(f"c{len(results)}", "look", {"id": f"A-{len(results)}"})
        return AssistantMessage("", (call,))
    return AssistantMessage(" ".join(m.text for m in results))


def larger(request: Request) -> AssistantMessage:
    return AssistantMessage("the larger one")


async def agent(run: AgentRun) -> str:
    """A loop as people write it, with the openai client and nothing of leanloop's."""
    messages: list[Any] = [{"role": "user", "content": run.prompt}]
    tools: list[Any] = [
        {
            "type": "function",
            "function": {"name": t.name, "description": "", "parameters": t.parameters},
        }
        for t in run.tools
    ]
    async with openai.AsyncOpenAI(base_url=run.base_url, api_key=run.api_key) as client:
        for _ in range(10):
            answer = await client.chat.completions.create(
                model="some-model", messages=messages, tools=tools
            )
            said = answer.choices[0].message
            messages.append(said.model_dump(exclude_none=True))
            if not said.tool_calls:
                return said.content or ""
            for call in said.tool_calls:
                assert call.type == "function"
                arguments = json.loads(call.function.arguments)
                text = await run.call(call.function.name, arguments)
                messages.append({"role": "tool", "tool_call_id": call.id, "content": text})
    return ""


def broken(run: AgentRun) -> str:
    raise ValueError(f"broken with {run.api_key}")
