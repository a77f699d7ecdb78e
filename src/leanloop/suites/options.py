"""Options of a suite, as a study's file says them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from leanloop.core.errors import BadInputError

T = TypeVar("T")


def read_options(options: Mapping[str, object], type_: type[T]) -> T:
    """Options in their own type.

    Raises:
        BadInputError: One is missing, unknown or of another kind.
    """
    try:
        return msgspec.convert(dict(options), type_)
    except msgspec.ValidationError as error:
        raise BadInputError("suite.options", str(error)) from error
