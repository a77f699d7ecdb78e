"""What a model must do."""

from __future__ import annotations

from typing import Protocol

from leanloop.core.message import Request, Response


class Model(Protocol):
    """Answers requests. Safe to use from many tasks of one event loop."""

    @property
    def ref(self) -> str:
        """``provider:model``, for records and prices."""

    @property
    def concurrency(self) -> int:
        """How many requests it is worth having under way at once."""

    async def complete(self, request: Request) -> Response:
        """Answer one request.

        Raises:
            ModelError: The request can never succeed: too long, refused, malformed.
            OutageError: The provider stayed away after every retry.
        """

    async def close(self) -> None:
        """Release what it holds; calling it twice is harmless."""
