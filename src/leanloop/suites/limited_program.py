"""Runs a program in a folder, with limits on time, memory and output, and ends all it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

KILL_AFTER_S = 5.0
PASSED_ON = ("PATH", "LANG", "LC_ALL", "VIRTUAL_ENV", "PYTHONPATH", "TZ")
"""Variables that a program may see: keys of providers are not among them."""
SHELL = 'ulimit -v "$1" 2>/dev/null; ulimit -c 0 2>/dev/null; exec /bin/sh -c "$2"'


@dataclass(frozen=True)
class ProgramLimits:
    """What a program may take.

    Args:
        timeout_s: Wall seconds.
        memory_mb: Address space of each of its processes, in megabytes.
        output_characters: What is kept of its output: the first and the last half.
    """

    timeout_s: float = 60.0
    memory_mb: int = 2048
    output_characters: int = 20_000


@dataclass(frozen=True)
class Ran:
    """How a program ended.

    Args:
        code: Exit code; None when its time was over.
        output: Standard output and error, shortened in the middle.
    """

    code: int | None
    output: str


async def run_limited(
    command: str, folder: Path, limits: ProgramLimits, variables: Mapping[str, str]
) -> Ran:
    """Run a shell command in a folder, and end it with all that it started.

    Args:
        command: For ``/bin/sh``.
        folder: Where, and its ``HOME``.
        limits: What it may take.
        variables: Set beside the few that are passed on.
    """
    process = await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", SHELL, "sh", str(limits.memory_mb * 1024), command),
        cwd=folder,
        env={**passed_on(()), "HOME": str(folder), **variables},
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        start_new_session=True,
    )
    kept = _Kept(limits.output_characters)
    try:
        async with asyncio.timeout(limits.timeout_s):
            await kept.read(process)
            code: int | None = await process.wait()
    except TimeoutError:
        code = None
    finally:
        await end_group(process)
    return Ran(code, kept.text())


def passed_on(further: Sequence[str]) -> dict[str, str]:
    """The variables of this process that a program may see.

    Args:
        further: Names beside the usual ones.
    """
    found = {n: os.environ[n] for n in (*PASSED_ON, *further) if n in os.environ}
    # The Python that runs leanloop, and what is installed beside it, are found first.
    own = str(Path(sys.executable).parent)
    return found | {"PATH": os.pathsep.join([own, found.get("PATH", os.defpath)])}


async def end_group(process: Process) -> None:
    """End a program that leads a session, and all that it has started there."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KILL_AFTER_S):
                await process.wait()
                return


class _Kept:
    """The first and the last of a stream."""

    def __init__(self, characters: int) -> None:
        self._half = max(characters // 2, 1)
        self._first, self._last, self._count = b"", b"", 0

    async def read(self, process: Process) -> None:
        assert process.stdout is not None
        while part := await process.stdout.read(65_536):
            self._count += len(part)
            room = self._half - len(self._first)
            self._first, part = self._first + part[:room], part[room:]
            self._last = (self._last + part)[-self._half :]

    def text(self) -> str:
        left_out = self._count - len(self._first) - len(self._last)
        middle = f"\n[{left_out} bytes left out]\n" if left_out else ""
        return (self._first + middle.encode() + self._last).decode("utf-8", "replace")
