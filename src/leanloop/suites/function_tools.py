"""Plain Python functions as an environment."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.message import ToolCall, ToolMessage, ToolSpec
from leanloop.suites.function_signature import read_signature

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
        name = getattr(function, "__name__", type(function).__name__)
        self._function = function
        self._signature = s = read_signature(function, f"tool {name}")
        description = s.description or name.replace("_", " ")
        self.spec = ToolSpec(name, description, s.parameters, getattr(function, READ_ONLY, None))

    async def call(self, call: ToolCall) -> ToolMessage:
        """Call it; what the agent got wrong, and what it raises, is an error result."""
        try:
            arguments = self._signature.converted(call.arguments)
        except ValueError as error:
            return ToolMessage(call.call_id, call.name, str(error), is_error=True)
        try:
            result = self._function(**arguments)
            if inspect.isawaitable(result):
                result = await result
        except Exception as error:  # a broken tool is an observation like any other
            text = f"{type(error).__name__}: {error}"
            return ToolMessage(call.call_id, call.name, text, is_error=True)
        return ToolMessage(call.call_id, call.name, said(result))


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
            text = f"no tool {call.name!r}; there are {', '.join(self._tools) or 'none'}"
            return ToolMessage(call.call_id, call.name, text, is_error=True)
        return await tool.call(call)

    def verify(self, answer: str | None) -> float:
        """Score the answer and the end state from 0 to 1."""
        return float(self._verify(answer))

    def close(self) -> None:
        """Release what the functions hold."""
        self._close()


def said(result: object) -> str:
    """What a function returned, as a model is shown it: text as it is, the rest as JSON."""
    if isinstance(result, str):
        return result
    try:
        return json.dumps(msgspec.to_builtins(result), ensure_ascii=False)
    except TypeError:
        return str(result)
