"""Objects that a user names as ``module:object``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from leanloop.core.errors import BadInputError


def look_in(folder: Path) -> None:
    """Find modules in a folder too, before those that are installed."""
    here = str(folder.resolve())
    if here not in sys.path:
        # The console script's path starts at its own folder, not at the user's.
        sys.path.insert(0, here)


def load_object(name: str, where: str) -> Any:  # noqa: ANN401 - whatever the user wrote
    """The object that ``module:object`` names; modules in the current folder are found too.

    Raises:
        BadInputError: There is no such module or object, or it fails to import.
    """
    module, _, attribute = name.partition(":")
    if not (module and attribute):
        raise BadInputError(where, f"{name!r} is not of the form module:object")
    look_in(Path.cwd())
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise BadInputError(where, f"cannot load {name!r}: {error}") from error
