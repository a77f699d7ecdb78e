"""Tasks in a folder: one program sets it up, the agent works in it, one program checks it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.suites.case import Case
from leanloop.suites.command.environment import CheckedFolder, FolderTask
from leanloop.suites.folder import check_names
from leanloop.suites.limited_program import ProgramLimits, passed_on
from leanloop.suites.options import read_options
from leanloop.suites.python_tasks import CaseSuite
from leanloop.suites.splitting import Draw
from leanloop.suites.table_file import Line, read_examples, read_lines


class CommandOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The options of the suite.

    Attributes:
        file: The tasks as JSON lines, from the study's own folder.
        setup: Shell command that sets each task's folder up; none when empty.
        check: Shell command that checks it; exit code 0 is success.
        folder: A folder whose contents each task starts with, from the study's own.
        instructions: The system text that every task shares.
        shell: Whether the agent has a tool ``run`` for shell commands. They run with your
            rights, in the folder, without your keys; not in a sandbox.
        protect: Files that are put back before the check, such as ``tests/**``.
        env: Environment variables that set-up and check may see beside the usual ones.
        timeout_s: Seconds of each program.
        memory_mb: Megabytes of address space of each process.
        holdout: Share of the tasks to hold out, by groups, where a line names no split.
        seed: Of that draw.
        fields: Names of a line's fields, where the file has others.
        examples: Worked examples as JSON lines, for the lever ``planning.examples``: each with
            ``prompt``, ``steps`` (``tool``, ``arguments``, ``result``) and ``answer``.
    """

    file: str
    setup: str = ""
    check: str = ""
    folder: str | None = None
    instructions: str = (
        "You work in a folder of files. Use the tools to look at them and to change them until "
        "the task is done. Then say in a sentence what you did."
    )
    shell: bool = False
    protect: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    timeout_s: float = 60.0
    memory_mb: int = 2048
    holdout: float = 0.4
    seed: int = 0
    fields: dict[str, str] = {}
    examples: str | None = None


class CommandTask(msgspec.Struct, frozen=True):
    """A line, which may have other fields too.

    Both programs see the whole line in ``LEANLOOP_TASK``, and in ``LEANLOOP_BASE`` where the
    study's own folder is.

    Attributes:
        prompt: What the user asks.
        id: Unique and stable; a digest of the prompt when it is missing.
        setup: In the place of the suite's.
        check: In the place of the suite's.
        folder: In the place of the suite's.
        files: Name to text, put into the folder.
        tags: The first is the kind of task.
        group: Tasks of one group are never parted between the splits.
        split: ``search`` or ``holdout``; drawn by group and seed when missing.
    """

    prompt: str
    id: str | int = ""
    setup: str | None = None
    check: str | None = None
    folder: str | None = None
    files: dict[str, str] = {}
    tags: list[str] = []
    group: str | int = ""
    split: str | None = None


def build(options: Mapping[str, object], base: Path) -> CaseSuite:
    """The suite that a study names.

    Args:
        options: See ``CommandOptions``.
        base: The folder that names of files start from.

    Raises:
        BadInputError: A file or a line cannot be used; file and line are named.
    """
    wanted = read_options(options, CommandOptions)
    _check(wanted)
    path = base / wanted.file
    lines = read_lines(path, CommandTask, wanted.fields)
    cases = [_case(line, wanted, base) for line in lines]
    examples = read_examples(None if wanted.examples is None else base / wanted.examples)
    draw = Draw(wanted.holdout, wanted.seed)
    return CaseSuite("command", wanted.instructions, cases, draw, examples)


def _check(options: CommandOptions) -> None:
    for name in ("timeout_s", "memory_mb"):
        if not getattr(options, name) > 0:
            raise BadInputError(f"suite.options.{name}", "takes more than 0")


def _case(line: Line[CommandTask], options: CommandOptions, base: Path) -> Case:
    task, where = line.value, line.where
    check = options.check if task.check is None else task.check
    if not check.strip():
        raise BadInputError(where, "names no check, and neither does suite.options.check")
    check_names(task.files, where)
    folder = task.folder or options.folder
    source = None if folder is None else (base / folder).resolve()
    if source is not None and not source.is_dir():
        raise BadInputError(where, f"no such folder: {folder}")
    about = FolderTask(
        setup=options.setup if task.setup is None else task.setup,
        check=check,
        source=source,
        files=task.files,
        protect=options.protect,
        shell=options.shell,
        variables=_variables(line, options, base),
        limits=ProgramLimits(options.timeout_s, options.memory_mb),
        where=where,
    )
    return Case(
        prompt=task.prompt,
        environment=partial(CheckedFolder, about),
        id=str(task.id),
        group=str(task.group),
        tags=task.tags,
        split=task.split,
        graded_by=json.dumps([about.setup, about.check, _own(line)], sort_keys=True),
        where=where,
    )


def _own(line: Line[CommandTask]) -> dict[str, object]:
    """What a line tells the programs, without what only sorts it."""
    sorting = ("id", "prompt", "tags", "group", "split")
    return {name: value for name, value in line.raw.items() if name not in sorting}


def _variables(line: Line[CommandTask], options: CommandOptions, base: Path) -> dict[str, str]:
    return {
        **passed_on(options.env),
        "LEANLOOP_TASK": json.dumps(line.raw),
        "LEANLOOP_BASE": str(base.resolve()),
    }
