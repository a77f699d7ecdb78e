"""The suites there are, and how a study names one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeVar

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.imports import load_object, look_in
from leanloop.core.task import Split
from leanloop.suites.protocol import Suite

ENTRY_POINT_GROUP = "leanloop.suites"
O = TypeVar("O")  # noqa: E741 - the options

Maker = Callable[[Mapping[str, object], Path], Suite]
"""Makes a suite from its options and the folder that names of files start from."""


def _read(options: Mapping[str, object], type_: type[O]) -> O:
    try:
        return msgspec.convert(dict(options), type_)
    except msgspec.ValidationError as error:
        raise BadInputError("suite.options", str(error)) from error


def _backoffice(options: Mapping[str, object], base: Path) -> Suite:
    from leanloop.suites.backoffice.suite import (  # noqa: PLC0415 - only the one that is named
        BackofficeOptions,
        BackofficeSuite,
    )

    del base
    return BackofficeSuite(_read(options, BackofficeOptions))


def _jsonl(options: Mapping[str, object], base: Path) -> Suite:
    from leanloop.suites.jsonl.suite import (  # noqa: PLC0415 - only the one that is named
        JsonlOptions,
        build_jsonl_suite,
    )

    return build_jsonl_suite(_read(options, JsonlOptions), base)


def _python(options: Mapping[str, object], base: Path) -> Suite:
    from leanloop.suites.python_tasks import (  # noqa: PLC0415 - only the one that is named
        PythonOptions,
        build_python_suite,
    )

    return build_python_suite(_read(options, PythonOptions), base)


def _command(options: Mapping[str, object], base: Path) -> Suite:
    from leanloop.suites.command.suite import (  # noqa: PLC0415 - only the one that is named
        CommandOptions,
        build_command_suite,
    )

    return build_command_suite(_read(options, CommandOptions), base)


BUILT_IN: dict[str, Maker] = {
    "backoffice": _backoffice,
    "jsonl": _jsonl,
    "python": _python,
    "command": _command,
}
"""Suite name to what makes it."""


@dataclass(frozen=True)
class About:
    """What is said of a suite.

    Args:
        text: What it is, in a few words.
        needs: Options or extras without which it cannot be made; "" for none.
    """

    text: str
    needs: str = ""


ABOUT: dict[str, About] = {
    "backoffice": About("a small company's records, tasks without limit from a seed"),
    "jsonl": About("tasks of your own, a JSON line each", "file"),
    "python": About("tasks of your own, yielded by a function", "tasks"),
    "command": About("a folder that one program sets up and another checks", "file, check"),
}
"""What is said of each of them."""


def build_suite(name: str, options: Mapping[str, object], base: Path | None = None) -> Suite:
    """The suite of that name: built in, of another package, or ``module:factory``.

    Args:
        name: Which.
        options: What it is made from.
        base: The folder that names of files start from; the current one when None.

    Raises:
        BadInputError: There is no such suite, an option is wrong, or a split is empty.
    """
    place = base or Path()
    look_in(place)
    suite = _build(name, options, place)
    for split in Split:
        if not suite.tasks(split):
            raise BadInputError("suite", f"{name} has no task in its {split} split")
    return suite


def _build(name: str, options: Mapping[str, object], base: Path) -> Suite:
    built_in = BUILT_IN.get(name)
    if built_in is not None:
        return built_in(options, base)
    others = {p.name: p for p in entry_points(group=ENTRY_POINT_GROUP)}
    if name not in others and ":" not in name:
        known = ", ".join([*BUILT_IN, *others])
        raise BadInputError("suite.name", f"no suite {name!r}; there are {known}")
    maker = others[name].load() if name in others else load_object(name, "suite.name")
    try:
        suite: Suite = maker(**options)
    except TypeError as error:
        raise BadInputError("suite.options", f"{name} does not take them: {error}") from error
    return suite
