"""Values of a JSON document that is too large to hold, from a parser's events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

DEEPEST = 500
"""Containers in each other. ijson's own builder takes memory with the square of them."""


OPENED: dict[str, type[Any]] = {"start_map": dict, "start_array": list}
CLOSED = frozenset({"end_map", "end_array"})


def values_at(events: Iterable[tuple[str, Any]], path: list[str]) -> Iterator[Any]:
    """Each value at a place, as soon as it is whole.

    Args:
        events: As ``ijson.basic_parse`` gives them.
        path: Keys from the outermost in; ``item`` for any element of a list.

    Raises:
        RecursionError: The document is nested too deeply.
    """
    return (value for _, value in values_at_any(events, [path]))


def values_at_any(
    events: Iterable[tuple[str, Any]], paths: list[list[str]]
) -> Iterator[tuple[int, Any]]:
    """Each value at one of several places, in the document's order, with which place it is.

    Args:
        events: As ``ijson.basic_parse`` gives them.
        paths: As ``values_at`` has them; none within another.

    Raises:
        RecursionError: The document is nested too deeply.
    """
    place: list[str] = []
    built: list[Any] = []
    which = 0
    for event, value in events:
        if event == "map_key":
            place[-1] = value
        elif event in CLOSED:
            place.pop()
            if len(built) == 1:
                yield which, built[0]
            del built[-1:]
        else:
            made = OPENED[event]() if event in OPENED else value
            begins = not built and place in paths
            if built:
                _put(built[-1], place[-1], made)
            elif begins:
                which = paths.index(place)
            if event in OPENED:
                _open(event, place)
                if built or begins:
                    built.append(made)
            elif begins:
                yield which, made


def _open(event: str, place: list[str]) -> None:
    place.append("item" if event == "start_array" else "")
    if len(place) > DEEPEST:
        raise RecursionError


def _put(container: Any, key: str, value: Any) -> None:  # noqa: ANN401 - any JSON value
    if isinstance(container, list):
        container.append(value)
    else:
        container[key] = value
