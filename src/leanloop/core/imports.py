"""Objects that a user names as ``module:object``."""

from __future__ import annotations

import importlib
from typing import Any

from leanloop.core.errors import BadInputError


def load_object(name: str, where: str) -> Any:  # noqa: ANN401 - whatever the user wrote
    """The object that ``module:object`` names.

    Raises:
        BadInputError: There is no such module or object, or it fails to import.
    """
    module, _, attribute = name.partition(":")
    if not (module and attribute):
        raise BadInputError(where, f"{name!r} is not of the form module:object")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise BadInputError(where, f"cannot load {name!r}: {error}") from error
