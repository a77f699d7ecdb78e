"""Inspect's scores as one number from 0 to 1."""

from __future__ import annotations

from statistics import fmean

from inspect_ai.scorer import Score, value_to_float

from leanloop.core.errors import BadInputError


def as_success(score: Score | None, name: str | None, most: float) -> float:
    """A score from 0 to 1: C, I, P and N are 1, 0, 0.5 and 0, as Inspect reads them.

    Args:
        score: What the scorer said; None, which it says of a sample it leaves out, is 0.
        name: Which value, where it said several; their mean when None.
        most: The value that is full success.

    Raises:
        BadInputError: There is no value of that name.
    """
    if score is None:
        return 0.0
    value = score.value
    if isinstance(value, dict):
        if name is not None and name not in value:
            raise BadInputError(
                "suite.options", f"value: no {name!r}; the scorer says {', '.join(value)}"
            )
        values = list(value.values()) if name is None else [value[name]]
    else:
        values = list(value) if isinstance(value, list | tuple) else [value]
    reading = value_to_float()
    # Letters are read as parts of 1 whatever the largest number is.
    read = [reading(v) if isinstance(v, str | bool) else reading(v or 0) / most for v in values]
    return min(max(fmean(read), 0.0), 1.0) if read else 0.0
