"""A model around another one."""

from __future__ import annotations

from leanloop.models.protocol import Model


class WrappedModel:
    """What a model around another has of it: name, width and end.

    Args:
        model: The inner one.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    @property
    def ref(self) -> str:
        """The inner model's."""
        return self.model.ref

    @property
    def concurrency(self) -> int:
        """The inner model's."""
        return self.model.concurrency

    async def close(self) -> None:
        """Close the inner model."""
        await self.model.close()
