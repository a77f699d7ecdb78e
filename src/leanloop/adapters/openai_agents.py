"""Levers inside the OpenAI Agents SDK: a filter of what its models are shown (0.24, 2026-11)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agents.run import CallModelData, ModelInputData

from leanloop.adapters.editing import Editing
from leanloop.models.responses_request import read_request


def lever_filter(levers: Mapping[str, Any]) -> Callable[[CallModelData[Any]], ModelInputData]:
    """A ``call_model_input_filter`` for one run: ``RunConfig(call_model_input_filter=…)``.

    Args:
        levers: Lever settings, ``{"memory.keep_observations": 2}``.

    Raises:
        BadInputError: A lever or a setting is unknown, or does not act here.
    """
    editing = Editing(levers)

    def filter_(data: CallModelData[Any]) -> ModelInputData:
        body = {"input": list(data.model_data.input)}
        read = read_request(body)
        written = read.write(editing.edited(read.request))
        return ModelInputData(input=written["input"], instructions=data.model_data.instructions)

    return filter_
