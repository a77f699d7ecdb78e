"""``python -m examples.adapters.with_langchain``: a LangChain agent with levers."""

from __future__ import annotations

import sys
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from pydantic import PrivateAttr

from leanloop.adapters.langchain import LeverMiddleware

LEVERS = {"memory.keep_observations": 1, "memory.stable_prefix": "off"}


def read_file(path: str) -> str:
    """Read a file."""
    return f"what {path} holds, which is long"


class Scripted(FakeMessagesListChatModel):
    """Keeps what it was shown."""

    _shown: list[list[str]] = PrivateAttr(default_factory=list)

    def bind_tools(self, tools: Any, **_: Any) -> Scripted:  # noqa: ANN401 - as the base has it
        """It knows its tools."""
        del tools
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **options: Any) -> Any:  # noqa: ANN401
        self._shown.append(results_of(messages))
        return super()._generate(messages, *args, **options)


def results_of(messages: list[BaseMessage]) -> list[str]:
    """What tools returned."""
    return [str(m.content) for m in messages if isinstance(m, ToolMessage)]


def main() -> tuple[list[str], list[str]]:
    """Run it; what tools returned as the model was last shown it, and as the state has it."""
    said: list[BaseMessage] = []
    for i in range(1, 4):
        call: Any = {"id": f"c{i}", "name": "read_file", "args": {"path": f"file-{i}"}}
        said.append(AIMessage("", tool_calls=[call]))
    model = Scripted(responses=[*said, AIMessage("I have read all three.")])
    agent = create_agent(model, [read_file], middleware=[LeverMiddleware(LEVERS)])
    asked: Any = {"messages": [{"role": "user", "content": "Read the three files."}]}
    done = agent.invoke(asked)
    return model._shown[-1], results_of(done["messages"])


if __name__ == "__main__":
    sys.stdout.write("\n".join(main()[0]) + "\n")
