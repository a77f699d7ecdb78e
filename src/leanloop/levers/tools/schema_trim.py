"""Show the tools in fewer words."""

from __future__ import annotations

import re

import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.domain import Choice
from leanloop.core.message import Json, Request, ToolSpec
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage

NOTES = frozenset({"$schema", "default", "description", "examples", "title"})
"""Keywords that describe a value and do not decide whether it is valid."""
ONE_SCHEMA = frozenset(
    {"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"}
)
"""Keywords whose value is a schema."""
SCHEMAS = frozenset({"allOf", "anyOf", "items", "oneOf", "prefixItems"})
"""Keywords whose value is a list of schemas."""
NAMED_SCHEMAS = frozenset(
    {"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"}
)
"""Keywords whose value gives schemas names, which look like keywords and are none."""
SENTENCE_END = re.compile(r"(?<!\be\.g)(?<!\bi\.e)[.!?](?=\s+[^\sa-z])|\n\s*\n")


class SchemaTrim(Stage):
    """Shows each tool with the first sentence of its description and a bare schema.

    What a schema says about its values in words is left out; what it demands of
    them stays, so a call is valid by the short schema when it is by the long one,
    and the other way round. The result is the same object from step to step.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[ToolSpec, ToolSpec]] = {}

    async def on_request(self, request: Request) -> Request:
        """Shorten every tool that can be shortened."""
        tools = tuple(self._trimmed(t) for t in request.tools)
        if all(a is b for a, b in zip(tools, request.tools, strict=True)):
            return request
        return msgspec.structs.replace(request, tools=tools)

    def _trimmed(self, tool: ToolSpec) -> ToolSpec:
        known = self._known.get(tool.name)
        if known is None or known[0] is not tool:
            known = self._known[tool.name] = (tool, trim_tool(tool))
        return known[1]


def trim_tool(tool: ToolSpec) -> ToolSpec:
    """The tool in fewer words; the very same object when there is nothing to leave out."""
    description, parameters = first_sentence(tool.description), trim_schema(tool.parameters)
    if (description, parameters) == (tool.description, tool.parameters):
        return tool
    return msgspec.structs.replace(tool, description=description, parameters=parameters)


def first_sentence(text: str) -> str:
    """The text up to the end of its first sentence or paragraph, whichever comes first."""
    text = text.strip()
    end = SENTENCE_END.search(text)
    return text if end is None else text[: end.end()].rstrip()


def trim_schema(schema: Json) -> Json:
    """A JSON Schema that accepts the same values, without what it says about them in words."""
    if not isinstance(schema, dict):
        return schema  # true and false are schemas too
    return {
        key: _trimmed_value(key, value)
        for key, value in schema.items()
        if key not in NOTES and not _says_nothing(key, value)
    }


def _says_nothing(key: str, value: Json) -> bool:
    # Only where it allows everything: false, or a schema, is a demand.
    return key == "additionalProperties" and (value is True or value == {})


def _trimmed_value(key: str, value: Json) -> Json:
    if key in NAMED_SCHEMAS and isinstance(value, dict):
        return {name: trim_schema(inner) for name, inner in value.items()}
    if key in SCHEMAS and isinstance(value, list):
        return [trim_schema(inner) for inner in value]
    return trim_schema(value) if key in ONE_SCHEMA else value


def _make(setting: Setting, context: RunContext) -> Stage:
    del setting, context
    return SchemaTrim()


LEVER = SimpleLever(
    Card(
        name="tools.schema_trim",
        summary="Show tools by one sentence each, with schemas that have no words in them.",
        domain=Choice(("on",)),
        search=("on",),
        acts_on=("request",),
        source="leanloop; RAG-MCP, arXiv 2505.03275, shows what tools cost in a prompt and leaves "
        "whole ones out.",
    ),
    _make,
)
