"""Commands of leanloop, each in a process of its own that need not load everything anew.

A server that has loaded every command forks for each. Loading takes most of the time of a command
that refuses its input, of which the tests make hundreds. That a command starts from nothing too is
seen in ``tests/cli/test_start.py`` and ``tests/cli/test_doctor.py``.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess

from leanloop.cli.app import COMMANDS
from leanloop.cli.start import main

TIMEOUT_S = 120
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    ["tests.command_line", *(f"leanloop.cli.{name}" for name in COMMANDS)]
)


def leanloop(
    *arguments: object, cwd: Path | None = None, **environment: str
) -> CompletedProcess[str]:
    """Run a command to its end.

    Args:
        arguments: Behind ``leanloop``.
        cwd: The folder to run it in.
        environment: Variables beside those of the tests.
    """
    said = [str(a) for a in arguments]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(cwd or Path.cwd())
        asked = (said, place, dict(os.environ) | environment, Path(folder))
        process = _SERVER.Process(target=_command, args=asked)
        process.start()
        process.join(TIMEOUT_S)
        if process.exitcode is None:
            process.kill()
            process.join()
        out, errors = ((Path(folder) / name).read_text() for name in ("out", "errors"))
        return CompletedProcess(said, process.exitcode or 0, out, errors)


def _command(arguments: list[str], cwd: Path, environment: Mapping[str, str], folder: Path) -> None:
    for name, stream in (("out", 1), ("errors", 2)):
        with (folder / name).open("wb") as file:
            os.dup2(file.fileno(), stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.path.insert(0, str(cwd))
    sys.argv = ["leanloop", *arguments]
    main()
