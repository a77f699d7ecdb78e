"""The calls of a run as they were really made, with what they really returned."""

from __future__ import annotations

from dataclasses import dataclass, field

from leanloop.core.message import Json, ToolCall, ToolMessage
from leanloop.levers.plan import result_value


@dataclass(frozen=True)
class Made:
    """A call that was made.

    Args:
        tool: The tool's name.
        arguments: As the tool got them, mended where a lever mended them.
        value: What it returned: JSON, or text.
        is_error: Whether the tool refused or failed.
    """

    tool: str
    arguments: dict[str, Json]
    value: Json
    is_error: bool


@dataclass
class Trail:
    """Follows a run's calls, for a lever that stands in front of those that change them."""

    made: list[Made] = field(default_factory=list)
    _asked: dict[str, ToolCall] = field(default_factory=dict)

    def asked(self, call: ToolCall) -> None:
        """A call is about to be made."""
        self._asked[call.call_id] = call

    def returned(self, result: ToolMessage) -> None:
        """A call was made."""
        call = self._asked.pop(result.call_id, None)
        if call is not None:
            value = result_value(result.text)
            self.made.append(Made(call.name, call.arguments, value, result.is_error))
