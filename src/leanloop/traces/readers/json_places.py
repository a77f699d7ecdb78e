"""Which places the beginning of a JSON document has: what its format is told from."""

from __future__ import annotations

import io
from functools import lru_cache

import ijson

DEEPEST = 12
"""Keys in each other that are looked at; no format is told from a deeper one."""


@lru_cache(maxsize=2)
def places_in(data: bytes) -> frozenset[str]:
    """The keys of a document, or of JSON lines, as ijson has them: ``item.traj.item.role``.

    Args:
        data: The beginning of a file; where it is cut off does not matter.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    found: set[str] = set()
    place: list[str] = []
    try:
        for event, value in ijson.basic_parse(
            io.BytesIO(data), multiple_values=True, use_float=True
        ):
            if event == "map_key":
                place[-1] = value
                if len(place) <= DEEPEST:
                    found.add(".".join(place))
            elif event in {"start_map", "start_array"}:
                place.append("item" if event == "start_array" else "")
            elif event in {"end_map", "end_array"}:
                place.pop()
    except (ijson.JSONError, ValueError, ArithmeticError, IndexError, RecursionError):
        pass
    return frozenset(found)


def has(data: bytes, *places: str) -> bool:
    """Whether a document's beginning has all of these places."""
    return places_in(data).issuperset(places)
