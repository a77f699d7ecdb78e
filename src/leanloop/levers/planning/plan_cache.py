"""Solve a task that has come before by the plan that solved it, without the model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.memory import Entry, Kind
from leanloop.core.message import (
    AssistantMessage,
    Json,
    Request,
    Response,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from leanloop.core.tokens import Tokens
from leanloop.levers.plan import result_value
from leanloop.levers.plan_taking import take_template
from leanloop.levers.plan_template import (
    Template,
    asks_for_another,
    check_filling,
    fill_by_look,
    filled_answer,
    filled_arguments,
    likeness,
    match_template,
    read_template,
)
from leanloop.levers.protocol import Card, Complete, Ended, Memory, RunContext, SimpleLever, Stage
from leanloop.levers.trail import Trail

NAME = "planning.plan_cache"
PLAIN, ON = "plain", "on"
LOOKED_AT = 8
"""Plans that are tried for a task."""
ASKED_ABOUT = 2
"""Plans that the model is asked to adapt, at most."""
ALIKE = 0.5
"""Share of words that task and plan must have in common for the plan to be adapted."""
FILL_TOKENS = 120
ASK = (
    "Which words of the second task stand where the holes are?\n"
    "Holes: {template}\n"
    "First task: {first}\n"
    "{filled}\n"
    "Second task: {prompt}\n"
    "Reply with its JSON object alone."
)


class Adapter:
    """``plain``, ``on``, or the model that adapts a plan to a task in other words."""

    def accepts(self, value: object) -> bool:
        """Whether the value is one of the words, or can be a model's name."""
        return isinstance(value, str) and value.strip() != ""

    def __str__(self) -> str:
        return (
            f"{PLAIN} (no model adapts a plan), {ON} (the one in use does), or a model of the study"
        )


@dataclass
class _Plan:
    """A plan under way."""

    entry: Entry
    template: Template
    values: tuple[str, ...]
    results: dict[str, Json] = field(default_factory=dict)
    made: int = 0
    waiting: ToolCall | None = None


