"""A plan of tool calls: read from what a model wrote, filled in as results come."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from leanloop.core.message import Json

STEP_ID = re.compile(r"E\d{1,3}")
REFERENCE = re.compile(r"#(E\d{1,3})(?!\w)((?:\.\w+|\[\d{1,4}\])*)")
PART = re.compile(r"\.(\w+)|\[(\d+)\]")
LIST_OF_OBJECTS = re.compile(r"\[\s*\{")


@dataclass(frozen=True)
class PlannedCall:
    """A call that a plan wants made.

    Args:
        step_id: ``E1``, ``E2`` and so on; unique in the plan.
        tool: The tool's name.
        arguments: A JSON object, in which ``#E1`` stands for the result of the step
            ``E1`` and ``#E1.field`` for a field of it.
        needs: The steps that the arguments refer to.
    """

    step_id: str
    tool: str
    arguments: dict[str, Json]
    needs: frozenset[str] = frozenset()


def read_plan(text: str, tools: Collection[str], max_steps: int) -> tuple[PlannedCall, ...]:
    """The steps of the first list of steps in a text, as far as they can be used.

    The list ends before the first step that is not one: it has no id of its own, names
    no tool that there is, has no object of arguments, or refers to a step that does not
    come before it. A model that ends its plan with a step for the answer loses nothing.

    Args:
        text: JSON, or the same with single quotes, with any words around it.
        tools: Names of the tools there are.
        max_steps: Steps to read at most.

    Returns:
        The steps in order; none when there is no plan in the text.
    """
    end = text.rfind("]") + 1
    for found in LIST_OF_OBJECTS.finditer(text):
        value = _decode(text[found.start() : end])
        if isinstance(value, list):
            return _steps(value[:max_steps], tools)
    return ()


def fill(value: Json, results: Mapping[str, Json]) -> Json:
    """The value with every reference replaced by what it refers to.

    A text that is a reference and nothing else becomes the value itself; within a longer
    text it becomes words: a text as it is, anything else as JSON.

    Args:
        value: An argument of a planned call.
        results: The values of the steps that have been made.

    Raises:
        LookupError: A step has not been made, or its result has no such field; the
            message says which, for the model to read.
    """
    if isinstance(value, dict):
        return {k: fill(v, results) for k, v in value.items()}
    if isinstance(value, list):
        return [fill(v, results) for v in value]
    if not isinstance(value, str):
        return value
    whole = REFERENCE.fullmatch(value)
    if whole is not None:
        return _look_up(whole, results)
    return REFERENCE.sub(lambda found: _words(_look_up(found, results)), value)


def result_value(text: str) -> Json:
    """An observation as the JSON that it is, or as text."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        # A tool may return half of a surrogate pair, which no JSON reader takes.
        return text


def _decode(text: str) -> Json:
    """None when the text is neither JSON nor a literal that JSON could hold."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        pass
    except RecursionError:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that a model got wrong
            return msgspec.json.decode(msgspec.json.encode(ast.literal_eval(text)))
    except (ValueError, TypeError, SyntaxError, OverflowError, MemoryError, RecursionError):
        return None
    except msgspec.MsgspecError:
        return None


def _steps(written: list[Any], tools: Collection[str]) -> tuple[PlannedCall, ...]:
    steps: dict[str, PlannedCall] = {}
    for item in written:
        step = _step(item)
        if step is None or step.step_id in steps or step.tool not in tools:
            break
        if not step.needs <= steps.keys():
            break
        steps[step.step_id] = step
    return tuple(steps.values())


def _step(item: Json) -> PlannedCall | None:
    if not isinstance(item, dict):
        return None
    step_id, tool, arguments = item.get("id"), item.get("tool"), item.get("args", {})
    if not isinstance(step_id, str) or STEP_ID.fullmatch(step_id) is None:
        return None
    if not isinstance(tool, str) or not isinstance(arguments, dict):
        return None
    try:
        return PlannedCall(step_id, tool, arguments, frozenset(_references(arguments)))
    except RecursionError:
        return None


def _references(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield from (found[1] for found in REFERENCE.finditer(value))
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _references(inner)


def _look_up(found: re.Match[str], results: Mapping[str, Json]) -> Json:
    step_id = found[1]
    if step_id not in results:
        raise LookupError(f"{step_id} has no result")
    value = results[step_id]
    for part in PART.finditer(found[2]):
        value = _inside(value, part[1] or part[2], step_id)
    return value


def _inside(value: Json, part: str, step_id: str) -> Json:
    if isinstance(value, list) and part.isdecimal():
        if int(part) < len(value):
            return value[int(part)]
        raise LookupError(f"the result of {step_id} has no number {part}")
    # A search that found one record is meant by its record; which of several would be a guess.
    record = value[0] if isinstance(value, list) and len(value) == 1 else value
    if isinstance(record, dict) and part in record:
        return record[part]
    raise LookupError(f"the result of {step_id} has no field {part}")


def _words(value: Json) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
