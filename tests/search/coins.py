"""A suite and a script whose every outcome is known: projection helps, masking hurts."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leanloop.core.message import (
    AssistantMessage,
    Request,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from leanloop.core.task import Example, Split, Task

LOG = "COINS_LOG"
COIN = ToolSpec(
    "get_coin",
    "A coin's record.",
    {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]},
    read_only=True,
    result_fields=("value", "story"),
)


class Coin:
    """One coin; writes down every verification when a log is named."""

    tools = (COIN,)

    def __init__(self, task: Task) -> None:
        self._task = task
        self.number = int(task.task_id.rsplit("-", 1)[1])

    async def call(self, call: ToolCall) -> ToolMessage:
        record = {"value": self.number * 7, "story": "once upon a time " * 60}
        return ToolMessage(call.call_id, call.name, json.dumps(record))

    def verify(self, answer: str | None) -> float:
        if LOG in os.environ:
            with Path(os.environ[LOG]).open("a") as log:
                log.write(f"{self._task.task_id}\n")
        return float(answer == str(self.number * 7))

    def close(self) -> None:
        """Nothing is held."""


class Coins:
    """Coins by number."""

    name = "coins"
    instructions = "You know coins."
    examples: tuple[Example, ...] = ()

    def __init__(self, search_tasks: int = 24, holdout_tasks: int = 12) -> None:
        self._counts = {Split.SEARCH: search_tasks, Split.HOLDOUT: holdout_tasks}

    def tasks(self, split: Split) -> Sequence[Task]:
        return [
            Task(f"{split}-{i}", f"What is coin {i + 100 * (split == 'holdout')} worth?", split)
            for i in range(self._counts[split])
        ]

    def open(self, task: Task) -> Coin:
        return Coin(task)


def coins(**options: Any) -> Coins:
    return Coins(**options)


def script(request: Request) -> AssistantMessage:
    """Reads the coin, then answers; without projection every third answer is wrong."""
    time.sleep(float(os.environ.get("COINS_SLEEP_S", "0")))
    results = [m for m in request.messages if isinstance(m, ToolMessage)]
    prompts = [m.text for m in request.messages if isinstance(m, UserMessage)]
    number = int(prompts[0].split()[3])
    if not results:
        arguments: dict[str, Any] = {"number": number}
        if "fields" in request.tools[0].parameters["properties"]:
            arguments["fields"] = ["value"]
        return AssistantMessage(tool_calls=(ToolCall("c", "get_coin", arguments),))
    if "story" in results[-1].text and number % 3 == 0:
        return AssistantMessage(text="a fortune")
    value = json.loads(results[-1].text)["value"]
    return AssistantMessage(text=str(value))
