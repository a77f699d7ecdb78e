"""What every live page has: a state with a version, brought up to date bit by bit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

import msgspec

POLL_S = 0.5
"""Seconds between two looks at the store while somebody watches."""
Document = dict[str, Any]
Saved = TypeVar("Saved")


class Board(Protocol):
    """A study or a gateway as the page shows it."""

    @property
    def version(self) -> int:
        """Grows with every change."""

    def poll(self) -> bool:
        """Take in what the store has got since the last call.

        Returns:
            Whether there is more to take in at once.
        """

    def state(self, since: int = 0) -> Document:
        """What is shown; of its rows only those that changed after a version."""


class Shared:
    """One board for all who watch it; the store is looked at only while somebody does.

    Args:
        board: It.
    """

    def __init__(self, board: Board) -> None:
        self.board = board
        self._lock = asyncio.Lock()
        self._looked_at = float("-inf")

    async def state(self, since: int = 0, *, whole: bool = False) -> Document:
        """What is shown now.

        Args:
            since: A version; rows that did not change after it are left out.
            whole: Whether to wait until all that the store has is taken in.
        """
        async with self._lock:
            loop = asyncio.get_running_loop()
            if whole or loop.time() - self._looked_at >= POLL_S / 2:
                # Reading a store takes a while; who asks for something else need not wait.
                while await asyncio.to_thread(self.board.poll) and whole:
                    pass
                self._looked_at = loop.time()
            return await asyncio.to_thread(self.board.state, since)


class Shown:
    """What a page shows: a head, and rows by their name, each with the version that it came in."""

    def __init__(self) -> None:
        self.version = 0
        """Grows with every change."""
        self._rows: dict[str, tuple[int, Document]] = {}
        self._head = Document()

    def show(self, rows: Mapping[str, Document], head: Document) -> None:
        """Show rows, in the place of those of the same names, and a head.

        The first time counts as a change, whatever is shown.
        """
        fresh = self.version + 1
        nothing = 0, None
        moved = {n: row for n, row in rows.items() if self._rows.get(n, nothing)[1] != row}
        self._rows |= {name: (fresh, row) for name, row in moved.items()}
        if moved or head != self._head or not self.version:
            self.version, self._head = fresh, head

    def state(self, since: int = 0) -> Document:
        """What is shown; of the rows only those that changed after a version."""
        rows = [row for at, row in self._rows.values() if at > since]
        return {"version": self.version, "whole": since == 0, "head": self._head, "rows": rows}


def read_saved(raw: bytes, form: type[Saved]) -> Saved | None:
    """What a process saved for those who watch it; None of another version of leanloop."""
    try:
        return msgspec.json.decode(raw, type=form)
    except msgspec.DecodeError:
        return None
