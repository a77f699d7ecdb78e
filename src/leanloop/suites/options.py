"""Options of a suite, as a study's file says them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from leanloop.core.fields import read_fields

T = TypeVar("T", bound=msgspec.Struct)


def read_options(options: Mapping[str, object], type_: type[T]) -> T:
    """Options in their own type.

    Raises:
        BadInputError: One is missing, unknown or of another kind.
    """
    return read_fields(options, type_, "suite.options")
