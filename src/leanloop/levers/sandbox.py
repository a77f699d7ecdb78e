"""Run a small program in an interpreter that reaches nothing but the functions it is given."""

from __future__ import annotations

import datetime
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from pydantic_monty import (
    AsyncFunctionSnapshot,
    AsyncMonty,
    AsyncNameLookupSnapshot,
    AsyncSnapshot,
    CollectString,
    ExternalExceptionData,
    MontyComplete,
    MontyError,
    MontyRuntimeError,
    MontySyntaxError,
    OSPolicy,
    ResourceLimits,
)

from leanloop.core.message import Json

MAX_CHARS = 20_000
MAX_ERROR_CHARS = 2_000
MAX_SECONDS = 2.0
MAX_BYTES = 64_000_000
MAX_DEPTH = 200
MAX_PAUSES = 1_000
# A program that asks for the time must not differ from run to run.
NOW = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)

Function: TypeAlias = Callable[[Sequence[Json], Mapping[str, Json]], Awaitable[Json]]
"""What a program can call: takes its positional and its named arguments."""


class CallError(Exception):
    """A call failed; raised by a function for the program to catch, as a ``RuntimeError``."""


class ProgramError(Exception):
    """A program gave no result; the message tells its author why."""


async def run_program(code: str, functions: Mapping[str, Function], seed: int) -> str:
    """What a program returns, or prints when it returns nothing, as text or JSON.

    The interpreter is Monty, which is not Python's own: it has no files, no network and
    no clock, and lives in a process of its own. The program may work 2 s, the time in
    which it waits for a function left out, use 64 MB, and give 20 000 characters.

    Args:
        code: In Python, as far as Monty knows it; ``return`` may stand at the top.
        functions: By the names that the program has for them; called without ``await``.
        seed: For its random numbers.

    Raises:
        ProgramError: It failed, passed a limit, or returned what is not JSON. A function
            may raise it to end the program.
    """
    limits: ResourceLimits = {
        "max_feed_duration_secs": MAX_SECONDS,
        "max_memory": MAX_BYTES,
        "max_recursion_depth": MAX_DEPTH,
        "max_suspensions": MAX_PAUSES,
    }
    policy: OSPolicy = {"datetime": NOW, "sleep": "zero", "random_start": {"seed": seed}}
    printed = CollectString(max_bytes=MAX_BYTES)
    try:
        async with (
            AsyncMonty(max_processes=1) as pool,
            pool.checkout(limits=limits, os_policy=policy) as session,
        ):
            pause = await session.feed_start(_encodable(code), print_callback=printed)
            while not isinstance(pause, MontyComplete):
                pause = await _go_on(pause, functions)
            return _shown(pause.output, printed.output)
    except MontyError as error:
        raise ProgramError(_problem(error)) from None


async def _go_on(
    pause: AsyncSnapshot, functions: Mapping[str, Function]
) -> AsyncSnapshot | MontyComplete:
    """Give the program what it waits for."""
    if isinstance(pause, AsyncNameLookupSnapshot):
        if pause.variable_name not in functions:
            return await pause.resume()
        return await pause.resume(value=_reference(pause.variable_name))
    if not isinstance(pause, AsyncFunctionSnapshot):
        raise ProgramError("the program waits for something that never comes")
    if pause.is_os_function:
        return await pause.resume_not_handled()
    function = functions.get(pause.function_name)
    if function is None:
        return await pause.resume(_raised("NameError", f"no function {pause.function_name}()"))
    try:
        positional, named = _plain([list(pause.args), pause.kwargs])
        value = await function(positional, named)
    except CallError as error:
        return await pause.resume(_raised("RuntimeError", _encodable(str(error))))
    return await pause.resume({"return_value": value})


def _raised(kind: Literal["NameError", "RuntimeError"], message: str) -> ExternalExceptionData:
    return {"exc_type": kind, "message": message}


def _reference(name: str) -> Callable[[], None]:
    """What the interpreter takes for a function where the program only names it."""

    def function() -> None:
        raise NotImplementedError  # its calls come as pauses instead

    function.__name__ = function.__qualname__ = name
    return function


def _shown(value: Json, printed: str) -> str:
    if value is None:
        text = printed or "The program returned nothing: end it with return."
    elif isinstance(value, str):
        text = value
    else:
        try:
            text = _json(value)
        except (TypeError, ValueError):
            raise ProgramError("return text, numbers, lists or dicts, and nothing else") from None
    if len(text) > MAX_CHARS:
        raise ProgramError(f"the result has more than {MAX_CHARS} characters: return less")
    return text


def _plain(arguments: Json) -> Json:
    try:
        return json.loads(_json(arguments))
    except (TypeError, ValueError):
        raise CallError("arguments must be text, numbers, lists or dicts") from None


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, default=_listed)


def _listed(value: object) -> Json:
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)  # a set's own order differs from process to process
    raise TypeError(type(value).__name__)


def _encodable(text: str) -> str:
    return text.encode(errors="replace").decode()


def _problem(error: MontyError) -> str:
    """Why a program failed: the same words each time, so no measured seconds or bytes."""
    cause = error.exception()
    if isinstance(cause, TimeoutError):
        return f"the program worked longer than {MAX_SECONDS:g} s"
    if isinstance(cause, MemoryError):
        return f"the program needed more than {MAX_BYTES} bytes"
    if isinstance(error, MontyRuntimeError | MontySyntaxError):
        return error.display()[-MAX_ERROR_CHARS:]
    return str(error)[-MAX_ERROR_CHARS:]
