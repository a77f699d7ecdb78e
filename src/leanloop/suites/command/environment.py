"""The folder of one run: set up before it, checked after it, then removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leanloop.core.errors import BadInputError
from leanloop.suites.folder import Folder
from leanloop.suites.folder_environment import FolderEnvironment
from leanloop.suites.limited_program import ProgramLimits, Ran, run_limited
from leanloop.suites.protocol import Ask

SHOWN = 300
"""Characters of a failed set-up's output that are told."""


@dataclass(frozen=True)
class FolderTask:
    """What a folder's task needs.

    Args:
        setup: Shell command before the run; "" for none.
        check: Shell command after it.
        source: A folder to start with.
        files: Name to text, put into it.
        protect: Files put back before the check.
        shell: Whether the agent may run commands.
        variables: Environment of both programs.
        limits: Of every program.
        where: The task, for errors.
    """

    setup: str
    check: str
    source: Path | None
    files: Mapping[str, str]
    protect: tuple[str, ...]
    shell: bool
    variables: Mapping[str, str]
    limits: ProgramLimits
    where: str


class CheckedFolder(FolderEnvironment):
    """A fresh folder for one run.

    Args:
        about: What the task needs.
    """

    def __init__(self, about: FolderTask) -> None:
        folder = Folder(about.limits)
        self._about, self._work = about, folder
        self._before: Folder | None = None
        tools: list[Callable[..., Any]] = [folder.list_files, folder.read_file]
        tools += [folder.write_file, folder.replace_in_file]
        tools += [folder.run] if about.shell else []
        super().__init__(folder, tools, lambda _: 0.0)

    async def prepare(self) -> None:
        """Fill the folder and run the set-up.

        Raises:
            BadInputError: The set-up fails: that is no failure of the agent.
        """
        about = self._about
        if about.source is not None:
            self._work.copy(about.source)
        self._work.fill(about.files)
        if about.setup:
            ran = await self._run(about.setup)
            if ran.code != 0:
                raise BadInputError(about.where, f"setup {_ended(ran, about.limits)}")
        if about.protect:
            self._before = Folder()
            self._before.copy(self._work.path)

    async def judge(self, answer: str | None, ask: Ask) -> float:
        """1 when the check ends with 0, whatever the agent said."""
        del answer, ask
        if self._before is not None:
            self._work.put_back(self._about.protect, self._before.path)
        return float((await self._run(self._about.check)).code == 0)

    def close(self) -> None:
        """Remove the folder."""
        super().close()
        if self._before is not None:
            self._before.remove()

    async def _run(self, command: str) -> Ran:
        about = self._about
        return await run_limited(command, self._work.path, about.limits, about.variables)


def _ended(ran: Ran, limits: ProgramLimits) -> str:
    how = f"ended with {ran.code}"
    if ran.code is None:
        how = f"took longer than {limits.timeout_s:g} s"
    return f"{how}: {' '.join(ran.output.split())[-SHOWN:]}"
