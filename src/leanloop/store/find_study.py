"""Finds a study by the name that a user gave, or says which there are."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from leanloop.core.errors import BadInputError
from leanloop.store.protocol import Store, StudyRecord

FEW = 8
"""Names that are listed; a store may have hundreds."""


def find_study(store: Store, name: str) -> StudyRecord:
    """The study of that name.

    Raises:
        BadInputError: There is none; those that there are, or the last of them, are named.
    """
    record = store.study(name)
    if record is not None:
        return record
    known = store.studies()
    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise BadInputError(
        f"study {name!r}", f"is not in the store {store.place}; studies there: {few(known)}{hint}"
    )


def few(names: Sequence[str]) -> str:
    """The last names of a list, and how many more there are."""
    if len(names) <= FEW:
        return ", ".join(names) or "none"
    return f"{', '.join(names[-FEW:])} and {len(names) - FEW} older ones"
