"""Which settings a lever accepts."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import Protocol, TypeGuard

from leanloop.core.configuration import OFF, Setting
from leanloop.core.errors import BadInputError


class Domain(Protocol):
    """The settings that a lever accepts besides ``off``."""

    def accepts(self, value: object) -> bool:
        """Whether the value is a setting of the lever."""

    def __str__(self) -> str:
        """The settings in a few words."""


@dataclass(frozen=True)
class Choice:
    """One of a few named values."""

    values: tuple[Setting, ...]

    def accepts(self, value: object) -> bool:
        """Whether the value is one of them, and of the same type."""
        return any(value == v and type(value) is type(v) for v in self.values)

    def __str__(self) -> str:
        return " | ".join(str(v) for v in self.values)


@dataclass(frozen=True)
class IntRange:
    """A whole number from ``low`` to ``high``, both included."""

    low: int
    high: int

    def accepts(self, value: object) -> bool:
        """Whether the value is a whole number in the range; a bool is not."""
        return (
            isinstance(value, int)
            and not isinstance(value, bool)
            and (self.low <= value <= self.high)
        )

    def __str__(self) -> str:
        return f"{self.low} to {self.high}"


@dataclass(frozen=True)
class NumberRange:
    """A number, whole or not, from ``low`` to ``high``, both included."""

    low: float
    high: float

    def accepts(self, value: object) -> bool:
        """Whether the value is a number in the range; a bool is not."""
        return _is_number(value) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Positive:
    """A finite number above 0, whole or not.

    Args:
        unit: What it counts, in the plural.
    """

    unit: str

    def accepts(self, value: object) -> bool:
        """Whether the value is a finite number above 0; a bool is not."""
        return _is_number(value) and value > 0

    def __str__(self) -> str:
        return f"{self.unit} above 0"


@dataclass(frozen=True)
class ModelName:
    """The name that a study gives to one of its models."""

    def accepts(self, value: object) -> bool:
        """Whether the value is a name; the study checks that the model exists."""
        return isinstance(value, str) and value != ""

    def __str__(self) -> str:
        return "a model of the study"


@dataclass(frozen=True)
class Count:
    """A whole number from 1 to ``most``, or the same behind a word, such as ``open:2``.

    Args:
        most: Upper bound, inclusive.
        word: The word, with its colon.
    """

    most: int
    word: str

    def read(self, value: object) -> tuple[int, bool] | None:
        """The number, and whether the word stands before it; None when it is no setting."""
        if isinstance(value, bool) or not isinstance(value, int | str):
            return None
        match = re.fullmatch(rf"({re.escape(self.word)})?(\d+)", str(value))
        if match is None or not 1 <= int(match[2]) <= self.most:
            return None
        return int(match[2]), bool(match[1])

    def accepts(self, value: object) -> bool:
        """Whether the value can be read as such a number."""
        return self.read(value) is not None

    def __str__(self) -> str:
        return f"1 to {self.most}, or {self.word}N"


def check_setting(lever: str, domain: Domain, value: object, where: str) -> Setting:
    """Return the value as a setting of the lever.

    Raises:
        BadInputError: The lever does not accept the value.
    """
    if value == OFF:
        return OFF
    if not isinstance(value, str | int | float | bool) or not domain.accepts(value):
        raise BadInputError(
            f"{where}.{lever}", f"{value!r} is not a setting; it takes off, or {domain}"
        )
    return value


def _is_number(value: object) -> TypeGuard[int | float]:
    """Whether the value is a number that a float can hold, and finite; a bool is not."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) <= sys.float_info.max
