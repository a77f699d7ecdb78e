"""``python -m examples.adapters.with_pydantic_ai``: a Pydantic AI agent with levers."""

from __future__ import annotations

import sys

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from leanloop.adapters.pydantic_ai import Levers

LEVERS = {"memory.keep_observations": 1, "memory.stable_prefix": "off"}


def read_file(path: str) -> str:
    """Read a file."""
    return f"what {path} holds, which is long"


def main() -> tuple[list[str], list[str]]:
    """Run it; what tools returned as the model was last shown it, and as the history has it."""
    shown: list[list[str]] = []

    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        del info
        shown.append(results_of(messages))
        if len(shown) < 4:
            call = ToolCallPart("read_file", {"path": f"file-{len(shown)}"})
            return ModelResponse(parts=[call])
        return ModelResponse(parts=[TextPart("I have read all three.")])

    agent = Agent(FunctionModel(model), tools=[read_file], capabilities=[Levers(LEVERS)])
    done = agent.run_sync("Read the three files.")
    return shown[-1], results_of(done.all_messages())


def results_of(messages: list[ModelMessage]) -> list[str]:
    """What tools returned."""
    parts = (p for m in messages for p in m.parts)
    return [str(p.content) for p in parts if isinstance(p, ToolReturnPart)]


if __name__ == "__main__":
    sys.stdout.write("\n".join(main()[0]) + "\n")
