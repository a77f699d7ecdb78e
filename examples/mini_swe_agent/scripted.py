"""A model that repairs by the book, for trying the study out in seconds and without weights."""

from __future__ import annotations

import re

from examples.mini_swe_agent.repairs import MISTAKES

from leanloop.core.message import AssistantMessage, Request, ToolCall, ToolMessage, UserMessage


def model(request: Request) -> AssistantMessage:
    """Look around, read, mend, check, and hand in: what to do next is told by what was done."""
    text = "\n".join(m.text for m in request.messages if isinstance(m, UserMessage))
    found = re.search(r"function (\w+) in", text)
    name = found[1] if found else ""
    wrong, right = next(((w, r) for n, w, r, _ in MISTAKES if n == name), ("", ""))
    done = sum(isinstance(m, ToolMessage) for m in request.messages)
    commands = (
        "ls && cat *.py",
        f"cat {name}.py check.py",
        f"python3 - <<'END'\nfrom pathlib import Path\np = Path('{name}.py')\n"
        f"p.write_text(p.read_text().replace({wrong!r}, {right!r}))\nEND",
        "python3 check.py",
        "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT",
    )
    command = commands[min(done, len(commands) - 1)]
    call = ToolCall(f"call-{done}", "bash", {"command": command})
    return AssistantMessage(f"Step {done + 1}.", (call,))
