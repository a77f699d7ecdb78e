"""The suites there are, and how a study names one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from leanloop.core.errors import BadInputError
from leanloop.core.imports import load_object, look_in
from leanloop.core.task import Split
from leanloop.suites.protocol import Suite

ENTRY_POINT_GROUP = "leanloop.suites"

Maker = Callable[[Mapping[str, object], Path], Suite]
"""Makes a suite from its options and the folder that names of files start from."""


def _of(module: str) -> Maker:
    """What ``build`` of a module makes, the module loaded only when its suite is named."""

    def make(options: Mapping[str, object], base: Path) -> Suite:
        suite: Suite = import_module(f"leanloop.suites.{module}").build(options, base)
        return suite

    return make


BUILT_IN: dict[str, Maker] = {
    "backoffice": _of("backoffice.suite"),
    "jsonl": _of("jsonl.suite"),
    "python": _of("python_tasks"),
    "command": _of("command.suite"),
    "tau": _of("tau.suite"),
    "bfcl": _of("bfcl.suite"),
    "textworld": _of("textworld.suite"),
    "inspect": _of("inspect.suite"),
}
"""Suite name to what makes it."""


@dataclass(frozen=True)
class About:
    """What is said of a suite.

    Args:
        text: What it is, in a few words.
        needs: Options without which it cannot be made; "" for none.
    """

    text: str
    needs: str = ""


ABOUT: dict[str, About] = {
    "backoffice": About("a small company's records, tasks without limit from a seed"),
    "jsonl": About("tasks of your own, a JSON line each", "file"),
    "python": About("tasks of your own, yielded by a function", "tasks"),
    "command": About("a folder that one program sets up and another checks", "file, check"),
    "tau": About("a service desk: policy, database, tools, users who go on talking", "folder"),
    "bfcl": About("BFCL's multi-turn tasks, scored by its own checker"),
    "textworld": About("text games made from a seed"),
    "inspect": About("any task of Inspect, with its tools and scorer", "task"),
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
