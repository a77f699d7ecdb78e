"""A user who goes on talking and a verifier that is a model, in the agent loop."""

from __future__ import annotations

from leanloop.core.configuration import Configuration
from leanloop.core.message import AssistantMessage, Request, UserMessage
from leanloop.core.run import Status
from leanloop.core.task import Split, Task
from leanloop.levers.builtin import all_levers
from leanloop.loop.agent import Agent, Limits
from leanloop.models.scripted import ScriptedModel
from leanloop.suites.protocol import Ask
from tests.loop.toy import Shelf, Shelves, opens, says

TASK = Task("box-3", "What is in box 3?", Split.SEARCH)


class Talkative(Shelf):
    """Asks a second thing once it has been answered, in the words of a model."""

    asked = 0

    async def reply(self, answer: str, ask: Ask) -> str | None:
        self.asked += 1
        if self.asked > 1:
            return None
        said = await ask(Request("user", (UserMessage(f"you heard {answer}"),)))
        return said.message.text

    async def judge(self, answer: str | None, ask: Ask) -> float:
        said = await ask(Request("judge", (UserMessage(f"right? {answer}"),)))
        return float(said.message.text)


class Talking(Shelves):
    def open(self, task: Task) -> Talkative:
        return Talkative(self.check)


def agent(script: list[AssistantMessage], **limits: int) -> Agent:
    acting = ScriptedModel(script, name="small", latency_s=0.5)
    user = ScriptedModel([says("And box 4?")], name="user", latency_s=7.0)
    judge = ScriptedModel([says("0.5")], name="judge", latency_s=9.0)
    models = {"small": acting, "user": user, "judge": judge}
    return Agent(Talking(), models, "small", all_levers(), Limits(**limits))


async def test_the_user_goes_on_and_the_judge_scores() -> None:
    a = agent([opens(3), says("red"), opens(4), says("blue")])
    run = await a.run(Configuration(), TASK)
    assert (run.status, run.answer, run.success) == (Status.FINISHED, "blue", 0.5)
    acting = a.models["small"]
    assert isinstance(acting, ScriptedModel)
    assert [m.text for m in acting.requests[-1].messages if isinstance(m, UserMessage)] == [
        TASK.prompt,
        "And box 4?",
    ]
    assert len(run.steps) == 4


async def test_what_the_test_queries_is_not_what_the_agent_costs() -> None:
    run = await agent([says("red"), says("blue")]).run(Configuration(), TASK)
    assert [c.purpose for c in run.test_calls] == ["user", "judge"]
    assert run.usage.model_calls == 2
    assert {c.model for c in run.model_calls} == {"small"}
    assert run.critical_path_s < 2
    assert run.wall_s < 2


async def test_a_conversation_without_end_stops_at_the_step_limit() -> None:
    class Endless(Talkative):
        async def reply(self, answer: str, ask: Ask) -> str | None:
            return "and?"

    class EndlessTalk(Shelves):
        def open(self, task: Task) -> Endless:
            return Endless(self.check)

    judge = ScriptedModel([says("0")], name="judge")
    models = {"small": ScriptedModel([says("x")] * 9, name="small"), "judge": judge}
    a = Agent(EndlessTalk(), models, "small", all_levers(), Limits(max_steps=5))
    run = await a.run(Configuration(), TASK)
    assert (run.status, len(run.steps), run.answer) == (Status.STOPPED, 5, None)


async def test_a_last_step_that_a_lever_asked_for_ends_the_conversation() -> None:
    a = agent([says("red"), says("blue"), says("green")])
    run = await a.run(Configuration({"stopping.max_steps": 2}), TASK)
    assert run.status is Status.FINISHED
    assert (len(run.steps), run.answer) == (2, "blue")


async def test_a_model_that_the_study_lacks_is_a_failure_that_says_so() -> None:
    a = agent([says("red")])
    models = {n: m for n, m in a.models.items() if n != "judge"}
    run = await Agent(Talking(), models, "small", all_levers(), Limits(max_steps=1)).run(
        Configuration(), TASK
    )
    assert run.status is Status.ERROR
    assert "judge" in run.reason
