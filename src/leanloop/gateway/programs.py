"""What runs an outside agent on one task: a command, or a function."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from leanloop.core.errors import BadInputError, ModelError
from leanloop.core.imports import load_object
from leanloop.core.message import Json, Request, Response, ToolCall, ToolSpec
from leanloop.core.task import Task
from leanloop.suites.limited_program import end_group
from leanloop.suites.protocol import Ask, Environment
from leanloop.suites.testing import replied

LONGEST_ANSWER = 1_000_000
"""Characters of a program's output that are taken as its answer, the last ones."""
SHOWN = 300
"""Characters of what a program wrote to standard error that a run keeps."""


class ProgramError(Exception):
    """The agent failed.

    Args:
        text: Why.
        answer: What it had answered until then.
    """

    def __init__(self, text: str, answer: str | None = None) -> None:
        super().__init__(text)
        self.answer = answer


async def nobody(request: Request) -> Response:
    """Queries no model."""
    raise ModelError(f"model {request.model!r} cannot be queried here")


@dataclass(frozen=True)
class AgentRun:
    """What an outside agent gets to know of one run.

    Args:
        task: What it is to do.
        environment: The task's tools and state.
        url: The gateway's address; ``OPENAI_BASE_URL`` is this with ``/v1`` behind it.
        api_key: The key of this run.
        model: The name of the model to ask for.
        ask: Queries a model for the task's user, where that is one.
    """

    task: Task
    environment: Environment
    url: str
    api_key: str
    model: str
    ask: Ask = nobody

    @property
    def prompt(self) -> str:
        """What the user asks."""
        return self.task.prompt

    @property
    def base_url(self) -> str:
        """The address for OpenAI's clients."""
        return f"{self.url}/v1"

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """The task's tools."""
        return self.environment.tools

    @property
    def folder(self) -> Path | None:
        """The folder that the task is about, where it is about one."""
        return getattr(self.environment, "folder", None)

    async def reply(self, answer: str) -> str | None:
        """What the task's user says to an answer; None when there is nothing more to say."""
        return await replied(self.environment, answer, self.ask)

    async def call(self, name: str, arguments: dict[str, Json]) -> str:
        """Call one of the task's tools; what it returns, or what is wrong with the call."""
        return (await self.environment.call(ToolCall("call", name, arguments))).text


class Program(Protocol):
    """Runs an agent on one task."""

    async def run(self, run: AgentRun) -> str:
        """Its answer.

        Raises:
            ProgramError: It failed.
        """


@dataclass(frozen=True)
class Command:
    """A program that is started for each run, in the task's folder or a fresh one.

    It finds in its environment: ``OPENAI_BASE_URL``, ``OPENAI_API_KEY``,
    ``ANTHROPIC_BASE_URL``, ``ANTHROPIC_API_KEY``, ``LEANLOOP_MODEL`` (the model to ask for),
    ``LEANLOOP_PROMPT``, ``LEANLOOP_TASK`` (the task as JSON) and ``LEANLOOP_FOLDER``. What it
    writes to standard output is its answer. It must exit with 0.

    Args:
        arguments: The command line; files that are there when the study starts are named
            by their whole path.
    """

    arguments: tuple[str, ...]

    async def run(self, run: AgentRun) -> str:
        """Start it, and wait for its end; what it started itself ends with it."""
        fresh = None if run.folder is not None else tempfile.mkdtemp(prefix="leanloop-run-")
        folder = run.folder or Path(str(fresh))
        process = await asyncio.create_subprocess_exec(
            *self.arguments,
            cwd=folder,
            env={**os.environ, **_variables(run, folder)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            out, err = await process.communicate()
        finally:
            await end_group(process)
            if fresh is not None:
                shutil.rmtree(fresh, ignore_errors=True)
        answer = out.decode("utf-8", "replace").strip()[-LONGEST_ANSWER:]
        if process.returncode:
            said = " ".join(err.decode("utf-8", "replace").replace(run.api_key, "[key]").split())
            raise ProgramError(f"exit {process.returncode}: {said[-SHOWN:]}", answer)
        return answer


def _variables(run: AgentRun, folder: Path) -> dict[str, str]:
    task = {"task_id": run.task.task_id, "prompt": run.prompt, "family": run.task.family}
    return {
        "OPENAI_BASE_URL": run.base_url,
        "OPENAI_API_BASE": run.base_url,
        "OPENAI_API_KEY": run.api_key,
        "ANTHROPIC_BASE_URL": run.url,
        "ANTHROPIC_API_KEY": run.api_key,
        "LEANLOOP_MODEL": run.model,
        "LEANLOOP_PROMPT": run.prompt,
        "LEANLOOP_TASK": json.dumps(task),
        "LEANLOOP_FOLDER": str(folder),
    }


@dataclass(frozen=True)
class Function:
    """A function of the user's: takes an AgentRun, returns the answer.

    Args:
        function: Coroutine function or plain one; a plain one runs in a thread.
    """

    function: Callable[[AgentRun], Awaitable[object] | object]

    async def run(self, run: AgentRun) -> str:
        """Call it."""
        try:
            if inspect.iscoroutinefunction(self.function):
                answer = await self.function(run)
            else:
                answer = await asyncio.to_thread(self.function, run)
        except Exception as error:  # whatever an agent raises is a result
            said = str(error).replace(run.api_key, "[key]")
            raise ProgramError(f"{type(error).__name__}: {said}") from error
        return "" if answer is None else str(answer)


def build_program(command: str | None, python: str | None) -> Program:
    """The program that a study names.

    Raises:
        BadInputError: It names none, or both, or one that is not there.
    """
    if (command is None) == (python is None):
        raise BadInputError("agent", "takes command or python")
    if python is not None:
        function = load_object(python, "agent.python")
        if not callable(function):
            raise BadInputError("agent.python", f"{python!r} is no function")
        return Function(function)
    try:
        arguments = shlex.split(command or "")
    except ValueError as error:
        raise BadInputError("agent.command", str(error)) from None
    if not arguments or shutil.which(arguments[0]) is None:
        raise BadInputError("agent.command", f"no such program: {command!r}")
    arguments[0] = str(shutil.which(arguments[0]))
    return Command(tuple(_whole(a) for a in arguments))


def _whole(argument: str) -> str:
    """A file's whole path, since the program runs in another folder."""
    path = Path(argument)
    return str(path.absolute()) if path.exists() else argument
