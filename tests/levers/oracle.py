"""A scripted model that knows how the back office's tasks are solved, and answers at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from leanloop.core.configuration import Configuration, Setting
from leanloop.core.memory import Origin
from leanloop.core.message import AssistantMessage, Request, ToolCall, ToolMessage, UserMessage
from leanloop.core.run import Run
from leanloop.core.task import Split, Task
from leanloop.levers.builtin import BUILT_IN
from leanloop.loop.agent import Agent
from leanloop.loop.run_memory import LearnFrom, RunMemory
from leanloop.loop.working_memory import WorkingMemory
from leanloop.models.protocol import Model
from leanloop.models.scripted import ScriptedModel
from leanloop.suites.backoffice.suite import BackofficeOptions, BackofficeSuite

OPTIONS = BackofficeOptions(seed=4, search_tasks=120, holdout_tasks=20, streams=1)


class Oracle:
    """Makes the calls of a task's solution in order, then answers; or what ``slip`` makes of it."""

    def __init__(self, suite: BackofficeSuite) -> None:
        self.drafts = {}
        for split in Split:
            for i, task in enumerate(suite.tasks(split)):
                self.drafts[task.prompt] = suite._draft(split, i)[0]
        self.slip: Callable[[ToolCall], ToolCall] = lambda call: call
        self.asked = 0

    def __call__(self, request: Request) -> AssistantMessage:
        self.asked += 1
        users = [m.text for m in request.messages if isinstance(m, UserMessage)]
        draft = next(self.drafts[t] for t in users if t in self.drafts)
        results = [m for m in request.messages if isinstance(m, ToolMessage)]
        done = sum(not m.call_id.startswith("example-") for m in results)
        if done == len(draft.steps):
            return AssistantMessage(text=draft.answer)
        tool, arguments, _ = draft.steps[done]
        return AssistantMessage(tool_calls=(self.slip(ToolCall(f"c{done}", tool, arguments)),))


class Office:
    """An agent with a memory, working on a stream of the back office."""

    def __init__(
        self, settings: Mapping[str, Setting], memory: WorkingMemory | None = None
    ) -> None:
        self.suite = BackofficeSuite(OPTIONS)
        self.oracle = Oracle(self.suite)
        self.model = ScriptedModel(self.oracle, latency_s=0.0)
        self.models: dict[str, Model] = {"small": self.model}
        self.agent = Agent(self.suite, self.models, "small", BUILT_IN)
        self.configuration = Configuration(settings)
        self.memory = WorkingMemory() if memory is None else memory

    def tasks(self, *families: str) -> list[Task]:
        """Tasks of the search, of some families."""
        every = self.suite.tasks(Split.SEARCH)
        return [t for t in every if not families or t.family in families]

    async def run(self, task: Task, learn_from: LearnFrom = "solved") -> Run:
        """One run, whose changes the memory takes in."""
        seen = RunMemory(self.memory, task, Origin(), learn_from=learn_from)
        run = await self.agent.run(self.configuration, task, memory=seen)
        self.memory.apply(run.memory)
        return run
