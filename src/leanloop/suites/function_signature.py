"""What a Python function says of itself as a tool: schema from type hints, words from docstring."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.message import Json


@dataclass(frozen=True)
class FunctionSignature:
    """A function's description and parameters as a model is shown them.

    Args:
        name: The function's name.
        description: The docstring before its sections, on one line; "" without one.
        parameters: JSON Schema of an object; what the docstring's ``Args`` says of a
            parameter is its description.
        types: Parameter to its type.
    """

    name: str
    description: str
    parameters: dict[str, Json]
    types: Mapping[str, Any]

    def converted(self, arguments: Mapping[str, Json]) -> dict[str, Any]:
        """A model's arguments in the function's own types.

        Raises:
            ValueError: One is unknown, missing or of another type; the model is told.
        """
        for name in arguments:
            if name not in self.types:
                known = ", ".join(self.types) or "no arguments"
                raise ValueError(f"{self.name} has no argument {name!r}; it takes {known}")
        for name in self.parameters["required"]:
            if name not in arguments:
                raise ValueError(f"{self.name} needs the argument {name!r}")
        return {n: self._one(n, v) for n, v in arguments.items()}

    def _one(self, name: str, value: Json) -> object:
        try:
            # Small models write numbers as texts.
            return msgspec.convert(value, self.types[name], strict=False)
        except msgspec.ValidationError as error:
            raise ValueError(f"{name}: {error}") from None


def read_signature(
    function: Callable[..., Any], where: str, *, given: int = 0, typed: bool = False
) -> FunctionSignature:
    """What a function says of itself.

    Args:
        function: Plain or a coroutine function, or a method.
        where: The file and line, or the tool, for errors.
        given: Parameters that somebody else gives, the first so many.
        typed: Whether a parameter without a type is refused; else it takes text.

    Raises:
        BadInputError: A parameter cannot be given by a model, or its type has no schema.
    """
    name = getattr(function, "__name__", type(function).__name__)
    text = inspect.getdoc(function) or ""
    told, hints = _arguments_told(text), _hints(function, name, where)
    properties, required, types = {}, [], {}
    for parameter in list(inspect.signature(function).parameters.values())[given:]:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            problem = f"{name}: name every argument, {parameter} cannot be given by its name"
            raise BadInputError(where, problem)
        if typed and parameter.name not in hints:
            raise BadInputError(where, f"{name}: the argument {parameter.name} has no type")
        type_ = types[parameter.name] = hints.get(parameter.name, str)
        schema = _schema(type_, f"{name}: the type of {parameter.name}", where)
        description = told.get(parameter.name)
        properties[parameter.name] = schema | ({"description": description} if description else {})
        if parameter.default is parameter.empty:
            required.append(parameter.name)
    whole = {"type": "object", "properties": properties, "required": required}
    return FunctionSignature(name, _summary(text), whole, types)


def _hints(function: Callable[..., Any], name: str, where: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception as error:  # names in hints that do not exist
        raise BadInputError(where, f"{name}: {error}") from error


def _schema(type_: object, what: str, where: str) -> dict[str, Json]:
    try:
        schema: dict[str, Json] = msgspec.json.schema(type_)
    except TypeError as error:
        raise BadInputError(where, f"{what} is none of JSON values") from error
    if "$defs" in schema:
        raise BadInputError(where, f"{what} is none of JSON values")
    # ``X | None`` as ``X``: what is optional can be left out.
    kinds = [s for s in schema.get("anyOf", ()) if s != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    rest = {k: v for k, v in schema.items() if k != "anyOf" and v is not None}
    return {**kinds[0], **rest}


def _summary(text: str) -> str:
    before = re.split(r"\n\s*(?:Args|Returns|Raises):", text)[0]
    return " ".join(before.split("\n\n")[0].split())


def _arguments_told(text: str) -> dict[str, str]:
    found = re.search(r"\n\s*Args:\n(.*?)(?=\n\S|\Z)", text, re.DOTALL)
    if found is None:
        return {}
    lines = re.findall(r"^\s+(\w+)(?: \([^)]*\))?:\s*(.*(?:\n {8,}.*)*)", found[1], re.MULTILINE)
    return {name: " ".join(told.split()) for name, told in lines}
