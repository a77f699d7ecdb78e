"""A study of one's own: ten lines of tasks, one tool, and a model behind an OpenAI-style address.

Run it with ``leanloop optimize examples/own_study.toml`` from the project's folder.
"""

from __future__ import annotations

from collections.abc import Sequence

from leanloop.core.message import ToolCall, ToolMessage, ToolSpec
from leanloop.core.task import Example, ExampleStep, Split, Task

CAPITALS = {"Norway": "Oslo", "Portugal": "Lisbon", "Kenya": "Nairobi", "Peru": "Lima"}
CAPITALS |= {"Japan": "Tokyo", "Chile": "Santiago", "Ghana": "Accra", "Nepal": "Kathmandu"}
TOOL = ToolSpec(
    name="get_country",
    description="A country's record.",
    parameters={
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
    },
    read_only=True,
    result_fields=("name", "capital"),
)


class Country:
    """The environment of one run: its tools, and the verifier."""

    tools = (TOOL,)

    def __init__(self, expected: str) -> None:
        self._expected = expected

    async def call(self, call: ToolCall) -> ToolMessage:
        """Carry out a call; a mistake of the agent's is an error result."""
        name = str(call.arguments.get("name"))
        if name not in CAPITALS:
            return ToolMessage(call.call_id, call.name, f"no country {name!r}", is_error=True)
        record = f'{{"name": "{name}", "capital": "{CAPITALS[name]}"}}'
        return ToolMessage(call.call_id, call.name, record)

    def verify(self, answer: str | None) -> float:
        """1 when the answer names the capital."""
        return float(answer is not None and self._expected in answer)

    def close(self) -> None:
        """Nothing is held."""


class Countries:
    """The suite: the first half to search on, the second half held out."""

    name = "countries"
    instructions = "Use the tools to answer. Answer with the value alone."
    examples = (
        Example(
            "What is the capital of Malta?",
            (ExampleStep("get_country", {"name": "Malta"}, {"capital": "Valletta"}, ("capital",)),),
            "Valletta",
        ),
    )

    def tasks(self, split: Split) -> Sequence[Task]:
        """Four tasks a split."""
        names = list(CAPITALS)[:4] if split is Split.SEARCH else list(CAPITALS)[4:]
        return [Task(n, f"What is the capital of {n}?", split, cluster=None) for n in names]

    def open(self, task: Task) -> Country:
        """A fresh environment."""
        return Country(CAPITALS[task.task_id])
