"""The pipeline: order of the stages, and verdicts."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from leanloop.core.configuration import Configuration, Setting
from leanloop.core.domain import Choice
from leanloop.core.message import (
    AssistantMessage,
    Request,
    Response,
    ToolCall,
    ToolMessage,
    UserMessage,
    with_messages,
)
from leanloop.core.run import Status, Step
from leanloop.core.tokens import Tokens
from leanloop.levers.protocol import (
    GO,
    Answer,
    Card,
    Lever,
    RunContext,
    SimpleLever,
    Stage,
    Stop,
    Verdict,
)
from leanloop.loop.pipeline import Pipeline, build_pipeline
from tests.levers.conversations import run_context
from tests.loop.toy import bench, opens, says

CALL = ToolCall("c", "open_box", {"box": 3})
RESULT = ToolMessage("c", "open_box", "seen")


class Marks(Stage):
    """Leaves its letter on everything that passes."""

    def __init__(self, letter: str) -> None:
        self._letter = letter

    async def on_request(self, request: Request) -> Request:
        return with_messages(request, (*request.messages, UserMessage(self._letter)))

    async def on_response(self, request: Request, response: Response) -> Response:
        message = AssistantMessage(response.message.text + self._letter)
        return msgspec.structs.replace(response, message=message)

    async def on_tool_call(self, call: ToolCall) -> ToolCall | ToolMessage:
        marks = call.arguments.get("marks", "") + self._letter
        return msgspec.structs.replace(call, arguments={**call.arguments, "marks": marks})

    def on_tool_result(self, call: ToolCall, result: ToolMessage) -> ToolMessage:
        assert "marks" not in call.arguments, "a result comes with the model's own call"
        return msgspec.structs.replace(result, text=result.text + self._letter)


class Answers(Stage):
    async def on_tool_call(self, call: ToolCall) -> ToolCall | ToolMessage:
        return ToolMessage(call.call_id, call.name, str(call.arguments.get("marks", "")))


class Says(Stage):
    def __init__(self, verdict: Verdict) -> None:
        self._verdict = verdict
        self.asked = 0

    def after_step(self, step: Step) -> Verdict:
        self.asked += 1
        return self._verdict


async def test_requests_and_results_pass_down_responses_and_calls_pass_up() -> None:
    pipeline = Pipeline({"x.a": Marks("a"), "x.b": Marks("b"), "x.c": Marks("c")})
    sent = await pipeline.on_request(Request("m", ()))
    assert [m.text for m in sent.messages if isinstance(m, UserMessage)] == ["a", "b", "c"]
    response = Response(AssistantMessage(""), Tokens(), 0.0)
    assert (await pipeline.on_response(sent, response)).message.text == "cba"
    outcome, by = await pipeline.on_tool_call(CALL)
    assert isinstance(outcome, ToolCall)
    assert (outcome.arguments["marks"], by) == ("cba", "tool")
    assert pipeline.on_tool_result(CALL, RESULT).text == "seenabc"


async def test_first_answer_on_the_way_up_wins_and_is_named() -> None:
    pipeline = Pipeline({"x.a": Marks("a"), "x.b": Answers(), "x.c": Marks("c")})
    outcome, by = await pipeline.on_tool_call(CALL)
    assert isinstance(outcome, ToolMessage)
    assert (outcome.text, by) == ("c", "x.b")


VERDICTS: tuple[Verdict, ...] = (GO, Answer("first"), Answer("second"), Stop("one"), Stop("two"))


@pytest.mark.parametrize("said", list(itertools.permutations(VERDICTS, 3)))
def test_strictest_verdict_wins_and_the_first_of_equals(said: tuple[Verdict, ...]) -> None:
    stages = {f"x.{i}": Says(verdict) for i, verdict in enumerate(said)}
    verdict = Pipeline(stages).after_step(Step())
    for kind in (Stop, Answer):
        of_kind = [v for v in said if isinstance(v, kind)]
        if of_kind:
            assert verdict is of_kind[0]
            break
    assert [s.asked for s in stages.values()] == [1, 1, 1], "every stage sees every step"


def test_no_stage_says_go() -> None:
    assert Pipeline({}).after_step(Step()) is GO


def _lever(name: str, stage: Stage) -> Lever:
    def make(setting: Setting, context: RunContext) -> Stage:
        return stage

    return SimpleLever(Card(name, "Test.", Choice(("on",)), ("on",), (), "test"), make)


async def test_order_is_that_of_the_levers_not_of_the_configuration() -> None:
    levers = {"z.first": _lever("z.first", Marks("1")), "a.second": _lever("a.second", Marks("2"))}
    configuration = Configuration({"a.second": "on", "z.first": "on"})
    pipeline = build_pipeline(configuration, run_context(), levers)
    sent = await pipeline.on_request(Request("m", ()))
    assert [m.text for m in sent.messages if isinstance(m, UserMessage)] == ["1", "2"]


async def test_stop_beats_answer_in_a_run() -> None:
    levers = {
        "x.answer": _lever("x.answer", Says(Answer("enough"))),
        "x.stop": _lever("x.stop", Says(Stop("now"))),
    }
    b = bench([opens(3), says("red")], levers=levers)
    run = await b.run({"x.answer": "on", "x.stop": "on"})
    assert (run.status, run.reason, run.answer) == (Status.STOPPED, "now", None)
    assert run.success == 0.0
    assert len(b.sent) == 1


async def test_answer_in_a_run_asks_once_more() -> None:
    levers = {"x.answer": _lever("x.answer", Says(Answer("enough")))}
    b = bench([opens(3), says("red")], levers=levers)
    run = await b.run({"x.answer": "on"})
    assert (run.status, run.answer, run.success) == (Status.FINISHED, "red", 1.0)
    assert [r.tools_allowed for r in b.sent] == [True, False]
