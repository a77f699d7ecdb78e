"""A folder of files as an agent's world: it lists, reads and, where it may, writes and runs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from leanloop.core.errors import BadInputError
from leanloop.suites.function_tools import READ_ONLY
from leanloop.suites.limited_program import ProgramLimits, run_limited

MOST_LISTED = 500
MOST_READ = 20_000
"""Characters of a file that are shown at once."""

F = TypeVar("F", bound=Callable[..., Any])


def reads(function: F) -> F:
    """Mark a tool whose calls change nothing."""
    setattr(function, READ_ONLY, True)
    return function


def check_names(names: Iterable[str], where: str) -> None:
    """Check names of files that a task brings along.

    Raises:
        BadInputError: One would lie outside of the task's folder.
    """
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise BadInputError(where, f"files: {name!r} is outside of the task's folder")


class Folder:
    """A temporary folder and the tools on it; what is asked for outside of it is refused.

    Args:
        limits: What a program that the agent runs may take.
    """

    def __init__(self, limits: ProgramLimits | None = None) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="leanloop-task-")).resolve()
        self._limits = limits or ProgramLimits()

    def fill(self, files: Mapping[str, str]) -> None:
        """Write files, name to text."""
        for name, text in files.items():
            place = self._inside(name)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")

    def copy(self, source: Path) -> None:
        """Copy what another folder holds, or a file."""
        if source.is_dir():
            shutil.copytree(source, self.path, dirs_exist_ok=True, symlinks=True)
        else:
            shutil.copy2(source, self.path / source.name)

    def put_back(self, patterns: Iterable[str], source: Path) -> None:
        """Put files as they were in the place of what the agent made of them.

        Args:
            patterns: Which, such as ``tests/**``.
            source: The folder that they are copied from.
        """
        every = list(patterns)
        for pattern in every:
            for place in list(self.path.glob(pattern)):
                if place.is_file() or place.is_symlink():
                    place.unlink()
        for pattern in every:
            for place in source.glob(pattern):
                if place.is_file():
                    target = self.path / place.relative_to(source)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(place, target)

    def remove(self) -> None:
        """Remove it."""
        shutil.rmtree(self.path, ignore_errors=True)

    @reads
    def list_files(self, path: str = ".") -> str:
        """List the files below a folder, one a line."""
        start = self._inside(path)
        every = (p for p in sorted(start.rglob("*")) if p.is_file() and ".git" not in p.parts)
        names = [str(p.relative_to(self.path)) for p in every]
        more = [f"[{len(names) - MOST_LISTED} more]"] if len(names) > MOST_LISTED else []
        return "\n".join([*names[:MOST_LISTED], *more]) or "no files"

    @reads
    def read_file(self, path: str, first_line: int = 1, last_line: int | None = None) -> str:
        """Read a text file, or the lines of it from first_line to last_line."""
        text = self._file(path).read_text(encoding="utf-8", errors="replace")
        lines = text.splitlines(keepends=True)
        text = "".join(lines[max(first_line, 1) - 1 : last_line])
        if len(text) <= MOST_READ:
            return text
        return f"{text[:MOST_READ]}\n[cut off; the file has {len(lines)} lines]"

    def write_file(self, path: str, text: str) -> str:
        """Write a text file, in the place of what was there."""
        place = self._inside(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        return f"wrote {len(text)} characters to {path}"

    def replace_in_file(self, path: str, old: str, new: str) -> str:
        """Replace a text that stands in a file exactly once."""
        place = self._file(path)
        text = place.read_text(encoding="utf-8")
        count = text.count(old) if old else 0
        if count != 1:
            raise ValueError(f"the old text stands in {path} {count} times, not once")
        place.write_text(text.replace(old, new), encoding="utf-8")
        return f"replaced in {path}"

    async def run(self, command: str) -> str:
        """Run a shell command in the folder; returns its exit code and output."""
        ran = await run_limited(command, self.path, self._limits, {})
        if ran.code is None:
            return f"ended after {self._limits.timeout_s:g} s\n{ran.output}"
        return f"exit code {ran.code}\n{ran.output}"

    def _file(self, name: str) -> Path:
        place = self._inside(name)
        if not place.is_file():
            # Where the folder is, is another place in each run: it is not told.
            raise ValueError(f"no file {name!r}; list_files says which there are")
        return place

    def _inside(self, name: str) -> Path:
        place = (self.path / name).resolve()
        if not place.is_relative_to(self.path):
            raise ValueError(f"{name} is outside of the folder")
        return place