class PlanCache(Stage):
    """Takes the model's turns while a plan lasts that solved a task like this one.

    A plan is a template: the task with holes where its values stood, the calls with
    holes and references to earlier results, and the answer where it was a value of a
    result. One whose words are those of the task is filled in as it is. One that has
    half of its words is, too, where only one name or number of the task looks like what
    stood in each hole. Else the adapting model says what fills the holes, and the plan
    is taken only if that stands in the task and leaves no name or number of it over. A
    call that fails ends the plan, and the model goes on from there, as it does where there is
    none: that is the fall-back to planning. From each run that was solved the
    template is kept under its words, unless one is known that is as short and works, and
    unless it changed something after a look that may have decided whether to.

    Args:
        adapter: The model that adapts; None for none.
        context: The run.
        memory: What earlier tasks left.
    """

    def __init__(self, adapter: str | None, context: RunContext, memory: Memory) -> None:
        self._adapter = adapter
        self._prompt = context.task.prompt
        self._tools: Mapping[str, ToolSpec] = {t.name: t for t in context.tools}
        self._complete: Complete = context.complete
        self._memory = memory
        self._trail = Trail()
        self._plan: _Plan | None = None
        self._broken: str | None = None
        self._looked = False

    async def on_query(self, request: Request) -> Response | None:
        """The plan's next call, or its answer; None when there is no plan or it has ended."""
        if not self._looked:
            self._looked = True
            self._plan = await self._find(request)
        if self._plan is None:
            return None
        message = self._next(self._plan, request)
        if message is None:
            self._give_up(self._plan)
            return None
        return Response(message, Tokens(0, 0, 0, 0, 0, 0), 0.0, model_ref=NAME)

    async def on_tool_call(self, call: ToolCall) -> ToolCall | ToolMessage:
        """Watch which calls are made."""
        self._trail.asked(call)
        return call

    def on_tool_result(self, call: ToolCall, result: ToolMessage) -> ToolMessage:
        """Watch what they return."""
        del call
        self._trail.returned(result)
        self._returned(result)
        return result

    async def on_end(self, ended: Ended) -> None:
        """Keep the plan of a run that was solved."""
        if not self._memory.may_learn(ended):
            return
        template = take_template(self._prompt, self._trail.made, ended.answer, self._tools)
        if template is None:
            return
        known = self._memory.get(Kind.PLAN, template.key)
        if known is not None and self._is_no_better(template, known):
            return
        name = " > ".join(s.tool for s in template.steps)
        body = msgspec.to_builtins(template)
        self._memory.put(Entry(Kind.PLAN, template.key, name, template.cue, body))

    async def _find(self, request: Request) -> _Plan | None:
        if not request.tools_allowed or not request.tools:
            return None
        found = self._memory.find(Kind.PLAN, self._prompt, LOOKED_AT)
        read = [(e, read_template(e.body)) for e in found]
        known = [(e, t) for e, t in read if t is not None and self._usable(t)]
        for entry, template in sorted(known, key=lambda k: -len(k[1].cue)):
            values = match_template(template, self._prompt)
            if values is not None:
                return self._taken(entry, template, values)
        near = [(e, t) for e, t in known if likeness(t, self._prompt) >= ALIKE]
        for entry, template in near:
            values = fill_by_look(template, self._prompt)
            if values is not None and self._is_same_kind(template, values):
                return self._taken(entry, template, values)
        for entry, template in near[:ASKED_ABOUT]:
            values = await self._adapted(template)
            if values is not None and self._is_same_kind(template, values):
                return self._taken(entry, template, values)
        return None

    def _taken(self, entry: Entry, template: Template, values: tuple[str, ...]) -> _Plan | None:
        return _Plan(entry, template, values) if self._memory.use(entry) else None

    def _is_same_kind(self, template: Template, values: tuple[str, ...]) -> bool:
        return not asks_for_another(template, self._prompt, values, self._tools)

    def _give_up(self, plan: _Plan) -> None:
        """Let the model go on from where the plan has come to."""
        self._plan = None
        if plan.made < len(plan.template.steps) or plan.template.answer is not None:
            self._broken = plan.entry.entry_id

    def _is_no_better(self, template: Template, known: Entry) -> bool:
        """Whether what is known is as short and works."""
        old = read_template(known.body)
        if old is None or known.trust.demoted or known.entry_id == self._broken:
            return False
        return len(template.steps) >= len(old.steps)

    def _usable(self, template: Template) -> bool:
        return all(step.tool in self._tools for step in template.steps)

    async def _adapted(self, template: Template) -> tuple[str, ...] | None:
        """What the model says fills the holes; None when it may not."""
        if self._adapter is None:
            return None
        filled = {str(i + 1): v for i, v in enumerate(template.filled)}
        text = ASK.format(
            template=template.text,
            first=template.filled_text,
            filled=json.dumps(filled, ensure_ascii=False),
            prompt=self._prompt,
        )
        question = Request(self._adapter, (UserMessage(text),), max_output_tokens=FILL_TOKENS)
        reply = await self._complete(question, NAME)
        said = _object_in(reply.message.text)
        values = tuple(str(said.get(key, "")) for key in filled)
        return values if check_filling(template, self._prompt, values) else None

    def _next(self, plan: _Plan, request: Request) -> AssistantMessage | None:
        if plan.waiting is not None:
            # A lever answered the call, and what it said is in the history alone.
            answered = [m for m in request.messages if isinstance(m, ToolMessage)]
            self._returned(*answered[-1:])
            if plan.waiting is not None or self._plan is None:
                return None
        if plan.made == len(plan.template.steps):
            answer = filled_answer(plan.template, plan.values, plan.results)
            if answer is None:
                return None
            # A user who goes on talking is the model's to answer.
            self._plan = None
            return AssistantMessage(text=answer)
        if not request.tools_allowed:
            return None
        step = plan.template.steps[plan.made]
        try:
            arguments = filled_arguments(step, plan.values, plan.results, self._tools[step.tool])
        except LookupError:
            return None
        plan.made += 1
        plan.waiting = ToolCall(f"plan-cache-{plan.made}", step.tool, arguments)
        return AssistantMessage(tool_calls=(plan.waiting,))

    def _returned(self, result: ToolMessage | None = None) -> None:
        plan = self._plan
        if plan is None or plan.waiting is None or result is None:
            return
        if plan.waiting.call_id != result.call_id:
            return
        plan.waiting = None
        if result.is_error:
            self._plan, self._broken = None, plan.entry.entry_id
        else:
            plan.results[f"E{plan.made}"] = result_value(result.text)


def _object_in(text: str) -> dict[str, Json]:
    """The JSON object in a text; an empty one when there is none."""
    start, end = text.find("{"), text.rfind("}") + 1
    try:
        value = msgspec.json.decode(text[start:end])
    except (msgspec.DecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _make(setting: Setting, context: RunContext) -> Stage:
    if context.memory is None:
        return Stage()
    adapter = {PLAIN: None, ON: context.model}.get(str(setting), str(setting))
    return PlanCache(adapter, context, context.memory)


LEVER = SimpleLever(
    Card(
        name=NAME,
        summary="Carry out the plan that solved a task like this one, filled in for it, and "
        "query the model where there is none or it fails.",
        domain=Adapter(),
        search=(PLAIN, ON),
        acts_on=("query", "tool call", "tool result", "end"),
        source="Agentic Plan Caching, arXiv 2506.14852: half the cost with 96.6% of the "
        "performance (not reproduced here).",
        needs=("memory", "model"),
    ),
    _make,
)
