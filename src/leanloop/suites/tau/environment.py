"""One run of a task."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence

from leanloop.core.message import ToolCall, ToolMessage, ToolSpec
from leanloop.suites.protocol import Ask
from leanloop.suites.tau.folder import Folder
from leanloop.suites.tau.lines import Line
from leanloop.suites.tau.users import User


class TauRun:
    """A database of its own, the folder's tools on it, and what was said.

    Args:
        folder: Where policy, database and tools come from.
        line: The task.
    """

    def __init__(self, folder: Folder, line: Line) -> None:
        self._folder = folder
        self._line = line
        self._database = copy.deepcopy(folder.database)
        self._said: list[str] = []

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """Every tool of the folder."""
        return tuple(tool.spec for tool in self._folder.tools.values())

    async def call(self, call: ToolCall) -> ToolMessage:
        """Carry out a call on this run's database."""
        tool = self._folder.tools.get(call.name)
        if tool is None:
            return ToolMessage(call.call_id, call.name, f"Error: no tool {call.name!r}", True)
        said, failed = tool.carry_out(self._database, copy.deepcopy(call.arguments))
        return ToolMessage(call.call_id, call.name, said, failed)

    def verify(self, answer: str | None) -> float:
        """1 when the end state is that of the expected actions and every output was said."""
        if answer is None or self._database != self._folder.expected(self._line):
            return 0.0
        return float(all_said(self._line.outputs, [*self._said, answer]))

    def close(self) -> None:
        """Nothing is held outside of this object."""


class TalkingRun(TauRun):
    """A run whose user may go on talking.

    Args:
        folder: Where policy, database and tools come from.
        line: The task.
        user: Who speaks.
    """

    def __init__(self, folder: Folder, line: Line, user: User) -> None:
        super().__init__(folder, line)
        self._user = user

    async def reply(self, answer: str, ask: Ask) -> str | None:
        """What the user says next."""
        self._said.append(answer)
        return await self._user.reply(answer, ask)


def all_said(outputs: Sequence[str], answers: Sequence[str]) -> bool:
    """Whether every output stands in some answer, whole, whatever its capitals.

    Commas in numbers do not matter: 1,200 says 1200, and neither 12000 nor 1200.5 does.
    """
    text = _plain("\n".join(answers))
    return all(
        re.search(rf"(?<!\w)(?<!\d\.){re.escape(_plain(o))}(?!\w)(?!\.\d)", text) for o in outputs
    )


def _plain(text: str) -> str:
    return re.sub(r"(?<=\d),(?=\d{3})", "", text.casefold())
