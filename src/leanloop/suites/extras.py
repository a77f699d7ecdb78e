"""Packages that a suite needs and leanloop does not."""

from __future__ import annotations

import importlib.util
from typing import Any

from leanloop.core.errors import BadInputError


def needed(module: str, suite: str, remedy: str) -> Any:  # noqa: ANN401 - others' code, often untyped
    """A module of an optional package.

    Args:
        module: Its dotted name.
        suite: The suite that needs it.
        remedy: What to install.

    Raises:
        BadInputError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise BadInputError(f"suite {suite}", f"{remedy} ({error})") from error


def check_installed(module: str, suite: str, remedy: str) -> None:
    """Refuse to go on without an optional package, without the time that loading it takes.

    Args:
        module: Its name.
        suite: The suite that needs it.
        remedy: What to install.

    Raises:
        BadInputError: It is not installed.
    """
    if importlib.util.find_spec(module) is None:
        raise BadInputError(f"suite {suite}", remedy)
