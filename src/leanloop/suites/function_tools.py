"""Plain Python functions as tools: the schema from type hints, the words from docstrings."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.message import Json, ToolCall, ToolMessage, ToolSpec

READ_ONLY = "read_only"
"""Attribute of a function that says whether a call changes nothing."""


class FunctionTool:
    """A function as a tool.

    Its name is the function's, its description the first paragraph of the docstring.
    Parameters without a hint take text. A function with an attribute ``read_only`` says
    whether calls change nothing.

    Args:
        function: Plain or a coroutine function.

    Raises:
        BadInputError: A parameter cannot be given by a model, or its type has no schema.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._name = getattr(function, "__name__", type(function).__name__)
        self._types = self._parameters()
        self.spec = ToolSpec(
            self._name, self._described(), self._schema(), getattr(function, READ_ONLY, None)
        )

    async def call(self, call: ToolCall) -> ToolMessage:
        """Call it; what the agent got wrong, and what it raises, is an error result."""
        try:
            arguments = self._converted(call.arguments)
            result = self._function(**arguments)
            if inspect.isawaitable(result):
                result = await result
        except msgspec.ValidationError as error:
            return ToolMessage(call.call_id, call.name, str(error), is_error=True)
        except Exception as error:  # a broken tool is an observation like any other
            text = f"{type(error).__name__}: {error}"
            return ToolMessage(call.call_id, call.name, text, is_error=True)
        return ToolMessage(call.call_id, call.name, _said(result))

    def _converted(self, arguments: dict[str, Json]) -> dict[str, Any]:
        unknown = [n for n in arguments if n not in self._types]
        missing = [n for n in self._required() if n not in arguments]
        if unknown or missing:
            said = f"it takes {', '.join(self._types) or 'no arguments'}"
            wrong = [*(f"unknown {n}" for n in unknown), *(f"missing {n}" for n in missing)]
            raise msgspec.ValidationError(f"{', '.join(wrong)}; {said}")
        return {n: self._one(n, v) for n, v in arguments.items()}

    def _one(self, name: str, value: Json) -> object:
        try:
            return msgspec.convert(value, self._types[name], strict=False)
        except msgspec.ValidationError as error:
            raise msgspec.ValidationError(f"{name}: {error}") from None

    def _parameters(self) -> dict[str, Any]:
        try:
            hints = typing.get_type_hints(self._function)
        except NameError as error:
            raise BadInputError(f"tool {self._name}", str(error)) from error
        every = inspect.signature(self._function).parameters.values()
        for p in every:
            if p.kind not in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
                raise BadInputError(f"tool {self._name}", f"{p.name} cannot be given by its name")
        return {p.name: hints.get(p.name, str) for p in every}

    def _required(self) -> list[str]:
        every = inspect.signature(self._function).parameters.values()
        return [p.name for p in every if p.default is p.empty]

    def _described(self) -> str:
        text = inspect.getdoc(self._function) or self._name.replace("_", " ")
        return " ".join(text.split("\n\n")[0].split())

    def _schema(self) -> dict[str, Json]:
        fields = {}
        for name, type_ in self._types.items():
            try:
                schema = msgspec.json.schema(type_)
            except TypeError as error:
                raise BadInputError(f"tool {self._name}", f"{name}: {error}") from error
            if "$ref" in schema:
                raise BadInputError(f"tool {self._name}", f"{name}: takes plain JSON types")
            fields[name] = _without_null(schema)
        return {"type": "object", "properties": fields, "required": self._required()}


class FunctionTools:
    """An environment of plain functions, with a function that verifies.

    Args:
        functions: The tools.
        verify: The agent's answer (None when it gave none) to a score, 0 to 1, or a bool.
        close: Releases what the functions hold.

    Raises:
        BadInputError: Two functions have one name, or one cannot be a tool.
    """

    def __init__(
        self,
        functions: Iterable[Callable[..., Any]],
        verify: Callable[[str | None], float | bool],
        close: Callable[[], object] = lambda: None,
    ) -> None:
        self._tools: dict[str, FunctionTool] = {}
        for tool in map(FunctionTool, functions):
            if tool.spec.name in self._tools:
                raise BadInputError(f"tool {tool.spec.name}", "there are two of that name")
            self._tools[tool.spec.name] = tool
        self._verify, self._close = verify, close

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """The tools, in the order of the functions."""
        return tuple(t.spec for t in self._tools.values())

    async def call(self, call: ToolCall) -> ToolMessage:
        """Call a function; an unknown one is an error result."""
        tool = self._tools.get(call.name)
        if tool is None:
            said = f"no tool {call.name!r}; there are {', '.join(self._tools) or 'none'}"
            return ToolMessage(call.call_id, call.name, said, is_error=True)
        return await tool.call(call)

    def verify(self, answer: str | None) -> float:
        """Score the answer and the end state from 0 to 1."""
        return float(self._verify(answer))

    def close(self) -> None:
        """Release what the functions hold."""
        self._close()


def _without_null(schema: dict[str, Json]) -> dict[str, Json]:
    """The schema of ``X | None`` as that of ``X``: what is optional can be left out."""
    kinds = [s for s in schema.get("anyOf", ()) if s != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    rest = {k: v for k, v in schema.items() if k != "anyOf" and v is not None}
    return {**kinds[0], **rest}


def _said(result: object) -> str:
    if isinstance(result, str):
        return result
    try:
        return json.dumps(msgspec.to_builtins(result), ensure_ascii=False)
    except TypeError:
        return str(result)
