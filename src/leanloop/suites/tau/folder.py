"""A user's folder: policy, database, tools and tasks."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.message import Json
from leanloop.suites.tau.functions import Tool, read_tools
from leanloop.suites.tau.lines import Line, Read, read_lines


@dataclass(frozen=True)
class Folder:
    """What a folder says.

    Args:
        policy: The agent's system text.
        database: As every run finds it; copy it.
        tools: By name.
        reads: The tasks, and where they stand.
    """

    policy: str
    database: Json
    tools: dict[str, Tool]
    reads: Sequence[Read]

    def expected(self, line: Line, where: str = "") -> Json:
        """The database after the actions of a task.

        Args:
            line: The task.
            where: File and number, for what is wrong with it.

        Raises:
            BadInputError: An action fails.
        """
        database = copy.deepcopy(self.database)
        for number, action in enumerate(line.actions):
            said, failed = self.tools[action.name].carry_out(database, action.arguments)
            if failed:
                raise BadInputError(where, f"actions[{number}]: {action.name} says: {said}")
        return database


def read_folder(path: Path) -> Folder:
    """Read a folder, and carry out the actions of every task once.

    Raises:
        BadInputError: A file is missing or wrong.
    """
    if not path.is_dir():
        raise BadInputError("suite.options.folder", f"there is no folder {str(path)!r}")
    tools = read_tools(path / "tools.py")
    folder = Folder(
        _policy(path / "policy.md"),
        _database(path / "db.json"),
        tools,
        read_lines(path / "tasks.jsonl", tools),
    )
    for read in folder.reads:
        folder.expected(read.line, read.where)
    return folder


def _policy(path: Path) -> str:
    text = _bytes(path).decode(errors="replace").strip()
    if not text:
        raise BadInputError(str(path), "is empty; it is what the agent is told")
    return text


def _database(path: Path) -> Json:
    raw = _bytes(path)
    try:
        return msgspec.json.decode(raw)
    except msgspec.MsgspecError as error:
        raise BadInputError(str(path), str(error)) from error


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInputError(str(path), f"cannot be read: {error.strerror}") from error
