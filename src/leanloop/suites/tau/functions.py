"""The functions of a user's ``tools.py`` as tools."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from leanloop.core.errors import BadInputError
from leanloop.core.message import Json, ToolSpec
from leanloop.suites.function_signature import FunctionSignature, read_signature
from leanloop.suites.function_tools import said

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
        signature: Its parameters.
    """

    spec: ToolSpec
    function: Callable[..., Any]
    signature: FunctionSignature

    def carry_out(self, database: Json, arguments: Mapping[str, Json]) -> tuple[str, bool]:
        """Call it on a database; the result as text, and whether it failed.

        Args:
            database: Changed in place.
            arguments: By name.
        """
        try:
            result = said(self.function(database, **self.signature.converted(arguments)))
        except Exception as error:  # what a tool raises is what the agent reads
            return f"Error: {error}", True
        return result, result.startswith("Error")


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
    signature = read_signature(function, where, given=1, typed=True)
    if not signature.description:
        raise BadInputError(where, f"{name} has no docstring, which is what the model is told")
    only_reads = None if read_only is None else name in read_only
    spec = ToolSpec(name, signature.description, signature.parameters, only_reads)
    return Tool(spec, function, signature)
