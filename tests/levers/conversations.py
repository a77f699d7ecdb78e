"""Conversations, requests and configurations for property tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import strategies as st

from leanloop.core.configuration import Configuration, Setting
from leanloop.core.domain import Choice, IntRange, ModelName
from leanloop.core.memory import Entry, Kind, Origin
from leanloop.core.message import (
    AssistantMessage,
    Message,
    Request,
    Response,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from leanloop.core.task import Example, ExampleStep, Split, Task
from leanloop.levers.builtin import BUILT_IN
from leanloop.levers.protocol import Lever, RunContext
from leanloop.loop.run_memory import RunMemory
from leanloop.loop.working_memory import WorkingMemory
from leanloop.models.scripted import ScriptedModel

MODELS = ("small", "large")
FIELDS = ("id", "name", "status", "größe")
TOOLS = (
    ToolSpec(
        "get_order",
        "Look up an order by its number.",
        {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
        read_only=True,
        result_fields=FIELDS,
    ),
    ToolSpec(
        "list_orders",
        "List the orders of a customer.",
        {"type": "object", "properties": {"customer": {"type": "string"}}},
        read_only=True,
        result_fields=("id", "status"),
    ),
    ToolSpec("cancel_order", "Cancel an order.", {"type": "object"}, read_only=False),
    ToolSpec("add", "Add two numbers.", {"type": "object", "properties": {"a": {}, "b": {}}}),
)
EXAMPLES = (
    Example(
        "Which status has order x1?",
        (
            ExampleStep("list_orders", {"customer": "x"}, [{"id": "x1", "status": "new"}], ("id",)),
            ExampleStep("get_order", {"id": "x1"}, {"id": "x1", "status": "new"}, ("status",)),
        ),
        "new",
    ),
    Example("What is 1 + 1?", (ExampleStep("add", {"a": 1, "b": 1}, "2"),), "2"),
)
TASK = Task("t1", "What is the status of order 7?", Split.SEARCH)
_PLAN = {
    "text": "What is the status of order {1}?",
    "steps": [{"tool": "get_order", "arguments": {"id": "{1}"}}],
    "filled": ["9"],
    "answer": "#E1.status",
}
_STEP = {"tool": "get_order", "arguments": {"id": "9"}, "result": {"status": "old"}}
_EXAMPLE = {"prompt": "What is the status of order 9?", "steps": [_STEP], "answer": "old"}
_FACT = {"tool": "get_order", "arguments": {"id": "7"}, "fields": {"status": "new"}}
REMEMBERED = (
    Entry(Kind.PLAN, "p", "get_order", "What is the status of order", _PLAN),
    Entry(Kind.SKILL, "s", "skill", "status of order", {"template": _PLAN, "example": _EXAMPLE}),
    Entry(Kind.FACT, "f", "get_order", "get order 7 status new", _FACT),
)
"""What earlier tasks left."""

_text = st.text(max_size=60)
_scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-2, 2) | _text
_records = st.dictionaries(st.sampled_from(FIELDS), _scalars, max_size=4)
_observations = st.one_of(
    _records.map(json.dumps),
    _records.map(lambda r: json.dumps(r, ensure_ascii=False) + " " * 40),
    st.lists(_records, max_size=3).map(json.dumps),
    _text,
    _text.map(lambda t: t * 40),
)
_wanted = st.lists(st.sampled_from((*FIELDS, "none of them")), max_size=3)
_arguments = st.one_of(
    st.just({"id": "1"}),
    st.dictionaries(_text, _scalars, max_size=2),
    st.fixed_dictionaries({"id": _text, "fields": _wanted}),
    st.fixed_dictionaries({"fields": _scalars | st.lists(st.dictionaries(_text, _text))}),
)
_names = st.sampled_from((*(t.name for t in TOOLS), "no_such_tool"))
_id_prefixes = st.sampled_from(("call_", "toolu_", "example", "example-", "example-0-", "x-y-"))


def run_context(script: ScriptedModel | None = None) -> RunContext:
    """A context whose every model is the same script."""
    model = script or ScriptedModel(lambda _: AssistantMessage(text="yes"), latency_s=0.0)

    async def complete(request: Request, purpose: str) -> Response:
        assert purpose in BUILT_IN
        return await model.complete(request)

    memory = RunMemory(WorkingMemory(REMEMBERED), TASK, Origin(), seed=3)
    return RunContext(TASK, TOOLS, EXAMPLES, MODELS[0], complete, seed=3, memory=memory)


@st.composite
def conversations(draw: st.DrawFn, max_rounds: int = 5) -> tuple[Message, ...]:
    """A conversation that a provider would take and that awaits the model.

    Every round is an assistant message with calls and then their results in
    order. Between rounds the user may speak, after the assistant or in a row.
    """
    prefix = draw(_id_prefixes)
    messages: list[Message] = [SystemMessage(draw(_text)), UserMessage(draw(_text))]
    count = 0
    for _ in range(draw(st.integers(0, max_rounds))):
        if draw(st.integers(0, 5)) == 0:
            if draw(st.booleans()):
                messages.append(AssistantMessage(text=draw(_text)))
            messages.append(UserMessage(draw(_text)))
        calls = []
        for _ in range(draw(st.integers(1, 3))):
            calls.append(ToolCall(f"{prefix}q{count}", draw(_names), draw(_arguments)))
            count += 1
        messages.append(AssistantMessage(draw(st.just("") | _text), tuple(calls)))
        messages += [
            ToolMessage(c.call_id, c.name, draw(_observations), draw(st.booleans())) for c in calls
        ]
    return tuple(messages)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """A conversation with some of the tools, in their order."""
    shown = draw(st.sets(st.sampled_from(range(len(TOOLS)))))
    return Request(
        model=MODELS[0],
        messages=draw(conversations()),
        tools=tuple(TOOLS[i] for i in sorted(shown)),
        tools_allowed=draw(st.booleans()),
        seed=draw(st.integers(0, 3)),
    )


def settings_of(lever: Lever) -> tuple[Setting, ...]:
    """Some settings of a lever, from its domain and from what a search tries."""
    domain = lever.card.domain
    if isinstance(domain, Choice):
        return domain.values
    if isinstance(domain, IntRange):
        few = range(domain.low, min(domain.low + 4, domain.high) + 1)
        return tuple(dict.fromkeys((*few, *lever.card.search)))
    if isinstance(domain, ModelName):
        return MODELS
    tried: tuple[Setting, ...] = ("1", "1:1", "30:2:large", 0.001, 0.5, 0.9, 7)
    return (*(v for v in tried if domain.accepts(v)), *lever.card.search)


def configurations(*names: str) -> st.SearchStrategy[Configuration]:
    """These levers on at any of their settings; some or all of all levers without names."""
    each = {n: st.sampled_from(settings_of(BUILT_IN[n])) for n in names or BUILT_IN}
    if names:
        return st.fixed_dictionaries(each).map(Configuration)
    return st.fixed_dictionaries({}, optional=each).map(Configuration)


PLAN_OF_CALLS = '[{"id": "E1", "tool": "get_order", "args": {"id": "7"}}]'
replies = st.builds(
    AssistantMessage,
    text=st.sampled_from(("", "no", "yes", "1. look; 2. tell", PLAN_OF_CALLS)),
    tool_calls=st.just(()) | st.just((ToolCall("stray", "add", {"a": 1}),)),
)
"""What a model says to a lever, tool calls that nobody allowed included."""


@dataclass(frozen=True)
class Turn:
    """What the model was sent, said and was shown in one step of a conversation."""

    sent: tuple[Message, ...]
    said: AssistantMessage
    shown: tuple[ToolMessage, ...]


def turns(messages: tuple[Message, ...]) -> Iterator[Turn]:
    """The steps in which a conversation grew."""
    for i, message in enumerate(messages):
        if isinstance(message, AssistantMessage):
            results = messages[i + 1 : i + 1 + len(message.tool_calls)]
            yield Turn(
                messages[:i], message, tuple(r for r in results if isinstance(r, ToolMessage))
            )
