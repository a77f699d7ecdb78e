"""Plain Python functions as an environment."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.message import Contract, ToolCall, ToolMessage, ToolSpec
from leanloop.suites.function_signature import read_signature

READ_ONLY = "read_only"
"""Attribute of a function that says whether a call changes nothing."""


class Attributes(msgspec.Struct, frozen=True):
    """Attributes of a function that say of its calls what its signature cannot.

    Attributes:
        read_only: Whether calls change nothing; None for unknown.
        result_fields: Names of the fields of what they return.
        contract: What they keep to.
    """

    read_only: bool | None = None
    result_fields: tuple[str, ...] = ()
    contract: Contract | None = None


class FunctionTool:
    """A function as a tool.

    Its name is the function's, its description the first paragraph of the docstring.
    Parameters without a hint take text. Attributes of the function say the rest, where it
    has them: ``read_only``, whether calls change nothing; ``result_fields``, the names of
    what they return; ``contract``, a ``Contract`` that they keep to.

    Args:
        function: Plain or a coroutine function.
        read_only: What holds where the function does not say.

    Raises:
        BadInputError: A parameter cannot be given by a model, its type has no schema, or
            an attribute is not what it should be.
    """

    def __init__(self, function: Callable[..., Any], read_only: bool | None = None) -> None:
        name = getattr(function, "__name__", type(function).__name__)
        self._function = function
        self._signature = s = read_signature(function, f"tool {name}")
        description = s.description or name.replace("_", " ")
        a = _attributes(function, name, read_only)
        self.spec = ToolSpec(
            name, description, s.parameters, a.read_only, a.result_fields, a.contract
        )

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
        read_only: Whether calls change nothing, for functions that do not say; None for
            unknown.

    Raises:
        BadInputError: Two functions have one name, or one cannot be a tool.
    """

    def __init__(
        self,
        functions: Iterable[Callable[..., Any]],
        verify: Callable[[str | None], float | bool],
        close: Callable[[], object] = lambda: None,
        *,
        read_only: bool | None = None,
    ) -> None:
        self._tools: dict[str, FunctionTool] = {}
        for function in functions:
            tool = FunctionTool(function, read_only)
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


def _attributes(function: object, tool: str, read_only: bool | None) -> Attributes:
    """The attributes of a function, those that it has as their types have them."""
    said = {f: getattr(function, f) for f in Attributes.__struct_fields__ if hasattr(function, f)}
    try:
        return msgspec.convert({"read_only": read_only, **said}, Attributes)
    except msgspec.ValidationError as error:
        raise BadInputError(f"tool {tool}", str(error)) from error


def said(result: object) -> str:
    """What a function returned, as a model is shown it: text as it is, the rest as JSON."""
    if isinstance(result, str):
        return result
    try:
        return json.dumps(msgspec.to_builtins(result), ensure_ascii=False)
    except TypeError:
        return str(result)
