"""Small repositories with one mistake each: a suite for agents that work in a folder.

An environment with a ``folder`` is all that an outside agent's task needs: the program is
started there, and ``verify`` looks at what it has left behind.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from leanloop.core.message import ToolCall, ToolMessage, ToolSpec
from leanloop.core.task import Example, Split, Task

SECONDS = 20
MISTAKES = (
    ("add", "a - b", "a + b", "add(2, 3) == 5"),
    ("area", "width + height", "width * height", "area(2, 3) == 6"),
    ("last", "items[0]", "items[-1]", "last([1, 2, 3]) == 3"),
    ("is_even", "n % 2 == 1", "n % 2 == 0", "is_even(4) and not is_even(3)"),
    ("largest", "min(items)", "max(items)", "largest([1, 9, 4]) == 9"),
    ("shout", "text.lower()", "text.upper()", "shout('hi') == 'HI'"),
    ("half", "n * 2", "n / 2", "half(8) == 4"),
    ("join", "''.join(words)", "' '.join(words)", "join(['a', 'b']) == 'a b'"),
)
ARGUMENTS = {
    "add": "a, b",
    "area": "width, height",
    "last": "items",
    "is_even": "n",
    "largest": "items",
    "shout": "text",
    "half": "n",
    "join": "words",
}
PROMPT = (
    "The function {name} in {name}.py is wrong: `python3 check.py` fails. Mend {name}.py so that "
    "it passes; leave check.py as it is."
)
HINT = " It returns `{wrong}` and has to return `{right}`: `sed -i 's/{wrong}/{right}/' {name}.py`."


@dataclass
class Repository:
    """A folder with a module that is wrong and a program that says so."""

    folder: Path
    check: str
    tools: tuple[ToolSpec, ...] = ()

    async def call(self, call: ToolCall) -> ToolMessage:
        """The agent brings its own tools."""
        return ToolMessage(call.call_id, call.name, "no such tool", True)

    def verify(self, answer: str | None) -> float:
        """Whether the check passes, as it was written here."""
        del answer
        (self.folder / "check.py").write_text(self.check)
        ran = subprocess.run(
            [sys.executable, "check.py"],
            cwd=self.folder,
            timeout=SECONDS,
            capture_output=True,
            check=False,
        )
        return float(ran.returncode == 0)

    def close(self) -> None:
        """Throw the folder away."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Repairs:
    """A mistake a task; half of them are kept for the holdout.

    Args:
        modules: Other modules beside the wrong one, so that there is something to read past.
        tasks: Of each split, at most four.
        hints: Whether the task says what the mistake is, for models that cannot find it.
    """

    name = "repairs"
    instructions = ""
    examples: tuple[Example, ...] = ()

    def __init__(self, modules: int = 12, tasks: int = 4, *, hints: bool = False) -> None:
        self._hints = hints
        self._modules = modules
        self._tasks = tasks

    def tasks(self, split: Split) -> list[Task]:
        """Half of the mistakes."""
        own = MISTAKES[::2] if split is Split.SEARCH else MISTAKES[1::2]
        return [Task(m[0], self._prompt(m), split) for m in own[: self._tasks]]

    def _prompt(self, mistake: tuple[str, str, str, str]) -> str:
        name, wrong, right, _ = mistake
        hint = HINT.format(name=name, wrong=wrong, right=right) if self._hints else ""
        return PROMPT.format(name=name) + hint

    def open(self, task: Task) -> Repository:
        """The repository, made anew."""
        name, wrong, _, test = next(m for m in MISTAKES if m[0] == task.task_id)
        folder = Path(tempfile.mkdtemp(prefix="repairs-"))
        arguments = ARGUMENTS[name]
        (folder / f"{name}.py").write_text(f"def {name}({arguments}):\n    return {wrong}\n")
        check = f"from {name} import {name}\n\nassert {test}\nprint('passed')\n"
        (folder / "check.py").write_text(check)
        for i in range(self._modules):
            lines = (f"def helper_{i}_{k}(x):\n    return x + {k}\n" for k in range(8))
            (folder / f"module_{i}.py").write_text("\n".join(lines))
        return Repository(folder, check)
