"""Tasks in Python: a counter that must end where the task says."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from leanloop import Case, FunctionTools


def counter(wanted: int) -> FunctionTools:
    """A fresh counter for one run; the task is solved when it stands at ``wanted``."""
    state = {"count": 0}

    def add_to_counter(amount: int) -> int:
        """Add to the counter; returns what it stands at."""
        state["count"] += amount
        return state["count"]

    def read_counter() -> int:
        """What the counter stands at."""
        return state["count"]

    return FunctionTools([add_to_counter, read_counter], lambda _: state["count"] == wanted)


def tasks() -> Iterator[Case]:
    """Counters to set, and questions that need no tool."""
    for wanted in (3, 5, 8, 12):
        prompt = f"Set the counter to {wanted}."
        yield Case(prompt, environment=partial(counter, wanted), tags=["set"])
    for first, second in ((2, 3), (4, 5), (6, 1)):
        yield Case(f"What is {first} plus {second}?", expected=first + second, tags=["sum"])
