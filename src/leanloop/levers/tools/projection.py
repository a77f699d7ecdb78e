"""Return only the fields of a record that the model asks for."""

from __future__ import annotations

import json

import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.domain import Choice
from leanloop.core.message import (
    AssistantMessage,
    Json,
    Message,
    Request,
    ToolCall,
    ToolMessage,
    ToolSpec,
    with_messages,
)
from leanloop.core.task import Example
from leanloop.levers.planning.examples import PREFIX, example_step
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage

FIELDS = "fields"


class Projection(Stage):
    """Adds a ``fields`` argument to tools that return records, and honours it.

    The tool itself never sees the argument. Worked examples are shown as they
    would have been with it. A tool that has an argument of that name already is
    left alone.

    Args:
        context: The run.
    """

    def __init__(self, context: RunContext) -> None:
        self._examples = context.examples
        self._with_fields = {t.name for t in context.tools if _can_project(t)}
        self._specs: dict[str, ToolSpec] = {}
        self._shown: dict[str, Message] = {}

    async def on_request(self, request: Request) -> Request:
        """Show the argument in the tools and in the examples."""
        tools = tuple(self._spec(t) for t in request.tools)
        messages = self._with_examples(request.messages)
        return msgspec.structs.replace(with_messages(request, messages), tools=tools)

    async def on_tool_call(self, call: ToolCall) -> ToolCall | ToolMessage:
        """Take the argument away before the tool is called."""
        if call.name not in self._with_fields or FIELDS not in call.arguments:
            return call
        rest = {k: v for k, v in call.arguments.items() if k != FIELDS}
        return msgspec.structs.replace(call, arguments=rest)

    def on_tool_result(self, call: ToolCall, result: ToolMessage) -> ToolMessage:
        """Keep the fields that were asked for; an error passes whole."""
        if result.is_error or call.name not in self._with_fields:
            return result
        fields = _wanted(call.arguments.get(FIELDS))
        if not fields:
            return result
        return msgspec.structs.replace(result, text=project(result.text, fields))

    def _spec(self, tool: ToolSpec) -> ToolSpec:
        if not _can_project(tool):
            return tool
        shown = self._specs.get(tool.name)
        if shown is None:
            shown = self._specs[tool.name] = _with_fields(tool)
        return shown

    def _with_examples(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        """Worked examples stand before the run's own calls, so the rest is not looked at."""
        if not self._examples:
            return messages
        end = next((i for i, m in enumerate(messages) if _own_call(m)), len(messages))
        return (*map(self._example, messages[:end]), *messages[end:])

    def _example(self, message: Message) -> Message:
        if isinstance(message, ToolMessage):
            key = message.call_id
        elif isinstance(message, AssistantMessage) and message.tool_calls:
            key = message.tool_calls[0].call_id
        else:
            return message
        if example_step(self._examples, key) is None:
            return message
        key = f"{type(message).__name__}:{key}"
        shown = self._shown.get(key)
        if shown is None:
            shown = self._shown[key] = _project_example(self._examples, message)
        return shown


def project(text: str, fields: list[str]) -> str:
    """The record or records in a JSON text, with these fields alone.

    A text that is not JSON, or has none of the fields, is returned whole.
    """
    try:
        value: Json = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, dict):
        kept = {f: value[f] for f in fields if f in value}
        return json.dumps(kept, ensure_ascii=False) if kept else text
    if isinstance(value, list) and all(isinstance(v, dict) for v in value):
        rows = [{f: v[f] for f in fields if f in v} for v in value]
        return json.dumps(rows, ensure_ascii=False) if all(rows) else text
    return text


def _own_call(message: Message) -> bool:
    """Whether it calls a tool and is not part of a worked example."""
    calls = message.tool_calls if isinstance(message, AssistantMessage) else ()
    return bool(calls) and not calls[0].call_id.startswith(f"{PREFIX}-")


def _can_project(tool: ToolSpec) -> bool:
    return bool(tool.result_fields) and FIELDS not in tool.parameters.get("properties", {})


def _wanted(argument: Json) -> list[str]:
    """The names in the argument; a model may have written anything there."""
    names = argument if isinstance(argument, list) else [argument]
    return [name for name in names if isinstance(name, str)]


def _with_fields(tool: ToolSpec) -> ToolSpec:
    fields = {
        "type": "array",
        "items": {"enum": list(tool.result_fields)},
        "minItems": 1,
        "maxItems": 3,
        "description": "the fields to return",
    }
    schema = dict(tool.parameters)
    schema["properties"] = {**schema.get("properties", {}), FIELDS: fields}
    schema["required"] = [*schema.get("required", []), FIELDS]
    return msgspec.structs.replace(tool, parameters=schema)


def _project_example(examples: tuple[Example, ...], message: Message) -> Message:
    if isinstance(message, ToolMessage):
        step = example_step(examples, message.call_id)
        if step is None or not step.fields:
            return message
        return msgspec.structs.replace(message, text=project(message.text, list(step.fields)))
    if not isinstance(message, AssistantMessage):
        return message
    calls = []
    for call in message.tool_calls:
        step = example_step(examples, call.call_id)
        extra = {FIELDS: list(step.fields)} if step and step.fields else {}
        calls.append(msgspec.structs.replace(call, arguments={**call.arguments, **extra}))
    return msgspec.structs.replace(message, tool_calls=tuple(calls))


def _make(setting: Setting, context: RunContext) -> Stage:
    del setting
    return Projection(context)


LEVER = SimpleLever(
    Card(
        name="tools.projection",
        summary="Tools that return records take the names of the wanted fields and return those.",
        domain=Choice(("on",)),
        search=("on",),
        acts_on=("request", "tool call", "tool result"),
        source="leanloop; the idea of a GraphQL selection. Measured in the demo.",
    ),
    _make,
)
