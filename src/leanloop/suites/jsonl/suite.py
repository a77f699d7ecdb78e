"""Tasks from a file of JSON lines, in the form that users have them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.imports import load_object
from leanloop.core.message import Json
from leanloop.suites.answer_check import build_check, check_of_value
from leanloop.suites.case import Case, checked
from leanloop.suites.folder import Folder, check_names
from leanloop.suites.folder_environment import FolderEnvironment
from leanloop.suites.function_tools import FunctionTools
from leanloop.suites.judge import JudgedEnvironment, JudgeOptions, JudgingSuite
from leanloop.suites.options import read_options
from leanloop.suites.protocol import Environment
from leanloop.suites.python_tasks import CaseSuite
from leanloop.suites.splitting import Draw
from leanloop.suites.table_file import Line, read_examples, read_lines


class JsonlOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The options of the suite.

    Attributes:
        file: The tasks, from the study's own folder.
        instructions: The system text that every task shares.
        holdout: Share of the tasks to hold out, by groups, where a line names no split.
        seed: Of that draw.
        tools: ``module:LIST``: plain functions that every task may call; calls must
            change nothing, since all runs share them.
        fields: Names of a line's fields, where the file has others, such as
            ``{ prompt = "question" }``.
        examples: Worked examples as JSON lines, for the lever ``planning.examples``: each with
            ``prompt``, ``steps`` (``tool``, ``arguments``, ``result``) and ``answer``.
        judge: The model that scores what a line's check leaves to a judge.
        ordered: Whether the lines are a stream in their order, for levers that carry
            something over from task to task.
    """

    file: str
    instructions: str = "Answer with the value alone."
    holdout: float = 0.4
    seed: int = 0
    tools: str | None = None
    fields: dict[str, str] = {}
    examples: str | None = None
    judge: JudgeOptions | None = None
    ordered: bool = False


class JsonlTask(msgspec.Struct, frozen=True):
    """A line. Other fields may stand in it.

    Attributes:
        prompt: What the user asks.
        id: Unique and stable; a digest of the prompt when it is missing.
        expected: What the answer should be: text, number, list (a set) or object.
        check: How else an answer is scored: see ``leanloop.suites.answer_check``; or
            ``{"judge": "what a right answer has"}``.
        files: Name to text, or names of files beside the JSONL file: the task's folder.
        tags: The first is the kind of task.
        group: Tasks of one group are never parted between the splits.
        split: ``search`` or ``holdout``; drawn by group and seed when missing.
    """

    prompt: str
    id: str | int = ""
    expected: Json = msgspec.UNSET
    check: dict[str, Json] | None = None
    files: dict[str, str] | list[str] = {}
    tags: list[str] = []
    group: str | int = ""
    split: str | None = None


def build(options: Mapping[str, object], base: Path) -> CaseSuite:
    """The suite that a study names.

    Args:
        options: See ``JsonlOptions``.
        base: The folder that the file's name starts from.

    Raises:
        BadInputError: A file or a line cannot be used; file and line are named.
    """
    wanted = read_options(options, JsonlOptions)
    path = base / wanted.file
    tools = _functions(wanted.tools)
    lines = list(read_lines(path, JsonlTask, wanted.fields))
    cases = [_case(line, path.parent, tools, wanted.judge) for line in lines]
    if wanted.ordered:
        cases = [replace(case, stream=path.stem) for case in cases]
    examples = read_examples(None if wanted.examples is None else base / wanted.examples)
    common = wanted.instructions, cases, Draw(wanted.holdout, wanted.seed), examples
    if wanted.judge is None:
        return CaseSuite("jsonl", *common)
    return JudgingSuite("jsonl", *common, judge=(wanted.judge, base))


def _functions(name: str | None) -> Sequence[Callable[..., Any]]:
    if name is None:
        return ()
    found = load_object(name, "suite.options.tools")
    if callable(found):
        found = [found]
    if not isinstance(found, list | tuple) or not all(map(callable, found)):
        raise BadInputError("suite.options.tools", f"{name!r} is no list of functions")
    return found


def _case(
    line: Line[JsonlTask],
    folder: Path,
    tools: Sequence[Callable[..., Any]],
    judge: JudgeOptions | None,
) -> Case:
    task, where = line.value, line.where
    verify, rubric = _verifier(task, where, judge)
    check_names(task.files, where)
    texts = _texts(task.files, folder, where)
    make: Callable[[], Environment] = partial(_open, tools, verify, texts)
    if rubric is not None and judge is not None:
        make = partial(JudgedEnvironment, make, task.prompt, rubric, judge)
    make().close()
    return Case(
        prompt=task.prompt,
        environment=make,
        id=str(task.id),
        group=str(task.group),
        tags=task.tags,
        split=task.split,
        graded_by=json.dumps([line.raw.get("expected"), line.raw.get("check"), task.files]),
        where=where,
    )


def _open(
    tools: Sequence[Callable[..., Any]],
    verify: Callable[[str | None], float],
    texts: dict[str, str],
) -> Environment:
    if not texts:
        return FunctionTools(tools, verify, read_only=True)
    folder = Folder()
    folder.fill(texts)
    functions: list[Callable[..., Any]] = [folder.list_files, folder.read_file, *tools]
    return FolderEnvironment(folder, functions, verify, read_only=True)


def _verifier(
    task: JsonlTask, where: str, judge: JudgeOptions | None
) -> tuple[Callable[[str | None], float], str | None]:
    """What scores an answer, and what a judge is told, where one scores it."""
    if (task.expected is msgspec.UNSET) == (task.check is None):
        raise BadInputError(where, "a task takes expected or check, one of them")
    if task.check is None:
        return checked(build_check(check_of_value(task.expected), where)), None
    if "judge" not in task.check:
        return checked(build_check(task.check, where)), None
    if judge is None:
        raise BadInputError(where, "a judge is asked for; name its model: suite.options.judge")
    return lambda _: 0.0, str(task.check["judge"])


def _texts(files: dict[str, str] | list[str], folder: Path, where: str) -> dict[str, str]:
    if isinstance(files, dict):
        return files
    try:
        return {name: (folder / name).read_text(encoding="utf-8") for name in files}
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "is not a text file in UTF-8"
        raise BadInputError(where, f"files: {getattr(error, 'filename', '')}: {said}") from error
