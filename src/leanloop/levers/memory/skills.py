"""Show how tasks like this one were solved before."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.domain import Count
from leanloop.core.memory import Entry, Kind
from leanloop.core.message import (
    Message,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
    with_messages,
)
from leanloop.core.task import Example, ExampleStep
from leanloop.levers.placing import behind_task
from leanloop.levers.plan_taking import take_plan
from leanloop.levers.plan_template import Template
from leanloop.levers.planning.examples import example_messages
from leanloop.levers.protocol import Card, Ended, Memory, RunContext, SimpleLever, Stage
from leanloop.levers.trail import Made, Trail

NAME = "memory.skills"
OPEN = "open:"
DOMAIN = Count(16, OPEN)
HEADING = "Skills from earlier tasks; open_skill shows one:"
FIRST_INDEX = 1000
"""Behind the worked examples of any suite, whose calls are told by their number."""
TOOL = ToolSpec(
    "open_skill",
    "Show how a task of that kind was solved before.",
    {
        "type": "object",
        "properties": {"name": {"type": "string", "description": "as listed"}},
        "required": ["name"],
    },
    read_only=True,
)


class SkillBody(msgspec.Struct, frozen=True):
    """A skill: the template it follows and the run that shows it."""

    template: Template
    example: Example

    @property
    def key(self) -> str:
        """What an entry that holds it is about: the words of the task."""
        return self.template.key


class Skills(Stage):
    """Lists skills like the task at hand, and keeps one from each run that was solved.

    A skill is the shortest run that solved a task of those words, as a worked example:
    its calls with the fields that they gave to later calls or to the answer. It is
    shown short, one line behind the task, and opened by the tool ``open_skill``; with
    ``open:N`` the N nearest stand open in front of the task from the start, and none
    is listed. Task and answer of the skill are those of the earlier run.

    Args:
        count: Skills to show.
        opened: Whether they are open from the start.
        context: The run.
        memory: What earlier tasks left.
    """

    def __init__(self, count: int, opened: bool, context: RunContext, memory: Memory) -> None:
        self._prompt = context.task.prompt
        self._tools = {t.name: t for t in context.tools}
        self._memory, self._opened = memory, opened
        self._trail = Trail()
        found = memory.find(Kind.SKILL, self._prompt, count)
        read = [(e, read_skill(e)) for e in found]
        self._shown = {e.name: b for e, b in read if b is not None and memory.use(e)}
        self._on = TOOL.name not in self._tools and bool(self._shown)

    async def on_request(self, request: Request) -> Request:
        """Put skills in front of the task when they are open, else list them behind it."""
        if not self._shown or not request.tools:
            return request
        if self._opened:
            return _in_front(request, list(self._shown.values()))
        if not self._on:
            return request
        shown = [f"- {name}: {body.template.text}" for name, body in self._shown.items()]
        lines = [" ".join(line.split()) for line in shown]
        note = UserMessage("\n".join((HEADING, *lines)))
        return msgspec.structs.replace(
            request,
            messages=behind_task(request.messages, note),
            tools=(*request.tools, TOOL),
        )

    async def on_tool_call(self, call: ToolCall) -> ToolCall | ToolMessage:
        """Open a skill; watch which other calls are made."""
        if not self._on or self._opened or call.name != TOOL.name:
            self._trail.asked(call)
            return call
        body = self._shown.get(str(call.arguments.get("name")))
        if body is None:
            known = ", ".join(self._shown)
            return ToolMessage(call.call_id, call.name, f"no such skill; there are {known}", True)
        return ToolMessage(call.call_id, call.name, opened(body))

    def on_tool_result(self, call: ToolCall, result: ToolMessage) -> ToolMessage:
        """Watch what they return."""
        del call
        self._trail.returned(result)
        return result

    async def on_end(self, ended: Ended) -> None:
        """Keep a skill from a run that was solved, unless a shorter one is known."""
        if not self._memory.may_learn(ended) or ended.answer is None:
            return
        made = [m for m in self._trail.made if m.tool in self._tools]
        plan = take_plan(self._prompt, made, ended.answer, self._tools)
        if plan is None:
            return
        template, kept = plan
        known = self._memory.get(Kind.SKILL, template.key)
        if known is not None and not known.trust.demoted and _is_as_short(known, template):
            return
        example = Example(self._prompt, _steps(kept, ended.answer), ended.answer)
        body = msgspec.to_builtins(SkillBody(template, example))
        entry = Entry(Kind.SKILL, template.key, "", self._prompt, body)
        name = f"{template.steps[-1].tool}-{entry.entry_id[-4:]}"
        self._memory.put(msgspec.structs.replace(entry, name=name))


def opened(body: SkillBody) -> str:
    """A skill as the tool shows it: the task, the calls with what they gave, the answer."""
    lines = [f"Task: {body.example.prompt}"]
    for step in body.example.steps:
        call = msgspec.json.encode({"tool": step.tool, "args": step.arguments}).decode()
        lines.append(f"{call} gave {msgspec.json.encode(step.result).decode()}")
    return "\n".join((*lines, f"Answer: {body.example.answer}"))


def _steps(found: Sequence[Made], answer: str) -> tuple[ExampleStep, ...]:
    """The calls that the template keeps, each result without what nothing later needed."""
    needed = {str(v).casefold() for m in found for v in m.arguments.values()}
    needed.add(answer.casefold().rstrip("."))
    return tuple(ExampleStep(m.tool, m.arguments, _narrowed(m.value, needed)) for m in found)


def _narrowed(value: object, needed: set[str]) -> object:
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if str(v).casefold() in needed}
        return kept or dict(list(value.items())[:6])
    return value


def read_skill(entry: Entry) -> SkillBody | None:
    """What an entry says; None when it says nothing that can be used."""
    try:
        return msgspec.convert(entry.body, SkillBody)
    except (msgspec.ValidationError, RecursionError):
        return None


def _is_as_short(known: Entry, template: Template) -> bool:
    body = read_skill(known)
    return body is not None and len(body.template.steps) <= len(template.steps)


def _in_front(request: Request, bodies: list[SkillBody]) -> Request:
    """The nearest skill stands last, right before the task."""
    at = 0
    while at < len(request.messages) and isinstance(request.messages[at], SystemMessage):
        at += 1
    shown: list[Message] = []
    for i, body in enumerate(reversed(bodies)):
        shown += example_messages(FIRST_INDEX + i, body.example)
    return with_messages(request, (*request.messages[:at], *shown, *request.messages[at:]))


def _make(setting: Setting, context: RunContext) -> Stage:
    wanted = DOMAIN.read(setting)
    if context.memory is None or wanted is None:
        return Stage()
    return Skills(*wanted, context, context.memory)


LEVER = SimpleLever(
    Card(
        name=NAME,
        summary="Show N skills from earlier solved tasks like this one, short until opened, and "
        "keep one from each task that is solved.",
        domain=DOMAIN,
        search=(4, f"{OPEN}1", f"{OPEN}2"),
        acts_on=("request", "tool call", "tool result", "end"),
        source="Agent Workflow Memory, arXiv 2409.07429; Voyager, arXiv 2305.16291 (skills kept "
        "once they were verified).",
        needs=("memory",),
    ),
    _make,
)
