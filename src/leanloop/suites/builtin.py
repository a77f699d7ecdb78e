"""The suites there are, and how a study names one."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.imports import load_object
from leanloop.core.task import Split
from leanloop.suites.backoffice.suite import BackofficeOptions, BackofficeSuite
from leanloop.suites.protocol import Suite

ENTRY_POINT_GROUP = "leanloop.suites"


def _backoffice(**options: Any) -> Suite:  # noqa: ANN401 - checked by msgspec
    try:
        return BackofficeSuite(msgspec.convert(options, BackofficeOptions))
    except msgspec.ValidationError as error:
        raise BadInputError("suite.options", str(error)) from error


def _in_package(name: str) -> Callable[..., Suite]:
    def make(**options: object) -> Suite:
        # What builds on other people's packages loads them only when it is named.
        package = importlib.import_module(f"leanloop.suites.{name}.suite")
        suite: Suite = package.build(**options)
        return suite

    return make


BUILT_IN: dict[str, Callable[..., Suite]] = {
    "backoffice": _backoffice,
    "bfcl": _in_package("bfcl"),
    "textworld": _in_package("textworld"),
    "inspect": _in_package("inspect"),
    "tau": _in_package("tau"),
}
"""Suite name to what makes it from its options."""


def build_suite(name: str, options: Mapping[str, object]) -> Suite:
    """The suite of that name: built in, of another package, or ``module:factory``.

    Raises:
        BadInputError: There is no such suite, an option is wrong, or a split is empty.
    """
    makers = dict(BUILT_IN)
    for point in entry_points(group=ENTRY_POINT_GROUP):
        makers.setdefault(point.name, point.load())
    if name not in makers and ":" not in name:
        raise BadInputError("suite.name", f"no suite {name!r}; there are {', '.join(makers)}")
    maker = makers.get(name) or load_object(name, "suite.name")
    try:
        suite: Suite = maker(**options)
    except TypeError as error:
        raise BadInputError("suite.options", f"{name} does not take them: {error}") from error
    for split in Split:
        if not suite.tasks(split):
            raise BadInputError("suite", f"{name} has no task in its {split} split")
    return suite
