"""An agent of one's own in a study: a loop as people write it, with nothing of leanloop's in it.

``leanloop optimize examples/own_agent.toml`` runs it once for each task and configuration; its
calls go through leanloop, which meters them and runs the levers.
"""

from __future__ import annotations

import json
from typing import Any

import openai

from leanloop.gateway.programs import AgentRun

STEPS = 8


async def agent(run: AgentRun) -> str:
    """Query, call tools, query again, until there is an answer."""
    messages: list[Any] = [
        {"role": "system", "content": "Use the tools to answer. Answer with the value alone."},
        {"role": "user", "content": run.prompt},
    ]
    tools: list[Any] = [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
            },
        }
        for tool in run.tools
    ]
    async with openai.AsyncOpenAI(base_url=run.base_url, api_key=run.api_key) as client:
        for _ in range(STEPS):
            answer = await client.chat.completions.create(
                model=run.model, messages=messages, tools=tools, max_tokens=100
            )
            said = answer.choices[0].message
            messages.append(said.model_dump(exclude_none=True))
            if not said.tool_calls:
                return said.content or ""
            for call in said.tool_calls:
                if call.type == "function":
                    arguments = json.loads(call.function.arguments)
                    text = await run.call(call.function.name, arguments)
                    messages.append({"role": "tool", "tool_call_id": call.id, "content": text})
    return ""
