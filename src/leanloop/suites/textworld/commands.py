"""What a player types, and which of the possible commands is meant."""

from __future__ import annotations

from collections.abc import Sequence

ARTICLES = frozenset({"the", "a", "an"})
SHORT = {"n": "go north", "e": "go east", "s": "go south", "w": "go west"}
SHORT |= {c.split()[1]: c for c in SHORT.values()} | {"i": "inventory", "l": "look"}


def meant(typed: str, possible: Sequence[str]) -> list[str]:
    """The possible commands that were meant: one when it is clear, none when it cannot be.

    Capitals, articles and spaces do not matter, and the end of a command may be left out:
    ``take key`` is ``take key from the box`` where there is no other key.

    Args:
        typed: What the player typed.
        possible: The commands that can be carried out.
    """
    words = _words(typed)
    words = _words(SHORT.get(" ".join(words), typed))
    read = {command: _words(command) for command in possible}
    exact = [c for c, w in read.items() if w == words]
    if exact or not words:
        return exact
    return [c for c, w in read.items() if w[: len(words)] == words]


def _words(text: str) -> list[str]:
    return [w for w in text.lower().rstrip(".! ").split() if w not in ARTICLES]
