"""The lines of a user's ``tasks.jsonl``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.message import Json
from leanloop.suites.tau.functions import Tool


class Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call that is expected.

    Attributes:
        name: The tool.
        arguments: By name.
    """

    name: str
    arguments: dict[str, Json] = {}


class Reply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the user says when the agent says something.

    Attributes:
        when: A regular expression, looked for in the agent's answer whatever its capitals.
        say: The words.
    """

    when: str
    say: str


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A task as it stands in the file.

    Attributes:
        id: Unique in the file.
        prompt: The user's first words.
        instruction: What a user who is a model is told; the prompt when None.
        actions: Calls that lead to the end state that is expected.
        outputs: What must be said to the user, each of them.
        user: What a user by script says next: texts in their order, and replies.
        split: The split, where the file says it of every task.
        cluster: Tasks that are not independent share one.
        family: The kind of task.
    """

    id: str
    prompt: str | None = None
    instruction: str | None = None
    actions: tuple[Action, ...] = ()
    outputs: tuple[str, ...] = ()
    user: tuple[str | Reply, ...] = ()
    split: Literal["search", "holdout"] | None = None
    cluster: str | None = None
    family: str = ""


@dataclass(frozen=True)
class Read:
    """A line, and where it stands.

    Args:
        line: The line.
        where: File and number, for what is wrong with it.
    """

    line: Line
    where: str


def read_lines(path: Path, tools: Mapping[str, Tool]) -> list[Read]:
    """Every task of a file.

    Args:
        path: The file: one JSON object a line.
        tools: What its actions may call.

    Raises:
        BadInputError: A line is wrong.
    """
    found: dict[str, Read] = {}
    for read in _parsed(path):
        line = read.line
        if line.id in found:
            raise BadInputError(read.where, f"id: {line.id!r} stands at {found[line.id].where} too")
        for number, action in enumerate(line.actions):
            if action.name not in tools:
                known = ", ".join(tools)
                problem = f"actions[{number}]: no tool {action.name!r}; there are {known}"
                raise BadInputError(read.where, problem)
        for number, reply in enumerate(line.user):
            if isinstance(reply, Reply):
                _check_pattern(read.where, number, reply.when)
        found[line.id] = read
    reads = list(found.values())
    if not reads:
        raise BadInputError(str(path), "has no task")
    said = [r for r in reads if r.line.split is not None]
    if said and len(said) < len(reads):
        missing = next(r for r in reads if r.line.split is None)
        raise BadInputError(missing.where, "split: say it of every task or of none")
    return reads


def _parsed(path: Path) -> Iterator[Read]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(str(path), f"cannot be read: {error}") from error
    for number, raw in enumerate(text.splitlines(), 1):
        if not raw.strip():
            continue
        where = f"{path}:{number}"
        try:
            yield Read(msgspec.json.decode(raw, type=Line), where)
        except msgspec.MsgspecError as error:
            raise BadInputError(where, str(error)) from error


def _check_pattern(where: str, number: int, pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise BadInputError(where, f"user[{number}].when: {error}") from error
