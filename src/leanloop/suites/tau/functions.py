"""The functions of a user's ``tools.py`` as tools."""

from __future__ import annotations

import importlib.util
import inspect
import json
import re
import sys
import traceback
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.message import Json, ToolSpec

DATABASE = "data"
"""The first parameter of every tool: the database, to be changed in place."""
READ_ONLY = "READ_ONLY"
"""The module's own list of tools that change nothing; without it that is unknown of all."""


@dataclass(frozen=True)
class Tool:
    """A tool, and the function that is it.

    Args:
        spec: As it is shown to the model.
        function: Takes the database, and the arguments by name.
        types: Argument to its type.
    """

    spec: ToolSpec
    function: Callable[..., Any]
    types: Mapping[str, Any]

    def carry_out(self, database: Json, arguments: Mapping[str, Json]) -> tuple[str, bool]:
        """Call it on a database; the result as text, and whether it failed.

        Args:
            database: Changed in place.
            arguments: By name.
        """
        try:
            result = self.function(database, **self._checked(arguments))
        except Exception as error:  # what a tool raises is what the agent reads
            return f"Error: {error}", True
        if not isinstance(result, str):
            result = json.dumps(result, ensure_ascii=False, default=str)
        return result, result.startswith("Error")

    def _checked(self, arguments: Mapping[str, Json]) -> dict[str, Any]:
        for name in arguments:
            if name not in self.types:
                raise ValueError(f"{self.spec.name} has no argument {name!r}")
        for name in self.spec.parameters["required"]:
            if name not in arguments:
                raise ValueError(f"{self.spec.name} needs the argument {name!r}")
        checked = {}
        for name, value in arguments.items():
            try:
                checked[name] = msgspec.convert(value, self.types[name])
            except msgspec.ValidationError as error:
                raise ValueError(f"{name}: {error}") from error
        return checked


def read_tools(path: Path) -> dict[str, Tool]:
    """The tools of a file, by name, in its order.

    Raises:
        BadInputError: The file cannot be loaded, or a function in it is no tool.
    """
    module = _load(path)
    listed = getattr(module, READ_ONLY, None)
    read_only = None if listed is None else frozenset(listed)
    tools = {}
    for name, function in vars(module).items():
        if name.startswith("_") or not inspect.isfunction(function):
            continue
        if function.__module__ == module.__name__:
            tools[name] = _tool(path, name, function, read_only)
    if not tools:
        raise BadInputError(str(path), "has no function whose name does not begin with _")
    for name in sorted((read_only or frozenset()) - set(tools)):
        raise BadInputError(str(path), f"{READ_ONLY} names {name!r}, which is no function here")
    return tools


def _load(path: Path) -> ModuleType:
    name = f"leanloop_tools_{abs(hash(path.resolve()))}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise BadInputError(str(path), "there is no such file")
    module = importlib.util.module_from_spec(spec)
    # Type hints are looked up in the module by its name.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's code raises
        del sys.modules[name]
        problem = " ".join(f"{type(error).__name__}: {error}".split())
        raise BadInputError(_place(path, error), problem) from error
    return module


def _place(path: Path, error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"{path}:{error.lineno}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return f"{path}:{lines[-1]}" if lines else str(path)


def _tool(
    path: Path, name: str, function: Callable[..., Any], read_only: frozenset[str] | None
) -> Tool:
    where = f"{path}:{function.__code__.co_firstlineno}"
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters or parameters[0].name != DATABASE:
        problem = f"the first parameter of {name} must be {DATABASE}; begin its name with _ "
        raise BadInputError(where, f"{problem}if it is no tool")
    text = inspect.getdoc(function)
    if not text:
        raise BadInputError(where, f"{name} has no docstring, which is what the model is told")
    try:
        hints = typing.get_type_hints(function)
    except Exception as error:  # names in hints that do not exist
        raise BadInputError(where, f"{name}: {error}") from error
    told = _arguments_told(text)
    properties, required, types = {}, [], {}
    for parameter in parameters[1:]:
        schema = _schema(where, name, parameter, hints)
        if parameter.name in told:
            schema = schema | {"description": told[parameter.name]}
        properties[parameter.name] = schema
        types[parameter.name] = hints[parameter.name]
        if parameter.default is inspect.Parameter.empty:
            required.append(parameter.name)
    whole = {"type": "object", "properties": properties, "required": required}
    spec = ToolSpec(name, _summary(text), whole, None if read_only is None else name in read_only)
    return Tool(spec, function, types)


def _schema(
    where: str, name: str, parameter: inspect.Parameter, hints: Mapping[str, Any]
) -> dict[str, Json]:
    if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
        raise BadInputError(where, f"{name}: name every argument, *{parameter.name} says nothing")
    if parameter.name not in hints:
        raise BadInputError(where, f"{name}: the argument {parameter.name} has no type")
    try:
        schema: dict[str, Json] = msgspec.json.schema(hints[parameter.name])
    except TypeError as error:
        problem = f"{name}: the type of {parameter.name} is none of JSON values"
        raise BadInputError(where, problem) from error
    if "$defs" in schema:
        raise BadInputError(where, f"{name}: the type of {parameter.name} is none of JSON values")
    options = [s for s in schema.get("anyOf", ()) if s != {"type": "null"}]
    return options[0] if len(options) == 1 else schema


def _summary(text: str) -> str:
    return " ".join(re.split(r"\n\s*(?:Args|Returns|Raises):", text)[0].split())


def _arguments_told(text: str) -> dict[str, str]:
    found = re.search(r"\n\s*Args:\n(.*?)(?=\n\S|\Z)", text, re.DOTALL)
    if found is None:
        return {}
    lines = re.findall(r"^\s+(\w+)(?: \([^)]*\))?:\s*(.*(?:\n {8,}.*)*)", found[1], re.MULTILINE)
    return {name: " ".join(told.split()) for name, told in lines}
