"""stopping.self_check: an answer is sent back once when the model cannot prove it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from leanloop.core.message import (
    AssistantMessage,
    Request,
    Response,
    SystemMessage,
    ToolMessage,
    UserMessage,
    with_messages,
)
from leanloop.core.run import Status
from leanloop.core.tokens import Tokens
from leanloop.levers.protocol import RunContext
from leanloop.levers.stopping import self_check
from leanloop.levers.stopping.self_check import CHECK, CHECK_TOKENS
from leanloop.loop.agent import LAST_STEP, Limits
from leanloop.models.scripted import ScriptedModel
from tests.levers.conversations import run_context
from tests.loop.toy import bench, calls, opens, says


class TestSelfCheck:
    NAME = "stopping.self_check"
    ON = {NAME: "on"}

    async def test_proven_answer_is_taken(self) -> None:
        for verdict in ("yes", "Yes.", "Nothing is missing.", "", "Now it is."):
            b = bench([opens(3), says("red"), says(verdict)])
            run = await b.run(self.ON)
            assert (run.answer, run.success) == ("red", 1.0)
            assert [c.purpose for c in run.model_calls] == ["act", "act", self.NAME]
        check = b.sent[-1]
        assert check.messages == (*b.sent[1].messages, says("red"), UserMessage(CHECK))
        assert not check.tools_allowed
        assert check.max_output_tokens == CHECK_TOKENS

    @pytest.mark.parametrize("verdict", ["no", "No.", ' "NO" - ', "not proven"])
    async def test_other_answer_takes_its_place(self, verdict: str) -> None:
        b = bench([opens(4), says("blue"), says(verdict), says("red")])
        run = await b.run(self.ON)
        assert (run.answer, run.status, run.usage.steps) == ("red", Status.FINISHED, 2)
        assert [c.purpose for c in run.model_calls] == ["act", "act", self.NAME, self.NAME]

    async def test_goes_on_for_more_steps_and_remembers_why(self) -> None:
        said = says("No, box 3 was not opened.")
        late = opens(3)
        b = bench([opens(4), says("blue"), said, late, opens(3), says("red")])
        run = await b.run(self.ON)
        assert (run.answer, run.success, run.usage.steps) == ("red", 1.0, 4)
        before, again, after, last = b.sent[1], b.sent[3], b.sent[4], b.sent[5]
        assert again.messages[: len(before.messages)] == before.messages
        answer, doubt = again.messages[len(before.messages) :]
        assert answer == says("blue")
        assert isinstance(doubt, UserMessage)
        assert "You said of it: box 3 was not opened." in doubt.text
        assert again.tools_allowed
        assert again.max_output_tokens == before.max_output_tokens
        # The loop keeps the reply alone; what it replied to stands before it all the same.
        assert after.messages[: len(again.messages)] == again.messages
        assert after.messages[len(again.messages)] == late
        assert isinstance(after.messages[len(again.messages) + 1], ToolMessage)
        assert last.messages[: len(after.messages)] == after.messages

    async def test_at_most_once_a_run(self) -> None:
        b = bench([opens(4), says("blue"), says("no"), opens(4), says("green")])
        run = await b.run(self.ON)
        assert run.answer == "green"
        assert sum(r.messages[-1] == UserMessage(CHECK) for r in b.sent) == 1

    async def test_calls_are_not_checked(self) -> None:
        b = bench([calls(("open_box", {"box": 3}), text="no idea yet"), says("red"), says("yes")])
        run = await b.run(self.ON)
        assert [c.purpose for c in run.model_calls] == ["act", "act", self.NAME]

    async def test_empty_or_cut_off_answers_are_not_checked(self) -> None:
        for answer in ("", "  ", "red " * 99):
            run = await bench([opens(3), says(answer)], limits=Limits(max_output_tokens=40)).run(
                self.ON
            )
            assert run.answer == answer

    async def test_first_answer_stands_when_the_reply_is_none(self) -> None:
        for reply in ("", "blue " * 99):
            b = bench(
                [opens(3), says("red"), says("no"), says(reply)],
                limits=Limits(max_output_tokens=40),
            )
            assert (await b.run(self.ON)).answer == "red"

    async def test_last_step_is_not_checked(self) -> None:
        b = bench([opens(3), says("red")], limits=Limits(max_steps=2))
        assert (await b.run(self.ON)).answer == "red"
        b = bench([opens(3), says("red")])
        assert (await b.run({**self.ON, "stopping.max_steps": 2})).answer == "red"

    async def test_run_sent_back_must_answer_in_the_last_step(self) -> None:
        script = [opens(4), says("blue"), says("no"), opens(3), says("red")]
        b = bench(script, limits=Limits(max_steps=3))
        run = await b.run(self.ON)
        assert (run.status, run.answer) == (Status.FINISHED, "red")
        assert not b.sent[-1].tools_allowed
        assert b.sent[-1].messages[-1] == UserMessage(LAST_STEP)

    async def test_run_not_sent_back_meets_its_limit_as_without(self) -> None:
        b = bench([opens(3)] * 3, limits=Limits(max_steps=3))
        run = await b.run(self.ON)
        assert run.status is Status.STOPPED
        assert all(r.tools_allowed for r in b.sent)

    async def test_without_tools_nothing_can_be_proven(self) -> None:
        stage = self_check.LEVER.stage("on", _never_asked())
        request = Request("small", (SystemMessage("s"), UserMessage("u")))
        response = Response(says("red"), Tokens(), 0.0)
        assert await stage.on_response(await stage.on_request(request), response) is response

    async def test_history_that_was_cut_elsewhere_is_left_alone(self) -> None:
        b = bench([says("no"), opens(3)])
        stage = self_check.LEVER.stage("on", _asking(b.models["small"]))
        start = (SystemMessage("s"), UserMessage("u"))
        call = opens(4)
        result = ToolMessage(call.tool_calls[0].call_id, "open_box", "blue")
        request = Request("small", (*start, call, result), run_context().tools)
        back = await stage.on_response(
            await stage.on_request(request), Response(says("blue"), Tokens(), 0.0)
        )
        assert back.message.tool_calls
        cut = with_messages(request, (*start, back.message))
        assert await stage.on_request(cut) is cut
        torn = with_messages(request, (*start, UserMessage("v"), call, result, back.message))
        assert await stage.on_request(torn) is torn, "a result would have lost its call"
        whole = with_messages(request, (*request.messages, back.message))
        sent = await stage.on_request(whole)
        assert sent.messages[4] == says("blue")
        assert sent.messages[-1] == back.message

    async def test_signed_answer_is_put_back_whole(self) -> None:
        signed = AssistantMessage("blue", verbatim=[{"type": "thinking", "signature": "x"}])
        b = bench([opens(4), signed, says("no"), opens(3), says("red")])
        run = await b.run(self.ON)
        assert run.success == 1.0
        assert signed in b.sent[-1].messages

    async def test_larger_model_is_asked_after_the_own_check(self) -> None:
        small = [opens(4), says("blue"), says("no"), says("green"), says("no")]
        b = bench(small, large=[opens(3), says("red")])
        run = await b.run({**self.ON, "model.escalate": "large"})
        assert (run.answer, run.success) == ("red", 1.0)
        assert [c.model for c in run.model_calls] == ["small"] * 5 + ["large"] * 2

    async def test_what_was_voted_for_is_checked(self) -> None:
        small = [opens(3), says("blue"), says("red"), says("red"), says("yes")]
        b = bench(small)
        run = await b.run({**self.ON, "planning.samples": 3})
        assert run.answer == "red"
        assert b.sent[-1].messages[-2] == says("red")


def _asking(model: ScriptedModel) -> RunContext:
    async def ask(request: Request, purpose: str) -> Response:
        return await model.complete(request)

    return replace(run_context(), complete=ask)


def _never_asked() -> RunContext:
    async def refuse(request: Request, purpose: str) -> Response:
        raise AssertionError("asked")

    return replace(run_context(), complete=refuse)
