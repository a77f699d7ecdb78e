"""The fenced blocks of the documentation's pages, and what has to be true of each.

Above a block a page may say, in comments that no reader sees:

- ``<!-- file: NAME -->``: the block is that file of the page's folder.
- ``<!-- run -->``: the commands of the block are carried out there.
- ``<!-- needs suite: NAME -->``: they are, once leanloop has that suite.
- ``<!-- output -->``: every line of the block is one that the last block that ran has printed.
- ``<!-- output: FILE -->``: every line of the block stands in that file of the repository.
- ``<!-- not run: REASON -->``: the block cannot be run here. Commands of leanloop are parsed and
  Python is compiled all the same.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import typer

from leanloop.cli.app import COMMANDS
from leanloop.core.errors import BadInputError
from leanloop.gateway.settings import settings_of
from leanloop.search.spec import StudySpec, check_study

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
SHELL = ("", "sh", "console")
OUTPUT = ("text", "html")
FENCE = re.compile(r"^ {0,3}```([\w-]*)\s*$")
MARK = re.compile(r"^<!-- (file|run|needs suite|output|not run)(?:: (.+?))? -->$")
SHELL_WORDS = ("export", "cd", "mkdir", "cp", "cat", "printf", "echo")
MODELS = {"small": {"provider": "scripted", "name": "x:y"}}


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Args:
        page: Its page, from the repository's folder.
        line: Of its first fence, from 1.
        language: As the fence says it; empty for none.
        text: What is between the fences.
        marks: What the comments above it say.
    """

    page: str
    line: int
    language: str
    text: str
    marks: Mapping[str, str]

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


class BadBlockError(Exception):
    """A block that is wrong, or that nobody can check and that does not say why."""


def blocks_of(text: str, page: str) -> list[Block]:
    """The blocks of a page, in order."""
    found: list[Block] = []
    marks: dict[str, str] = {}
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        fence, mark = FENCE.match(line), MARK.match(line)
        if fence is not None:
            inside = "".join(f"{more}\n" for more in _until_fence(lines, page, number))
            found.append(Block(page, number, fence[1], inside, marks))
            marks = {}
        elif mark is not None:
            if mark[1] not in ("run", "output") and not mark[2]:
                raise BadBlockError(f"{page}:{number}: say what after {mark[1]!r}")
            marks = {**marks, mark[1]: mark[2] or ""}
        elif line.strip():
            if marks:
                raise BadBlockError(f"{page}:{number}: a mark is right above its block")
            if line.lstrip().startswith("<!-- ") and re.match(
                r"<!-- \s*(not )?run\b", line.strip()
            ):
                raise BadBlockError(f"{page}:{number}: no such mark: {line}")
    return found


def _until_fence(lines: Iterator[tuple[int, str]], page: str, start: int) -> Iterator[str]:
    for _, line in lines:
        if line.strip() == "```":
            return
        yield line
    raise BadBlockError(f"{page}:{start}: a block without an end")


def check(block: Block) -> None:
    """Hold a block to what can be said of it without running it.

    Raises:
        BadBlockError: It is wrong, or cannot be checked and does not say why.
    """
    try:
        _check(block)
    except (BadInputError, ValueError, SyntaxError, typer.TyperException) as error:
        raise BadBlockError(f"{block.where}: {error}") from error


def _check(block: Block) -> None:
    if block.language in SHELL:
        for words in commands_of(block.text):
            _check_command(words, excused="not run" in block.marks)
    elif block.language == "toml":
        check_toml(tomllib.loads(block.text))
    elif block.language == "python":
        ast.parse(block.text)
    elif block.language == "json":
        json.loads(block.text)
    elif block.language in ("jsonl", "csv"):
        if block.language == "jsonl":
            [json.loads(line) for line in block.text.splitlines()]
    elif block.language not in OUTPUT and "not run" not in block.marks:
        raise ValueError(f"a block of {block.language!r} cannot be checked: say why it is not run")


def check_toml(table: dict[str, Any]) -> None:
    """A whole study is a study, a part of one fits into one, and the rest is a gateway's file."""
    fields = {f.name for f in msgspec.structs.fields(StudySpec)}
    if {*table} <= fields and not _is_configuration(table):
        whole = "name" in table and {"suite", "models"} & {*table}
        rest = {} if whole else {"name": "x", "models": MODELS}
        try:
            spec = msgspec.convert({**rest, **table}, StudySpec, strict=False)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from error
        check_study(spec)
    elif "project" not in table:
        settings_of(table, "block")


def _is_configuration(table: Mapping[str, Any]) -> bool:
    """``memory.keep_turns = 4`` is a lever; ``[memory] bound = 4`` is a study's."""
    own = {f.name for f in msgspec.structs.fields(StudySpec)} - {"memory"}
    memory = table.get("memory")
    return (
        not own & {*table} and isinstance(memory, dict) and not {"bound", "learn_from"} & {*memory}
    )


def commands_of(text: str) -> list[list[str]]:
    """The commands of a shell block as words, without prompts, comments and what follows ``|``."""
    found, held = [], ""
    for line in text.splitlines():
        held = f"{held}\n{line}" if held else line.removeprefix("$ ")
        try:
            words = shlex.split(held.replace("\\\n", " "), comments=True)
        except ValueError:
            continue
        if held.endswith("\\"):
            continue
        held = ""
        if words:
            found.append(words)
    if held:
        raise ValueError(f"a command without an end: {held}")
    return found


def _check_command(words: list[str], *, excused: bool) -> None:
    rest = list(words)
    while rest and re.fullmatch(r"[A-Z_]+=.*", rest[0], re.DOTALL):
        rest = rest[1:]
    cut = next((i for i, w in enumerate(rest) if w in ("|", ">", "&&", ">>")), len(rest))
    program, arguments = (rest[0], rest[1:cut]) if rest else ("export", [])
    if Path(program).name == "leanloop":
        check_leanloop(arguments)
    elif not excused and not _is_known(program, arguments):
        raise ValueError(f"nobody knows {' '.join(words)!r}: say why it is not run")


def check_leanloop(arguments: list[str]) -> None:
    """The real command line takes these words.

    Raises:
        typer.TyperException: It does not.
    """
    if not arguments or arguments[0] not in COMMANDS:
        raise ValueError(f"no such command: leanloop {' '.join(arguments)}")
    name, *rest = arguments
    module = importlib.import_module(f"leanloop.cli.{name}")
    app = typer.Typer()
    app.command(name)(getattr(module, name))
    if rest != ["--help"]:
        typer.main.get_command(app).make_context(name, list(rest))


def _is_known(program: str, arguments: list[str]) -> bool:
    if program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
        return {*arguments} <= {*targets}
    if program in ("pip", "uv"):
        return _installs_leanloop(arguments)
    if program == "python" and arguments[:1] == ["-m"]:
        return importlib.util.find_spec(arguments[1]) is not None
    if program == "mkdocs":
        return arguments[:1] in (["build"], ["serve"])
    return program in SHELL_WORDS


def _installs_leanloop(arguments: list[str]) -> bool:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    named = [a for a in arguments if not a.startswith("-") and a not in ("install", "pip")]
    matches = [re.fullmatch(r"(?:leanloop|\.)(?:\[([\w,-]+)\])?", a) for a in named]
    return bool(named) and all(
        m is not None and (m[1] is None or {*m[1].split(",")} <= {*extras}) for m in matches
    )
