"""A scripted model that plays turns through the real agent loop."""

from __future__ import annotations

from collections.abc import Sequence

from leanloop.core.configuration import Configuration, Setting
from leanloop.core.message import AssistantMessage, Json, ToolCall
from leanloop.core.run import Run
from leanloop.core.task import Task
from leanloop.levers.builtin import all_levers
from leanloop.loop.agent import Agent, Limits
from leanloop.models.scripted import Script, ScriptedModel
from leanloop.suites.protocol import Suite

Made = tuple[str, dict[str, Json]]
"""A tool and its arguments."""


def says(text: str) -> AssistantMessage:
    return AssistantMessage(text)


def calls(made: Sequence[Made], at: str = "c") -> AssistantMessage:
    """All of them at once."""
    return AssistantMessage(
        "", tuple(ToolCall(f"{at}{i}", name, dict(a)) for i, (name, a) in enumerate(made))
    )


def turns(every: Sequence[Sequence[Made]], last: str = "Done.") -> list[AssistantMessage]:
    """For each turn its calls, if any, and an answer."""
    script = []
    for number, made in enumerate(every):
        script += [calls(made, f"t{number}-")] if made else []
        script.append(says(last))
    return script


async def play(
    suite: Suite,
    task: Task,
    script: Script,
    settings: dict[str, Setting] | None = None,
    **others: Script,
) -> tuple[Run, ScriptedModel]:
    """A run of leanloop's own agent, and the model that acted in it."""
    acting = ScriptedModel(script, name="small", latency_s=0.1)
    models = {"small": acting} | {n: ScriptedModel(s, name=n) for n, s in others.items()}
    agent = Agent(suite, models, "small", all_levers(), Limits(max_steps=60))
    return await agent.run(Configuration(settings or {}), task), acting
