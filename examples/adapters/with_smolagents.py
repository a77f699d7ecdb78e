"""``python -m examples.adapters.with_smolagents``: an agent of smolagents with levers."""

from __future__ import annotations

import sys
from typing import Any

from smolagents import ChatMessage, LogLevel, MessageRole, Model, Tool, ToolCallingAgent
from smolagents.models import ChatMessageToolCall, ChatMessageToolCallFunction

from leanloop.adapters.smolagents import LeverModel

LEVERS = {"memory.keep_observations": 1, "memory.stable_prefix": "off"}


class ReadFile(Tool):  # type: ignore[misc]
    """Reads a file."""

    name, description, output_type = "read_file", "Read a file.", "string"
    inputs = {"path": {"type": "string", "description": "Which file."}}

    def forward(self, path: str) -> str:
        """Read it."""
        return f"what {path} holds, which is long"


class Scripted(Model):  # type: ignore[misc]
    """Reads three files and answers; keeps what it was shown."""

    def __init__(self) -> None:
        super().__init__(model_id="scripted")
        self.shown: list[list[str]] = []

    def generate(self, messages: list[ChatMessage], *_: Any, **__: Any) -> ChatMessage:  # noqa: ANN401
        """Answer one request."""
        self.shown.append(results_of(messages))
        turn = len(self.shown)
        name, arguments = "read_file", {"path": f"file-{turn}"}
        if turn == 4:
            name, arguments = "final_answer", {"answer": "I have read all three."}
        call = ChatMessageToolCall(
            ChatMessageToolCallFunction(arguments, name), id=f"c{turn}", type="function"
        )
        return ChatMessage(MessageRole.ASSISTANT, "", [call])


def results_of(messages: list[ChatMessage]) -> list[str]:
    """What tools returned."""
    parts = (p for m in messages if m.role == MessageRole.TOOL_RESPONSE for p in m.content)
    return [str(p["text"]) for p in parts]


def main() -> tuple[list[str], list[str]]:
    """Run it; what tools returned as the model was last shown it, and as the memory has it."""
    model = Scripted()
    agent = ToolCallingAgent([ReadFile()], LeverModel(model, LEVERS), verbosity_level=LogLevel.OFF)
    agent.run("Read the three files.")
    kept = [m for step in agent.memory.steps for m in step.to_messages()]
    return model.shown[-1], results_of(kept)[:3]


if __name__ == "__main__":
    sys.stdout.write("\n".join(main()[0]) + "\n")
