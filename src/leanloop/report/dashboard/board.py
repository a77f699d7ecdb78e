"""What every live page has: a state with a version, brought up to date bit by bit."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

POLL_S = 0.5
"""Seconds between two looks at the store while somebody watches."""
Document = dict[str, Any]


class Board(Protocol):
    """A study or a gateway as the page shows it."""

    version: int
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


class Rows:
    """Rows by their name, each with the version in which it last changed."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[int, Document]] = {}

    def put(self, name: str, row: Document, version: int) -> bool:
        """Keep a row.

        Returns:
            Whether it is another one than before.
        """
        known = self._rows.get(name)
        if known is not None and known[1] == row:
            return False
        self._rows[name] = version, row
        return True

    def since(self, version: int) -> list[Document]:
        """Rows that changed after a version."""
        return [row for at, row in self._rows.values() if at > version]

    def __len__(self) -> int:
        return len(self._rows)
