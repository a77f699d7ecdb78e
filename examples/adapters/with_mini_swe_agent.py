"""``python -m examples.adapters.with_mini_swe_agent``: mini-swe-agent's loop with levers."""

from __future__ import annotations

import json
import sys
from typing import Any

from minisweagent.agents.default import DefaultAgent
from minisweagent.environments.local import LocalEnvironment
from minisweagent.models.test_models import DeterministicToolcallModel, make_toolcall_output

from leanloop.adapters.mini_swe_agent import LeverModel

LEVERS = {"memory.keep_observations": 1, "memory.stable_prefix": "off"}
COMMANDS = ("seq 1 30", "seq 31 60", "seq 61 90", "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT")


class Scripted(DeterministicToolcallModel):
    """Runs four commands; keeps what it was shown."""

    def __init__(self) -> None:
        outputs = []
        for i, command in enumerate(COMMANDS):
            function = {"name": "bash", "arguments": json.dumps({"command": command})}
            call = {"id": f"c{i}", "type": "function", "function": function}
            act = {"command": command, "tool_call_id": f"c{i}"}
            outputs.append(make_toolcall_output("", [call], [act]))
        super().__init__(outputs=outputs)  # type: ignore[no-untyped-call]
        self.shown: list[list[str]] = []

    def query(self, messages: Any, **options: Any) -> Any:  # noqa: ANN401 - as the base has it
        """Answer one request."""
        self.shown.append(results_of(messages))
        return super().query(messages, **options)


def results_of(messages: list[dict[str, Any]]) -> list[str]:
    """What tools returned."""
    return [str(m["content"]) for m in messages if m["role"] == "tool"]


def main() -> tuple[list[str], list[str]]:
    """Run it; what tools returned as the model was last shown it, and as the trajectory has it."""
    model = Scripted()
    agent = DefaultAgent(
        LeverModel(model, LEVERS),
        LocalEnvironment(),
        system_template="You use bash.",
        instance_template="{{task}}",
        cost_limit=0,
    )
    agent.run("count")
    return model.shown[-1], results_of(agent.messages)[:3]


if __name__ == "__main__":
    sys.stdout.write("\n".join(main()[0]) + "\n")
