"""A suite of one shelf with numbered boxes, small enough to follow by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from leanloop.core.configuration import Configuration, Setting
from leanloop.core.message import AssistantMessage, Request, ToolCall, ToolMessage, ToolSpec
from leanloop.core.run import Run
from leanloop.core.task import Example, ExampleStep, Split, Task
from leanloop.levers.builtin import BUILT_IN
from leanloop.levers.protocol import Lever
from leanloop.loop.agent import Agent, Limits
from leanloop.models.protocol import Model
from leanloop.models.scripted import Script, ScriptedModel

TASK = Task("box-3", "What colour is box 3?", Split.SEARCH, family="lookup", cluster="boxes")
OPEN = ToolSpec(
    "open_box",
    "Open a box and see what it holds.",
    {"type": "object", "properties": {"box": {"type": "integer"}}, "required": ["box"]},
    read_only=True,
    result_fields=("box", "colour", "note"),
)
PAINT = ToolSpec(
    "paint_box",
    "Paint a box in a colour.",
    {"type": "object", "properties": {"box": {}, "colour": {}}},
    read_only=False,
)
BREAK = ToolSpec("break_shelf", "Raises.", {"type": "object"}, read_only=True)


@dataclass
class Shelf:
    """The environment: boxes with a colour and a long note."""

    check: Callable[[str | None], float]
    note: str = "n" * 80
    colours: dict[int, str] = field(default_factory=lambda: {3: "red", 4: "blue"})
    calls: list[ToolCall] = field(default_factory=list)
    closed: int = 0

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        return (OPEN, PAINT, BREAK)

    async def call(self, call: ToolCall) -> ToolMessage:
        self.calls.append(call)
        box = call.arguments.get("box")
        if call.name == "break_shelf":
            raise RuntimeError("the shelf fell")
        if call.name == "open_box" and box in self.colours:
            record = {"box": box, "colour": self.colours[box], "note": self.note}
            return ToolMessage(call.call_id, call.name, json.dumps(record))
        if call.name == "paint_box" and box in self.colours:
            self.colours[box] = call.arguments["colour"]
            return ToolMessage(call.call_id, call.name, "painted")
        return ToolMessage(call.call_id, call.name, f"no such box: {box}", is_error=True)

    def verify(self, answer: str | None) -> float:
        return self.check(answer)

    def close(self) -> None:
        self.closed += 1


@dataclass
class Shelves:
    """The suite; keeps every shelf that it opened."""

    check: Callable[[str | None], float] = lambda answer: float(answer == "red")
    note: str = "n" * 80
    opened: list[Shelf] = field(default_factory=list)

    name = "shelves"
    instructions = "You look after a shelf of boxes."
    examples: tuple[Example, ...] = (
        Example(
            "What colour is box 9?",
            (
                ExampleStep(
                    "open_box",
                    {"box": 9},
                    {"box": 9, "colour": "green", "note": "nine"},
                    ("colour",),
                ),
            ),
            "green",
        ),
        Example("How are you?", (), "well"),
    )

    def tasks(self, split: Split) -> Sequence[Task]:
        return [TASK] if split is Split.SEARCH else []

    def open(self, task: Task) -> Shelf:
        self.opened.append(Shelf(self.check, self.note))
        return self.opened[-1]


@dataclass(frozen=True)
class Bench:
    """An agent on the toy suite with everything that a test may want to look at."""

    agent: Agent
    suite: Shelves
    models: dict[str, ScriptedModel]

    async def run(self, settings: Mapping[str, Setting] | None = None, seed: int = 0) -> Run:
        return await self.agent.run(Configuration(settings), TASK, seed)

    @property
    def shelf(self) -> Shelf:
        return self.suite.opened[-1]

    @property
    def sent(self) -> list[Request]:
        """What the small model was sent."""
        return self.models["small"].requests


def bench(
    small: Script,
    *,
    large: Script = (),
    suite: Shelves | None = None,
    limits: Limits | None = None,
    levers: Mapping[str, Lever] | None = None,
    delay_s: float = 0.0,
) -> Bench:
    """An agent whose models follow scripts."""
    shelves = suite or Shelves()
    scripted = {
        "small": ScriptedModel(small, name="small", latency_s=0.5, delay_s=delay_s),
        "large": ScriptedModel(large, name="large", latency_s=2.0),
    }
    models: dict[str, Model] = dict(scripted)
    agent = Agent(shelves, models, "small", levers or BUILT_IN, limits or Limits())
    return Bench(agent, shelves, scripted)


def says(text: str) -> AssistantMessage:
    """An answer."""
    return AssistantMessage(text=text)


_count = 0


def calls(*wanted: tuple[str, dict[str, object]], text: str = "") -> AssistantMessage:
    """One round of calls with fresh ids."""
    global _count  # noqa: PLW0603
    made = []
    for name, arguments in wanted:
        _count += 1
        made.append(ToolCall(f"call_{_count}", name, arguments))
    return AssistantMessage(text, tuple(made))


def opens(*boxes: int, **extra: object) -> AssistantMessage:
    """A round that opens boxes."""
    return calls(*(("open_box", {"box": b, **extra}) for b in boxes))


def paints(box: int, colour: str) -> AssistantMessage:
    """A round that paints a box."""
    return calls(("paint_box", {"box": box, "colour": colour}))
