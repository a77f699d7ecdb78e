"""A file of the user's with a task a line, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.message import Json
from leanloop.core.task import Example

T = TypeVar("T", bound=msgspec.Struct)


class Line(msgspec.Struct, Generic[T], frozen=True):
    """A line that was read.

    Attributes:
        where: File and line, for errors.
        value: What stands there.
        raw: The same with all its fields.
    """

    where: str
    value: T
    raw: dict[str, Json]


def read_examples(path: Path | None) -> tuple[Example, ...]:
    """Worked examples from a file of JSON lines.

    A line has ``prompt``, ``steps`` (each ``tool``, ``arguments``, ``result`` and perhaps
    ``fields``) and ``answer``.

    Args:
        path: The file; no examples when None.

    Raises:
        BadInputError: The file or a line cannot be used.
    """
    if path is None:
        return ()
    return tuple(line.value for line in read_lines(path, Example, {}, "examples"))


def read_lines(
    path: Path, type_: type[T], fields: Mapping[str, str], option: str = "file"
) -> Iterator[Line[T]]:
    """Read a file of JSON lines; what the type does not know is left out.

    Args:
        path: The file; empty lines are passed over.
        type_: What a line is.
        fields: Names of the type's fields to those of the file, where they differ.
        option: The suite's option that names the file, for errors.

    Raises:
        BadInputError: The file cannot be read, or a line is not of the type.
    """
    known = {f.name for f in msgspec.structs.fields(type_)}
    for name in fields:
        if name not in known:
            there = ", ".join(sorted(known))
            raise BadInputError("suite.options.fields", f"no field {name!r}; there are {there}")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "is not a text file in UTF-8"
        raise BadInputError(f"suite.options.{option}: {path}", said) from error
    count = 0
    for number, line in enumerate(lines, 1):
        if line.strip():
            count += 1
            raw = _read(line, fields, f"{path}:{number}")
            yield Line(f"{path}:{number}", _typed(raw, type_, f"{path}:{number}"), raw)
    if not count:
        raise BadInputError(str(path), "holds no task")


def _read(line: str, fields: Mapping[str, str], where: str) -> dict[str, Json]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise BadInputError(where, f"is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadInputError(where, "a task is a JSON object")
    for name, theirs in fields.items():
        if theirs in value:
            value[name] = value[theirs]
    return value


def _typed(value: dict[str, Json], type_: type[T], where: str) -> T:
    known = [f.name for f in msgspec.structs.fields(type_)]
    for name in value:
        # Files may have fields of their own; one that is almost ours is a slip.
        near = [] if name in known else get_close_matches(name, known, n=1, cutoff=0.75)
        if near and near[0] not in value:
            raise BadInputError(where, f"unknown field {name!r}; did you mean {near[0]!r}?")
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        raise BadInputError(where, str(error)) from error
