"""``python -m examples.adapters.with_openai_agents``: an agent of OpenAI's SDK with levers."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import agents
from agents.items import ModelResponse
from agents.usage import Usage
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage

from leanloop.adapters.openai_agents import lever_filter

LEVERS = {"memory.keep_observations": 1, "memory.stable_prefix": "off"}


@agents.function_tool
def read_file(path: str) -> str:
    """Read a file."""
    return f"what {path} holds, which is long"


class Scripted(agents.Model):
    """Reads three files and answers; keeps what it was shown."""

    def __init__(self) -> None:
        self.shown: list[list[str]] = []

    async def get_response(
        self,
        system_instructions: Any,  # noqa: ANN401 - the SDK's own types
        input: Any,  # noqa: A002, ANN401
        *_: Any,  # noqa: ANN401
        **__: Any,  # noqa: ANN401
    ) -> ModelResponse:
        """Answer one request."""
        del system_instructions
        self.shown.append(results_of(input))
        turn = len(self.shown)
        said: Any = ResponseFunctionToolCall(
            type="function_call",
            call_id=f"c{turn}",
            name="read_file",
            arguments=f'{{"path": "file-{turn}"}}',
        )
        if turn == 4:
            said = ResponseOutputMessage.model_validate(
                {
                    "id": "m",
                    "type": "message",
                    "role": "assistant",
                    "status": "completed",
                    "content": [{"type": "output_text", "text": "Read.", "annotations": []}],
                }
            )
        return ModelResponse(output=[said], usage=Usage(), response_id=None)

    def stream_response(self, *_: Any, **__: Any) -> Any:  # noqa: ANN401 - not needed here
        """It does not stream."""
        raise NotImplementedError


def results_of(items: Any) -> list[str]:  # noqa: ANN401 - a text, or items
    """What tools returned."""
    given = items if isinstance(items, list) else []
    return [str(i["output"]) for i in given if i.get("type") == "function_call_output"]


def main() -> tuple[list[str], list[str]]:
    """Run it; what tools returned as the model was last shown it, and as the history has it."""
    agents.set_tracing_disabled(True)
    model = Scripted()
    agent = agents.Agent(name="reader", model=model, tools=[read_file])
    config = agents.RunConfig(call_model_input_filter=lever_filter(LEVERS))
    done = asyncio.run(agents.Runner.run(agent, "Read the three files.", run_config=config))
    return model.shown[-1], results_of(done.to_input_list())


if __name__ == "__main__":
    sys.stdout.write("\n".join(main()[0]) + "\n")
