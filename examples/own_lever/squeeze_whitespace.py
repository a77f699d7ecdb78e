"""Collapse runs of whitespace in observations."""

from __future__ import annotations

import re

import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.domain import Choice
from leanloop.core.message import ToolCall, ToolMessage
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage

RUN = re.compile(r"\s{2,}")


class SqueezeWhitespace(Stage):
    """Leaves one character of every run of whitespace: a line break if it has one, else a blank.

    Not for tasks in which indentation means something, such as edits of source code.
    """

    def on_tool_result(self, call: ToolCall, result: ToolMessage) -> ToolMessage:
        """Collapse the runs; an observation without any passes as the same object."""
        del call
        text = RUN.sub(_squeezed, result.text)
        return result if text == result.text else msgspec.structs.replace(result, text=text)


def _squeezed(run: re.Match[str]) -> str:
    return "\n" if "\n" in run[0] else " "


def _make(setting: Setting, context: RunContext) -> Stage:
    del setting, context
    return SqueezeWhitespace()


LEVER = SimpleLever(
    Card(
        name="memory.squeeze_whitespace",
        summary="Collapse runs of whitespace in observations.",
        domain=Choice(("on",)),
        search=("on",),
        acts_on=("tool result",),
        source="leanloop; an example of a lever in a package of its own (not measured).",
    ),
    _make,
)
