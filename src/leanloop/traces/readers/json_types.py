"""JSON of others, in which anything may be of any type: a value, or what is nearest to none."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

LARGEST = 2**53
"""No count of tokens is larger; what is, is damage."""


def text(value: Any) -> str:  # noqa: ANN401
    """A text, fit to be written as UTF-8; empty where it is none."""
    if not isinstance(value, str):
        return ""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def mapping(value: Any) -> dict[str, Any]:  # noqa: ANN401
    """An object; empty where it is none."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    """The objects of a list; none where it is no list."""
    if isinstance(value, list):
        yield from (v for v in value if isinstance(v, dict))


def count(value: Any) -> int | None:  # noqa: ANN401
    """A number of things, 0 or more; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not (0 <= value <= LARGEST) or value != int(value):
        return None
    return int(value)


def number(value: Any) -> float | None:  # noqa: ANN401
    """A finite number; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def amount(value: Any) -> float | None:  # noqa: ANN401
    """A finite number, 0 or more; None where it is none."""
    found = number(value)
    return None if found is None or found < 0 else found


def decoded(value: Any) -> Any:  # noqa: ANN401
    """A value that some exporters write as JSON text; None where that text is no JSON."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return None


def unix_s(value: Any) -> float | None:  # noqa: ANN401
    """Unix seconds of an ISO 8601 time; one without a zone is taken as UTC."""
    if not isinstance(value, str):
        return None
    try:
        when = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
