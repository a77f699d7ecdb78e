"""planning.plan_first and planning.examples."""

from __future__ import annotations

from leanloop.core.message import (
    AssistantMessage,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from leanloop.core.run import Status
from leanloop.levers.planning import examples, plan_first
from leanloop.levers.planning.plan_first import ASK, GO_ON, NAME
from leanloop.models.scripted import ScriptedModel
from tests.levers.conversations import EXAMPLES, run_context
from tests.loop.toy import TASK, bench, opens, says

PLAN = "1. open box 3; 2. tell its colour"


class TestPlanFirst:
    async def test_asks_once_and_keeps_the_plan(self) -> None:
        b = bench([says(PLAN), opens(3), opens(4), says("red")])
        run = await b.run({NAME: "on"}, seed=4)
        assert (run.status, run.success) == (Status.FINISHED, 1.0)
        assert [c.purpose for c in run.model_calls] == [NAME, "act", "act", "act"]
        assert (run.usage.model_calls, run.usage.steps) == (4, 3)
        question, *acting = b.sent
        assert question.tools_allowed is False
        assert question.tools == acting[0].tools, "the prefix is that of the steps"
        assert question.messages[-1] == UserMessage(ASK)
        assert question.seed == 4
        for request in acting:
            assert request.tools_allowed
            assert request.messages[:5] == (
                SystemMessage(b.suite.instructions),
                UserMessage(TASK.prompt),
                UserMessage(ASK),
                says(PLAN),
                UserMessage(GO_ON),
            )
        assert [len(r.messages) for r in acting] == [5, 7, 9]

    async def test_acting_model_is_asked(self) -> None:
        b = bench([], large=[says(PLAN), says("red")])
        run = await b.run({NAME: "on", "model.choice": "large"})
        assert run.success == 1.0
        assert {c.model for c in run.model_calls} == {"large"}

    async def test_plan_comes_after_the_examples_and_the_task(self) -> None:
        b = bench([says(PLAN), says("red")])
        await b.run({NAME: "on", "planning.examples": 1})
        texts = [m.text for m in b.sent[1].messages]
        assert texts[-4:] == [TASK.prompt, ASK, PLAN, GO_ON]

    async def test_calls_in_the_plan_are_left_out(self) -> None:
        stray = AssistantMessage(PLAN, (ToolCall("stray", "add", {}),), verbatim="raw")
        stage = plan_first.LEVER.stage("on", run_context(ScriptedModel([stray])))
        sent = await stage.on_request(Request("m", (UserMessage("task"),)))
        assert sent.messages[2] == AssistantMessage(PLAN)

    async def test_what_the_provider_signed_is_kept(self) -> None:
        signed = AssistantMessage(PLAN, verbatim=[{"type": "thinking", "signature": "s"}])
        stage = plan_first.LEVER.stage("on", run_context(ScriptedModel([signed])))
        sent = await stage.on_request(Request("m", (UserMessage("task"),)))
        assert sent.messages[2] is signed

    async def test_no_plan_is_no_message_and_no_second_question(self) -> None:
        model = ScriptedModel([says("")])
        stage = plan_first.LEVER.stage("on", run_context(model))
        request = Request("m", (UserMessage("task"),))
        for _ in range(2):
            assert await stage.on_request(request) is request
        assert len(model.requests) == 1


class TestExamples:
    async def test_inserted_after_the_system_text(self) -> None:
        stage = examples.LEVER.stage(2, run_context())
        request = Request("m", (SystemMessage("one"), SystemMessage("two"), UserMessage("task")))
        sent = await stage.on_request(request)
        assert sent.messages[:2] == request.messages[:2]
        assert sent.messages[-1:] == request.messages[2:]
        shown = sent.messages[2:-1]
        assert [type(m) for m in shown] == [
            UserMessage, AssistantMessage, ToolMessage, AssistantMessage, ToolMessage,
            AssistantMessage, UserMessage, AssistantMessage, ToolMessage, AssistantMessage,
        ]  # fmt: skip
        assert shown[0] == UserMessage(EXAMPLES[0].prompt)
        assert shown[5] == says(EXAMPLES[0].answer)
        assert shown[2].text == '[{"id": "x1", "status": "new"}]'
        assert shown[8].text == "2", "text is shown as it is, not as JSON"

    async def test_number_of_examples(self) -> None:
        for setting, number in ((1, 1), (2, 2), (64, 2)):
            stage = examples.LEVER.stage(setting, run_context())
            sent = await stage.on_request(Request("m", ()))
            prompts = [m.text for m in sent.messages if isinstance(m, UserMessage)]
            assert prompts == [e.prompt for e in EXAMPLES[:number]]

    async def test_nearest_are_those_most_like_the_task_the_nearest_last(self) -> None:
        for setting, indices in (("nearest:1", [0]), ("nearest:2", [1, 0])):
            sent = await examples.LEVER.stage(setting, run_context()).on_request(Request("m", ()))
            prompts = [m.text for m in sent.messages if isinstance(m, UserMessage)]
            assert prompts == [EXAMPLES[i].prompt for i in indices]

    async def test_calls_of_examples_have_ids_of_their_own(self) -> None:
        sent = await examples.LEVER.stage("nearest:2", run_context()).on_request(Request("m", ()))
        said = [m for m in sent.messages if isinstance(m, AssistantMessage)]
        ids = [c.call_id for m in said for c in m.tool_calls]
        assert ids == ["example-1-0", "example-0-0", "example-0-1"]

    async def test_in_a_run(self) -> None:
        b = bench([opens(3), says("red")])
        run = await b.run({"planning.examples": 2})
        assert run.success == 1.0
        assert [len(r.messages) for r in b.sent] == [8, 10]
        assert run.usage.tool_calls == 1, "an example's calls are not made"
