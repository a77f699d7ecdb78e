"""Levers inside mini-swe-agent: a model around its model (mini-swe-agent 2.4, 2026-11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leanloop.adapters.editing import Editing
from leanloop.models.chat_request import read_request


class LeverModel:
    """Any model of mini-swe-agent, shown what levers leave of the messages.

    The agent's own trajectory keeps everything.

    Args:
        model: Such as ``LitellmModel``.
        levers: Lever settings, ``{"memory.keep_observations": 2}``.

    Raises:
        BadInputError: A lever or a setting is unknown, or does not act here.
    """

    def __init__(self, model: Any, levers: Mapping[str, Any]) -> None:  # noqa: ANN401 - a Protocol
        self._model = model
        self._editing = Editing(levers)

    def query(self, messages: list[dict[str, Any]], **options: Any) -> dict[str, Any]:  # noqa: ANN401
        """Query the model."""
        read = read_request({"messages": messages})
        written = read.write(self._editing.edited(read.request))
        said: dict[str, Any] = self._model.query(written["messages"], **options)
        return said

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the model's own
        return getattr(self._model, name)
