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
    place: list[str] = []
    built: list[Any] = []
    for event, value in events:
        if event == "map_key":
            place[-1] = value
        elif event in CLOSED:
            place.pop()
            if len(built) == 1:
                yield built[0]
            del built[-1:]
        else:
            made = OPENED[event]() if event in OPENED else value
            begins = not built and place == path
            if built:
                _put(built[-1], place[-1], made)
            if event in OPENED:
                _open(event, place)
                if built or begins:
                    built.append(made)
            elif begins:
                yield made


def _open(event: str, place: list[str]) -> None:
    place.append("item" if event == "start_array" else "")
    if len(place) > DEEPEST:
        raise RecursionError


def _put(container: Any, key: str, value: Any) -> None:  # noqa: ANN401 - any JSON value
    if isinstance(container, list):
        container.append(value)
    else:
        container[key] = value
