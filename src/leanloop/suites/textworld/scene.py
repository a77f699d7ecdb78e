"""A game's state in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

DIRECTIONS = ("north", "east", "south", "west")
CONDITIONS = ("open", "closed", "locked")


class Scene:
    """What the player sees of a state.

    Args:
        game: TextWorld's game, for the names of things.
        facts: The facts of the state.
    """

    def __init__(self, game: Any, facts: Iterable[Any]) -> None:  # noqa: ANN401 - untyped
        self._names: dict[str, str] = {ident: info.name for ident, info in game.infos.items()}
        self._facts: list[tuple[str, tuple[str, ...]]] = sorted(
            (f.name, tuple(v.name for v in f.arguments)) for f in facts
        )

    def room(self) -> str:
        """The room, what stands and lies in it, and its exits."""
        here = self._player_is_in()
        things = [i for i in self._inside("at", here) if i != "P"]
        furniture = [i for i in things if i[0] in "cs"]
        floor = [i for i in things if i[0] not in "cs"]
        lines = [f"You are in the {self._names[here]}."]
        lines += [f"There is a {self.thing(i)}" for i in furniture]
        if floor:
            lines.append(f"On the floor: {self._list(floor)}.")
        return "\n".join([*lines, *self._exits(here)])

    def inventory(self) -> str:
        """What the player carries."""
        carried = list(self._inside("in", "I"))
        return f"You carry: {self._list(carried)}." if carried else "You carry nothing."

    def thing(self, ident: str) -> str:
        """A thing by name, with what can be seen of its state and on or in it."""
        name, condition = self._names[ident], self._condition(ident)
        if ident.startswith("c"):
            inside = f" In it: {self._list(self._inside('in', ident))}."
            return f"{name}, {condition}." + (inside if condition == "open" else "")
        if ident.startswith("s"):
            return f"{name}. On it: {self._list(self._inside('on', ident))}."
        if ident.startswith("d"):
            return f"{name}, {condition}."
        return f"{name}, which can be eaten." if ("edible", (ident,)) in self._facts else f"{name}."

    def _player_is_in(self) -> str:
        return next(a[1] for name, a in self._facts if name == "at" and a[0] == "P")

    def _inside(self, relation: str, place: str) -> Iterator[str]:
        return (a[0] for name, a in self._facts if name == relation and a[1] == place)

    def _condition(self, ident: str) -> str:
        return next((c for c in CONDITIONS if (c, (ident,)) in self._facts), "")

    def _exits(self, here: str) -> Iterator[str]:
        doors = {(a[0], a[2]): a[1] for name, a in self._facts if name == "link"}
        for direction in DIRECTIONS:
            # north_of(x, y): going north from y leads to x.
            for name, a in self._facts:
                if name != f"{direction}_of" or a[1] != here:
                    continue
                door = doors.get((here, a[0]))
                yield f"To the {direction}: " + (self.thing(door) if door else "a way out.")

    def _list(self, idents: Iterable[str]) -> str:
        return ", ".join(sorted(self._names[i] for i in idents)) or "nothing"
